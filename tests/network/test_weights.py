"""Files of weights and labels: what is read, what is refused, and that no file can run code."""

import os
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from circuits.errors import InputError
from circuits.network.weights import fit_weights, read_labels, read_weights
from tests.support.nets import randomize, seeded


def small() -> nn.Sequential:
    return randomize(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2)))


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return list(found) == list(expected) and all(torch.equal(found[name], expected[name]) for name in expected)


def test_half_precision_safetensors_are_read_as_float32(tmp_path):
    state = {name: value.half() if value.is_floating_point() else value for name, value in small().state_dict().items()}
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "net.safetensors")
    found = read_weights(tmp_path / "net.safetensors")
    assert {value.dtype for value in found.values()} == {torch.float32, torch.int64}
    assert sorted(found) == sorted(state)
    assert all(torch.equal(found[name], state[name].to(found[name].dtype)) for name in state)


@pytest.mark.parametrize("name", ["net.pth", "net.pt", "net.bin", "net"])
def test_a_state_dict_is_read_whatever_its_file_is_called(tmp_path, name):
    state = small().state_dict()
    torch.save(state, tmp_path / name)
    assert same(read_weights(str(tmp_path / name)), state)


def test_a_state_dict_in_the_old_format_is_read(tmp_path):
    state = small().state_dict()
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert same(read_weights(tmp_path / "old.pth"), state)


def test_a_state_dict_of_another_pickle_protocol_is_read(tmp_path):
    state = small().state_dict()
    torch.save(state, tmp_path / "new.pth", pickle_protocol=3)
    assert same(read_weights(tmp_path / "new.pth"), state)


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_a_nested_state_dict_of_a_parallel_module_is_unwrapped(tmp_path, wrapper):
    state = small().state_dict()
    parallel = {f"module.{name}": value for name, value in state.items()}
    torch.save({wrapper: parallel, "epoch": 90, "best": 0.7}, tmp_path / "checkpoint.pth")
    assert same(read_weights(tmp_path / "checkpoint.pth"), state)


def test_a_state_dict_within_a_model_within_a_checkpoint_is_unwrapped(tmp_path):
    state = small().state_dict()
    torch.save({"state_dict": {"model": state}}, tmp_path / "checkpoint.pth")
    assert same(read_weights(tmp_path / "checkpoint.pth"), state)


def test_bfloat16_and_double_become_float32(tmp_path):
    torch.save({"a": torch.ones(2, dtype=torch.bfloat16), "b": torch.ones(2, dtype=torch.float64)}, tmp_path / "n.pth")
    assert {value.dtype for value in read_weights(tmp_path / "n.pth").values()} == {torch.float32}


class MakesFolder:
    """What an attacker would pickle: unpickling it calls a function."""

    def __init__(self, path: object) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("modern", [True, False])
def test_pickled_code_is_refused_and_never_run(tmp_path, modern):
    trap = MakesFolder(tmp_path / "trapped")
    state = {"weight": torch.ones(2), "trap": trap}
    torch.save(state, tmp_path / "evil.pth", _use_new_zipfile_serialization=modern)
    with pytest.raises(
        InputError, match=r"evil\.pth' holds pickled code, which is never run here; save only the state"
    ):
        read_weights(tmp_path / "evil.pth")
    assert not (tmp_path / "trapped").exists()
    pickle.loads(pickle.dumps(trap))
    assert (tmp_path / "trapped").exists()  # the trap does work


def test_a_plain_pickle_with_code_is_refused_and_never_run(tmp_path):
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(MakesFolder(tmp_path / "trapped")))
    with pytest.raises(InputError, match=r"evil\.pt' (holds pickled code|could not be read as weights)"):
        read_weights(tmp_path / "evil.pt")
    assert not (tmp_path / "trapped").exists()


def test_a_whole_pickled_module_is_refused(tmp_path):
    torch.save(small(), tmp_path / "module.pth")
    with pytest.raises(
        InputError, match=r"module\.pth' holds pickled code, .*torch\.save\(module\.state_dict\(\), path\)"
    ):
        read_weights(tmp_path / "module.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kept", [0, 1, 7, 100, 0.5, 0.99])
def test_a_truncated_file_is_called_damaged(tmp_path, suffix, kept):
    path = tmp_path / f"cut{suffix}"
    if suffix == ".pth":
        torch.save(small().state_dict(), path)
    else:
        save_file(small().state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=rf"^'.*cut\{suffix}' could not be read as weights .*; it may be damaged\.$"):
        read_weights(path)


