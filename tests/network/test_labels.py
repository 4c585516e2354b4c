"""Labels in the forms that people have them, and what is refused."""

import numpy as np
import pytest

from circuits.errors import InputError
from circuits.network.labels import as_labels, read_labels

LABELS = ("tench, Tinca tinca", "great white shark", "crème brûlée")


@pytest.mark.parametrize(
    "text",
    [
        "{0}\n{1}\n{2}\n",
        "{0}\n{1}\n{2}",
        "\n{0}\n\n  {1}  \n{2}\n\n",
        "\ufeff{0}\r\n{1}\r\n{2}\r\n",
        "0\tn01\t{0}\n1\tn02\t{1}\n2\tn03\t{2}\n",
        "2\tn03\t{2}\n0\tn01\t{0}\n1\tn02\t{1}\n",
        "\ufeff2\t{2}\n0\t{0}\n1\t{1}\n",
        "3\t{2}\n1\t{0}\n2\t{1}\n",
        "10\t{2}\n8\t{0}\n9\t{1}\n",
        "5\t{0}\n5\t{1}\n7\t{2}\n",
        "n01\t{0}\nn02\t{1}\nn03\t{2}\n",
    ],
    ids=[
        *("lines", "no last line end", "blank lines", "BOM and CRLF", "TSV", "unordered", "unordered with BOM"),
        *("counted from one", "counted from eight", "numbers that do not count", "a first column of names"),
    ],
)
def test_labels_are_read_from_text_and_tsv(tmp_path, text):
    (tmp_path / "labels.txt").write_bytes(text.format(*LABELS).encode())
    assert read_labels(tmp_path / "labels.txt") == LABELS
    assert read_labels(str(tmp_path / "labels.txt")) == LABELS


def test_labels_that_are_numbers_stay_in_order(tmp_path):
    (tmp_path / "labels.txt").write_text("2\n0\n1\n")
    assert read_labels(tmp_path / "labels.txt") == ("2", "0", "1")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00bad", b"caf\xe9\n"])
def test_labels_that_are_not_utf8_are_refused(tmp_path, content):
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(
        InputError, match=r"^The labels in '.*labels\.txt' could not be read; give a regular file of UTF-8"
    ):
        read_labels(tmp_path / "labels.txt")


def test_missing_labels_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(
            InputError, match=r"^The labels in '.*' could not be read; give a regular file of UTF-8 text, one a"
        ):
            read_labels(path)


