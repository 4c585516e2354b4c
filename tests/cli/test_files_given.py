"""What the commands say of a file of the wrong kind, and of words that are nearly right."""

from pathlib import Path

import pytest

from tests.support.commandline import on_handmade, refusal, run, save_photo


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    return [str(save_photo(tmp_path)), *on_handmade(tmp_path)]


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "gif", "bmp", "tiff"])
@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_a_photo_where_a_circuit_belongs_is_to_be_traced_first(tmp_path: Path, ending: str, command: str) -> None:
    photo = save_photo(tmp_path, f"my cat.{ending}")
    said = refusal(run(command, photo, *([photo] if command == "compare" else [])))
    trace = f"circuits trace '{photo}' -o 'my cat.json'"
    assert said == f"Error: {photo} is a photo, not a circuit; trace it first: {trace}."


def test_the_example_is_a_photo_too() -> None:
    assert "trace it first: circuits trace example:cat -o cat.json." in refusal(run("evaluate", "example:cat"))


def test_a_circuit_where_a_photo_belongs_is_to_be_explored(tmp_path: Path) -> None:
    circuit = tmp_path / "cat.json"
    circuit.write_text("{}")
    assert f"is no photo; a circuit is opened by: circuits explore {circuit}." in refusal(run("predict", circuit))


@pytest.mark.parametrize("command", ["predict", "trace", "evaluate", "explore"])
@pytest.mark.parametrize("address", ["https://example.org/cat.jpg", "http://example.org/a/cat.json", "ftp://x/cat.png"])
def test_an_address_is_to_be_downloaded_first(command: str, address: str) -> None:
    said = refusal(run(command, address))
    assert said == f"Error: {address} is an address; download it first, then give the file."


@pytest.mark.parametrize(
    "arguments",
    [
        ["exemplars", "https://x/y"],
        ["predict", "example:cat", "-n", "squeezenet1_1", "--weights", "random", "--labels", "https://x/y"],
        ["predict", "example:cat", "-n", "squeezenet1_1", "--weights", "https://x/y"],
    ],
)
def test_so_are_folders_labels_and_weights(arguments: list[str]) -> None:
    assert refusal(run(*arguments)) == "Error: https://x/y is an address; download it first, then give the file."


@pytest.mark.parametrize(
    ("option", "name", "sentence"),
    [
        ("-o", "x.html", "--output writes JSON, not .html files; use --html x.html for .html, or name it x.json."),
        ("-o", "x.graphml", "use --graphml x.graphml for .graphml, or name it x.json."),
        ("-o", "x.xyz", "--output writes JSON, not .xyz files; name it x.json."),
        ("--html", "x.json", "--html writes a page, not .json files; name it x.html."),
        ("-o", "x.svg", "--output writes JSON, not .svg files; use --svg x.svg for .svg, or name it x.json."),
        ("--svg", "x.png", "--svg writes a drawing, not .png files; name it x.svg."),
        ("--graphml", "x.svg", "--graphml writes GraphML, not .svg files; name it x.graphml."),
    ],
)
def test_a_name_that_promises_another_kind_of_file_is_refused(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, name: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentence in refusal(run("trace", *asked, option, name))
    assert not Path(name).exists()


@pytest.mark.parametrize("name", ["x", "x.JSON"])
def test_no_ending_and_capitals_are_fine(asked: list[str], tmp_path: Path, name: str) -> None:
    assert run("trace", *asked, "-o", tmp_path / name).exit_code == 0
    assert (tmp_path / name).is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--target", "warm-cold"], "No class 'warm-cold' in Handmade (did you mean 'warm - cold'?)"),
        (["--target", "warm \N{EN DASH} cold"], "(did you mean 'warm - cold'?)"),
        (["--target", "wram"], "(did you mean 'warm'?)"),
        (["--target", "warm - clod"], "(did you mean 'cold'?)"),
        (["--target", "fcc:0"], "No layer 'fcc' in Handmade (did you mean 'fc'?)"),
        (["--layers", "fcc"], "(did you mean 'fc'?)"),
    ],
)
def test_the_name_that_may_be_meant_is_asked_for(asked: list[str], arguments: list[str], sentence: str) -> None:
    assert sentence in refusal(run("trace", *asked, *arguments))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["explore", "--port", "abc"],
            "--port 'abc' is not a whole number from 0 to 65535. See circuits explore --help.",
        ),
        (["explore", "--port=70000"], "--port '70000' is not a whole number from 0 to 65535."),
        (["render", "fc:0", "-o", "x.png", "--l1", "much"], "--l1 'much' is not a number from 0."),
        (["trace", "example:cat", "--top", "0"], "--top '0' is not a whole number from 1 to 100000"),
        (["trace", "example:cat", "--depth", "0"], "--depth '0' is not a whole number from 1 to 2000."),
    ],
)
def test_a_number_that_cannot_be_meant_is_told_with_its_limits(arguments: list[str], sentence: str) -> None:
    assert sentence in refusal(run(*arguments))