def test_files_of_noise_are_called_damaged(tmp_path):
    source = seeded(1)
    for number in range(150):
        noise = bytes(
            torch.randint(0, 256, (int(torch.randint(1, 300, (), generator=source)),), generator=source).tolist()
        )
        for name, start in (("noise.pth", b""), ("noise.pth", b"\x80\x02"), ("noise.safetensors", b"")):
            (tmp_path / name).write_bytes(start + noise)
            with pytest.raises(InputError, match=r"noise\.(pth|safetensors)' (could not be read as|holds)"):
                read_weights(tmp_path / name)
        assert number < 150


@pytest.mark.parametrize("text", ["hello", "<html>404</html>", "{}", "import os\nos.mkdir('trapped')\n"])
def test_a_file_of_text_is_called_damaged(tmp_path, text):
    (tmp_path / "text.pth").write_text(text)
    with pytest.raises(InputError, match=r"text\.pth' (could not be read as weights|holds pickled code)"):
        read_weights(tmp_path / "text.pth")


def test_a_zip_file_of_something_else_is_called_damaged(tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.pth", "w") as archive:
        archive.writestr("cat.txt", "meow")
    with pytest.raises(InputError, match=r"photos\.pth' could not be read as weights"):
        read_weights(tmp_path / "photos.pth")


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(
            InputError, match=r"^There is no weights file '.*'; give a \.safetensors or \.pth file that e"
        ):
            read_weights(path)


@pytest.mark.parametrize(
    "content", [{}, [torch.ones(2)], torch.ones(2), {"a": torch.ones(2), "epoch": 3}, {"state_dict": {}}, "text", 3]
)
def test_what_is_no_state_dict_of_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(
        InputError, match=r"other\.pth' holds no state dict of tensors; save one with torch\.save\(module"
    ):
        read_weights(tmp_path / "other.pth")


def test_weights_that_fit_are_loaded():
    source, target = small(), randomize(small(), 9)
    fit_weights(target, source.state_dict(), what="They")
    assert same(target.state_dict(), source.state_dict())


def test_counts_of_batches_may_be_missing():
    state = {name: value for name, value in small().state_dict().items() if not name.endswith("num_batches_tracked")}
    target = randomize(small(), 9)
    fit_weights(target, state, what="They")
    assert torch.equal(target[1].running_var, state["1.running_var"])


def test_what_does_not_fit_is_named_and_nothing_is_loaded():
    state = {name: value for name, value in small().state_dict().items() if not name.startswith("1.")}
    state["spare.weight"] = torch.ones(2)
    state["3.weight"] = torch.ones(5, 4)
    target = randomize(small(), 9)
    before = {name: value.clone() for name, value in target.state_dict().items()}
    expected = (
        r"^My weights do not fit the network: missing: 1\.weight, 1\.bias, 1\.running_mean, 1\.running_var; "
        r"unknown: spare\.weight; of another shape: 3\.weight is \(5, 4\) and should be \(2, 4\)\.$"
    )
    with pytest.raises(InputError, match=expected):
        fit_weights(target, state, what="My weights")
    assert same(target.state_dict(), before)


def test_a_long_list_of_missing_weights_is_cut_short():
    module = nn.Sequential(*(nn.Linear(2, 2) for _ in range(10)))
    with pytest.raises(InputError, match=r"missing: 0\.weight, 0\.bias, 1\.weight, 1\.bias and 16 more\.$"):
        fit_weights(module, {}, what="They")


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
        InputError, match=r"^The labels in '.*labels\.txt' could not be read; give UTF-8 text, one a line"
    ):
        read_labels(tmp_path / "labels.txt")


def test_missing_labels_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(InputError, match=r"^The labels in '.*' could not be read; give UTF-8 text, one a line\.$"):
            read_labels(path)


@pytest.mark.parametrize("text", ["", "\n \n\t\n", "\ufeff"])
def test_a_file_without_labels_is_refused(tmp_path, text):
    (tmp_path / "labels.txt").write_bytes(text.encode())
    with pytest.raises(
        InputError, match=r"labels\.txt' holds no labels; write one a line, in the order of the network's"
    ):
        read_labels(tmp_path / "labels.txt")