@pytest.mark.parametrize("text", ["", "\n \n\t\n", "\ufeff"])
def test_a_file_without_labels_is_refused(tmp_path, text):
    (tmp_path / "labels.txt").write_bytes(text.encode())
    with pytest.raises(
        InputError, match=r"labels\.txt' holds no labels; write one a line, in the order of the network's"
    ):
        read_labels(tmp_path / "labels.txt")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "id,name\n1,dog\n0,cat\n"),
        ("labels.csv", "label\ncat\ndog\n"),
        ("labels.csv", "cat\ndog\n"),
        ("labels.csv", "0,cat\n1,dog\n"),
        ("labels.csv", "cat,0\ndog,1\n"),
        ("labels.csv", "class_id,wnid,class_name\n0,n02,cat\n1,n01,dog\n"),
        ("labels.csv", "\ufeffname,index\ndog,1\ncat,0\n"),
        ("labels.tsv", "id\tlabel\n0\tcat\n1\tdog\n"),
        ("labels.json", '["cat", "dog"]'),
        ("labels.json", '{"0": "cat", "1": "dog"}'),
        ("labels.json", '{"1": "dog", "0": "cat"}'),
        ("labels.json", '{"cat": 0, "dog": 1}'),
        ("labels.json", '{"0": ["n02", "cat"], "1": ["n01", "dog"]}'),
        ("labels.json", '{"id2label": {"0": "cat", "1": "dog"}, "architectures": ["X"]}'),
        ("labels.json", '[{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]'),
        ("labels.json", '\ufeff{"classes": ["cat", "dog"]}'),
    ],
)
def test_tables_and_json_are_read(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_labels(tmp_path / name) == ("cat", "dog")


def test_a_csv_label_may_have_commas_and_json_may_count_in_labels(tmp_path):
    (tmp_path / "labels.csv").write_text('id,label\n0,"tench, Tinca tinca"\n1,cat\n')
    assert read_labels(tmp_path / "labels.csv") == ("tench, Tinca tinca", "cat")
    (tmp_path / "labels.json").write_text('{"0": "1", "1": "0"}')
    assert read_labels(tmp_path / "labels.json") == ("1", "0")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.json", '{"0": "cat", "2": "dog"}', "must be numbered 0 to 1, each once"),
        ("a.json", '{"cat": 0, "dog": 0}', "must be numbered 0 to 1, each once"),
        ("a.json", "3", "holds no labels; write a JSON list"),
        ("a.json", "[1, [2, null]]", "holds no labels; write a JSON list"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", "[" + "9" * 5000 + "]", "a number of thousands of digits"),
        ("a.json", '["\\ud800"]', "half of a character"),
        ("a.json", "cat", "This is not JSON"),
        ("a.txt", "L" * 401 + "\nb\n", "Class 0 of the labels .* has 401 characters; a label has at most 400"),
        ("a.tsv", "0\ta\n1\t\n2\tc\n", "Class 1 of the labels in .* has an empty label"),
        ("a.json", '{"0": "cat", "0": "dog"}', "has the key '0' twice"),
        ("a.csv", "id,label\n0,cat\n1,dog\n3,mouse", "number the classes, but lack 2; number each once"),
        ("a.tsv", "1\tcat\n2\tdog\n2\tmouse", "number the classes, but have 2 twice; number each once"),
        ("a.txt", "0: cat\n1: dog\n1: mouse\n4: rat", "but have 1 twice and lack 2, 3"),
    ],
)
def test_labels_that_cannot_be_are_refused(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_labels(tmp_path / name)


def test_numbers_of_any_length_in_a_table_are_no_fault(tmp_path):
    (tmp_path / "labels.tsv").write_text("".join("9" * 5000 + f"\t{name}\n" for name in "abc"))
    assert read_labels(tmp_path / "labels.tsv") == ("a", "b", "c")


def test_what_a_terminal_would_obey_is_written_out(tmp_path):
    (tmp_path / "labels.txt").write_text("cat\x1b]0;owned\x07\nd\x9bog\n")
    assert read_labels(tmp_path / "labels.txt") == ("cat\\x1b]0;owned\\x07", "d\\x9bog")


def test_labels_are_taken_as_lists_arrays_and_dictionaries():
    for given in (["cat", "dog"], np.array(["cat", "dog"]), {1: "dog", 0: "cat"}, {"0": "cat", "1": "dog"}):
        assert as_labels(given) == ("cat", "dog")
    assert as_labels({np.int64(0): "cat", np.int64(1): "dog"}) == as_labels({"cat": 0, "dog": 1}) == ("cat", "dog")
    assert as_labels(np.arange(3)) == ("0", "1", "2")
    with pytest.raises(InputError, match="Class 1 of the labels is called 'None'; a label is a text"):
        as_labels({0: "cat", 1: None})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "{0: 'cat',\n 1: 'dog, hound',\n 2: 'hen'}\n"),
        ("a.txt", '["cat", "dog, hound", "hen"]'),
        ("a.txt", "2: hen\n0: cat\n1: dog, hound\n"),
        ("a.txt", "3 hen\n1 cat\n2 dog, hound\n"),
        ("a.csv", "id;label\n1;dog, hound\n0;cat\n2;hen\n"),
        (
            "a.json",
            '{"categories": [{"id": 2, "name": "dog, hound"}, {"id": 1, "name": "cat"}, {"id": 3, "name": "hen"}]}',
        ),
        ("a.json", '{"1": "cat", "2": "dog, hound", "3": "hen"}'),
        ("a.jsonl", '{"id": 2, "label": "hen"}\n{"id": 0, "label": "cat"}\n{"id": 1, "label": "dog, hound"}\n'),
    ],
)
def test_numbers_in_front_and_what_python_prints_are_read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_labels(tmp_path / name) == ("cat", "dog, hound", "hen")


@pytest.mark.parametrize(
    "text", ["1 euro\n2 euro\n", "[unk]\n[pad]\n", "{0: open(1)}\n{}\n", "7 up\n8 ball\n", "0\n1\n"]
)
def test_labels_that_only_look_so_stay_as_they_are(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    assert read_labels(tmp_path / "a.txt") == tuple(text.split("\n")[:-1])


def test_yaml_is_refused(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [cat, dog]\n")
    with pytest.raises(InputError, match=r"data.yaml' is YAML, which is not read; write one label a line"):
        read_labels(tmp_path / "data.yaml")


def test_tables_of_other_shapes_are_read(tmp_path):
    for name, text in {
        "behind.txt": "cat 0\nbig dog 1\nmouse 2\n",
        "behind comma.txt": "mouse,3\ncat,1\nbig dog,2",
        "tabs.csv": "id\tlabel\n0\tcat\n1\tbig dog\n2\tmouse\n",
        "one line.csv": "cat,big dog,mouse\n",
        "more columns.csv": "label,count\ncat,10\nbig dog,20\nmouse,7\n",
        "odd blanks.txt": "cat\nbig\u2028dog\nmouse",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert read_labels(tmp_path / name) == ("cat", "big dog", "mouse"), name
    (tmp_path / "digits.txt").write_text("digit 0\ndigit 1\ndigit 2")
    assert read_labels(tmp_path / "digits.txt") == ("digit 0", "digit 1", "digit 2")
