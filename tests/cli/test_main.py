"""What the commands print and write, on a network whose numbers are known."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import typer
from PIL import Image

from circuits import Circuit, builtin, explorer, load_network
from circuits.builtin import UNSURE
from circuits.cli import console
from circuits.cli.main import app
from circuits.report import sentences
from circuits.units import Unit
from circuits.visualization.render import Picture
from tests.support import limits
from tests.support.commandline import HANDMADE, on_handmade, refusal, run, save_photo

RED, GREEN, BLUE = 255 / 255, 128 / 255, 64 / 255
WARM = 3 * (2 * RED - GREEN) - (BLUE + 0.5) + 0.1


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """A photo and the options of the hand-wired network."""
    return [str(save_photo(tmp_path)), *on_handmade(tmp_path)]


def subprocess_run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return limits.python("-m", "circuits", *arguments, check=False, **options)


def test_predict_prints_the_classes_best_first_as_json(asked: list[str]) -> None:
    result = run("predict", *asked, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    first, second = json.loads(result.stdout)["predictions"]
    assert (first["class"], first["label"]) == (0, "warm")
    assert (second["class"], second["label"]) == (1, "cold")
    assert first["logit"] == pytest.approx(WARM, abs=1e-5)
    assert second["logit"] == pytest.approx(BLUE + 0.5, abs=1e-5)
    assert first["probability"] + second["probability"] == pytest.approx(1)


def test_predict_says_in_its_json_too_that_perhaps_no_class_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    red = tmp_path / "red.png"
    Image.new("RGB", (64, 64), (200, 30, 30)).save(red)
    told = json.loads(run("predict", red, "--json").stdout)
    assert told["predictions"][0]["probability"] < UNSURE
    assert told["hint"].startswith("Perhaps none of the 68 classes fits: even ")
    assert told["hint"].endswith(f"circuits predict {red} --network efficientnet_lite0")
    monkeypatch.setattr(sentences, "find_spec", lambda package: None if package == "timm" else package)
    told = json.loads(run("predict", red, "--json").stdout)
    assert told["hint"].endswith(f"circuits predict {red} --network googlenet")
    assert "hint" not in json.loads(run("predict", "example:cat", "--json").stdout)


def test_predict_prints_a_table_for_people_and_obeys_top(asked: list[str]) -> None:
    result = run("predict", *asked, "--top", 1)
    assert result.exit_code == 0
    assert "for photo.png" in result.stdout
    assert "warm" in result.stdout
    assert "cold" not in result.stdout


def test_layers_lists_every_layer_with_its_size_and_the_next_below(tmp_path: Path) -> None:
    options = on_handmade(tmp_path)[2:]
    result = run("layers", HANDMADE, *options, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["network"] == "Handmade"
    rows = [(row["channels"], row["height"], row["width"]) for row in found["layers"]]
    assert rows == [(4, 4, 4), (3, 4, 4), (2, 1, 1)]
    names = [row["name"] for row in found["layers"]]
    assert [row["below"] for row in found["layers"]] == [None, *names[:-1]]
    assert all(row["piecewise_linear"] for row in found["layers"])


def test_layers_prints_the_logits_first_for_people(tmp_path: Path) -> None:
    result = run("layers", HANDMADE, *on_handmade(tmp_path)[2:])
    lines = result.stdout.splitlines()
    assert lines[0] == "Handmade, from the logits down:"
    assert lines[2].split()[:2] == ["fc", "2"]
    assert "the image" in lines[-1]


def test_layers_of_a_torchvision_network_need_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: pytest.fail("downloads"))
    result = run("layers", "squeezenet1_1", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["layers"][-1]["channels"] == 1000


def test_layers_may_be_named(tmp_path: Path) -> None:
    names = [row["name"] for row in json.loads(run("layers", HANDMADE, "--size", 4, "--json").stdout)["layers"]]
    result = run("layers", HANDMADE, "--size", 4, "--layers", f"{names[-1]}, {names[0]}", "--json")
    assert [row["name"] for row in json.loads(result.stdout)["layers"]] == [names[0], names[-1]]


def test_trace_writes_a_circuit_that_the_library_and_networkx_read(asked: list[str], tmp_path: Path) -> None:
    out, graphml = tmp_path / "out.json", tmp_path / "out.graphml"
    result = run("trace", *asked, "-o", out, "--graphml", graphml, "--target", "warm", "--signs", "both")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [f"Wrote {out}.", f"Wrote {graphml}."]
    circuit = Circuit.from_json(out)
    root = circuit.nodes[circuit.root]
    assert root.label == "warm"
    assert root.value == pytest.approx(WARM, abs=1e-5)
    shares = {edge.source.partition(":")[2]: edge.attribution for edge in circuit.edges_into(root.id)}
    assert shares == pytest.approx({"0": 3 * (2 * RED - GREEN), "1": -(BLUE + 0.5)}, abs=1e-5)
    assert set(nx.read_graphml(graphml)) == circuit.visible


def test_trace_prints_the_books_layer_by_layer(asked: list[str]) -> None:
    result = run("trace", *asked, "--signs", "both", "--depth", 1)
    assert result.exit_code == 0
    assert "Predictions of Handmade (as made) for photo.png: warm" in result.stdout
    row = next(line for line in result.stdout.splitlines() if line.strip().startswith("fc:0 warm"))
    assert row.split()[2:7] == ["3.84", "+3.74", "0", "+0.100", "100"]
    assert "0: +4.49 (86 %), 1: −0.751 (14 %)" in row


def test_trace_prints_the_very_file_with_json(asked: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = run("trace", *asked, "--json", "-o", out)
    assert result.stdout == out.read_text("utf-8")


def test_trace_takes_one_top_a_level_and_then_knows_the_depth(asked: list[str]) -> None:
    circuit = Circuit.from_dict(json.loads(run("trace", *asked, "--top", "1,2", "--json").stdout))
    assert circuit.settings["depth"] == 2
    assert [len(circuit.edges_into(name)) for name in (circuit.root, circuit.edges_into(circuit.root)[0].source)] == [
        1,
        1,
    ]


def test_trace_explains_units_neurons_and_differences(asked: list[str]) -> None:
    top = json.loads(run("layers", HANDMADE, "--size", 4, "--json").stdout)["layers"][1]["name"]
    for target, root in ((f"{top}:0", f"{top}:0"), (f"{top}:0@1,2", f"{top}:0@1,2"), ("warm - cold", "fc:0-1")):
        result = run("trace", *asked, "--target", target, "--json", "--depth", 1)
        assert json.loads(result.stdout)["graph"]["target"]["unit"] == root


def test_trace_writes_a_page_and_a_drawing_with_pictures_patches_and_heat_maps(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import circuits.visualization.store

    def pictures(network: object, units: list[Unit], *, progress: Callable[[int, int, str], None]) -> list[Picture]:
        progress(1, 1, "done")
        return [Picture(unit, Image.new("RGB", (16, 16), "red"), 1.0) for unit in units]

    monkeypatch.setattr(circuits.visualization.store, "pictures", pictures)
    page, drawing = tmp_path / "out.html", tmp_path / "out.svg"
    both = ("--html", page, "--svg", drawing, "--depth", 1)
    for look, others in (("picture", "patch heat"), ("patch", "picture heat"), ("heat", "picture patch")):
        assert run("trace", *asked, *both, "--look", look).exit_code == 0
        for file in (page, drawing):
            text = file.read_text("utf-8")
            assert text.count(f'class="look {look}">') == 2
            assert [text.count(f'class="look {each}" visibility="hidden">') for each in others.split()] == [2, 2]
    assert run("trace", *asked, *both, "--no-pictures").exit_code == 0
    for file in (page, drawing):
        text = file.read_text("utf-8")
        assert 'class="look picture"' not in text
        assert text.count('class="look patch">') == 2


def test_a_look_that_there_is_not_is_refused_before_anything_is_traced(asked: list[str], tmp_path: Path) -> None:
    result = run("trace", *asked, "--svg", tmp_path / "out.svg", "--look", "x-ray")
    assert (result.exit_code, result.stderr.strip()) == (
        2, "Error: Units cannot show 'x-ray'; choose one of picture, patch, heat."
    )  # fmt: skip
    assert not (tmp_path / "out.svg").exists()


def test_progress_is_told_in_lines_where_there_is_no_terminal(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "EVERY", 0.0)
    result = run("trace", *asked, "--depth", 1)
    assert result.stderr.splitlines() == ["Tracing: 0 of 1 done.", "Tracing: 1 of 1 done."]


def test_lines_of_progress_say_how_long_it_will_still_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter((100.0, 110.0, 140.0, 400.0, 700.0, 710.0, 740.0))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.progress("Rendering") as report:
        for done in (40, 50, 90, 100):  # 40 were there
            report(done, 100, f"conv1:{done}")
        for done in (0, 2):
            report(done, 10, "Putting together")
    assert capsys.readouterr().err.splitlines() == [
        "Rendering: 50 of 100 done, about 2 min left.",
        "Rendering: 90 of 100 done, about 60 s left.",
        "Rendering: 100 of 100 done.",
        "Putting together: 2 of 10 done, about 2 min left.",
    ]


def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Explorers that are installed: one, which notes how it is called and returns as if stopped."""
    calls: list[dict[str, Any]] = []

    def serve(network: Any, **options: Any) -> None:
        options["announce"]("http://127.0.0.1:1/")
        calls.append({"network": network, **options})

    class Entry:
        def load(self) -> Callable[..., None]:
            return serve

    monkeypatch.setattr(explorer, "entry_points", lambda group: [Entry()])
    return calls


def test_explore_serves_a_photo(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = served(monkeypatch)
    result = run("explore", *asked, "--port", 1234, "--no-browser")
    assert (result.exit_code, result.stderr) == (130, "Stopped.\n")
    assert result.stdout == "The page is at http://127.0.0.1:1/ and stops with Ctrl-C.\n"
    (call,) = calls
    assert (call["network"].name, call["photo"].name, call["circuit"]) == ("Handmade", "photo.png", None)
    assert (call["port"], call["host"], call["open_browser"]) == (1234, "127.0.0.1", False)


def test_explore_says_on_standard_error_who_can_reach_the_page(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = served(monkeypatch)
    run("explore", *asked, "--no-browser", "--host", "0.0.0.0")
    assert calls[0]["host"] == "0.0.0.0"
    monkeypatch.setattr("sys.stderr", stream := io.StringIO())
    calls[0]["warn"]("Whoever has its [address] " + 40 * "long " + "can see it.")
    assert stream.getvalue() == "Warning: Whoever has its [address] " + 40 * "long " + "can see it.\n"


def test_explore_refuses_an_atlas_that_is_none_or_of_another_network(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = served(monkeypatch)
    for folder in (tmp_path, tmp_path / "nowhere", save_photo(tmp_path)):
        assert f"There is no atlas in {folder}; make one with" in refusal(run("explore", *asked, "--atlas", folder))
    other = run("explore", *asked, "--atlas", builtin.atlas_folder())
    assert re.search(r"was made with builtin \(\w{12}\), not with Handmade", refusal(other))
    assert not calls


def test_explore_goes_on_with_a_circuit(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = served(monkeypatch)
    out = tmp_path / "out.json"
    assert run("trace", *asked, "-o", out).exit_code == 0
    result = run("explore", out, *asked[1:])
    assert result.exit_code == 130
    assert calls[0]["circuit"] == Circuit.from_json(out)
    assert calls[0]["photo"] is None
    assert "port" not in calls[0]


def test_explore_loads_the_network_that_a_circuit_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = served(monkeypatch)
    out = tmp_path / "out.json"
    options = ["-n", "squeezenet1_1", "--weights", "random", "--size", "64"]
    assert run("trace", "example:cat", *options, "--depth", 1, "--top", 1, "-o", out).exit_code == 0
    assert run("explore", out, "--size", 64).exit_code == 130
    assert calls[0]["network"].sha256 == load_network("squeezenet1_1", weights="random", size=64).sha256


def test_explore_says_when_a_circuit_does_not_say_enough(asked: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert run("trace", *asked, "-o", out).exit_code == 0
    sentence = refusal(run("explore", out))
    assert "traced with Handmade (as made)" in sentence
    assert "--network and --weights" in sentence


def test_explore_says_when_the_network_is_another(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(monkeypatch)
    out = tmp_path / "out.json"
    assert run("trace", *asked, "-o", out).exit_code == 0
    (tmp_path / "other.py").write_text(
        "from tests.support.handmade import Handmade\ndef Other():\n    made = Handmade()\n"
        "    made.fc.bias.data += 1\n    return made\n"
    )
    sentence = refusal(run("explore", out, "--network", f"{tmp_path / 'other.py'}:Other", *asked[3:]))
    assert "was traced with Handmade" in sentence
    assert "not with Other" in sentence


def test_explore_says_when_no_page_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer, "entry_points", lambda group: [])
    assert "No page for exploring is installed" in refusal(run("explore"))


def test_a_module_of_ones_own_is_found_from_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_nets.py").write_text("from tests.support.handmade import Handmade\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[2])])
    result = run("layers", "my_nets:Handmade", "--size", 4, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["network"] == "Handmade"


def test_help_is_instant_because_nothing_heavy_is_imported() -> None:
    code = (
        "import sys\n"
        "from circuits.cli.main import main\n"
        "sys.argv = ['circuits', 'trace', '--help']\n"
        "try:\n    main()\nexcept SystemExit as left:\n    assert left.code == 0\n"
        "heavy = {'torch', 'torchvision', 'dash', 'plotly', 'numpy', 'PIL', 'skimage', 'networkx', 'jsonschema'}\n"
        "found = heavy & set(sys.modules)\n"
        "sys.exit(', '.join(found) or 0)\n"
    )
    result = limits.python("-c", code, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "Usage: circuits trace" in result.stdout


def test_without_a_command_the_help_is_shown_and_it_names_every_command() -> None:
    result = subprocess_run()
    assert result.returncode == 0
    for command in ("explore", "trace", "predict", "layers", "render", "doctor"):
        assert command in result.stdout


def test_what_goes_into_a_file_or_a_pipe_is_utf8_whatever_the_systems_code_page() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    result = subprocess_run("trace", "--help", env=environment, encoding="utf-8")
    assert (result.returncode, result.stderr) == (0, "")
    assert "\N{BOX DRAWINGS LIGHT HORIZONTAL}" in result.stdout
    assert "\N{REPLACEMENT CHARACTER}" not in result.stdout


def test_the_version_is_printed() -> None:
    result = run("--version")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.split()[0] == "circuits"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no-such-command"], "Error: No such command 'no-such-command'. See circuits --help."),
        (["predict"], "Error: Missing argument 'PHOTO'. See circuits predict --help."),
        (["predict", "example:cat", "--tip", "3"], "See circuits predict --help."),
        (["predict", "example:cat", "--top", "0"], "See circuits predict --help."),
        (["render", "fc:0"], "Missing option"),
    ],
)
def test_bad_usage_is_one_sentence_that_names_the_help(arguments: list[str], sentence: str) -> None:
    assert sentence in refusal(run(*arguments))


def test_a_fault_of_ours_is_one_sentence_and_exit_code_1(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import circuits.network.predict

    def broken(*_: object, **__: object) -> None:
        raise TypeError("a bug\nof ours")

    monkeypatch.setattr(circuits.network.predict, "predict", broken)
    result = run("predict", *asked)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: circuits itself failed (TypeError: a bug of ours); run it again with")
    assert len(result.stderr.splitlines()) == 1
    monkeypatch.setenv("CIRCUITS_DEBUG", "1")
    with pytest.raises(AssertionError):
        run("predict", *asked)


def test_stopping_with_ctrl_c_is_exit_code_130_and_leaves_nothing_half_written(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import circuits.tracing.trace

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(circuits.tracing.trace, "trace", stopped)
    result = run("trace", *asked, "-o", tmp_path / "out.json")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Stopped.\n")
    assert not (tmp_path / "out.json").exists()


def test_a_real_ctrl_c_stops_a_real_process(tmp_path: Path) -> None:
    waiting = tmp_path / "waiting.py"
    # Where the tests themselves run in the background, SIGINT is ignored, and children inherit that.
    waiting.write_text(
        "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def Waiting():\n    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    command = ("-m", "circuits", "predict", "example:cat", "--network", f"{waiting}:Waiting")
    with limits.child(*command) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"  # what one's own file prints is no answer of ours
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert process.stderr.read() == "Stopped.\n"


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as closed:
        result = subprocess_run("--help", stdout=closed)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_full_disk_behind_standard_output_is_said() -> None:
    with open("/dev/full", "w") as full:
        result = subprocess_run("--version", stdout=full)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith("Error: No space is left on the disk")


def test_the_whole_way_works_in_a_process_of_its_own(asked: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = subprocess_run("trace", *asked, "-o", str(out), "--json")
    assert (result.returncode, result.stderr) == (0, f"Wrote {out}.\n")
    assert json.loads(result.stdout) == json.loads(out.read_text("utf-8"))


@pytest.mark.parametrize("command", typer.main.get_command(app).commands)  # type: ignore[attr-defined]
def test_every_command_has_short_help_with_an_example_of_it(command: str) -> None:
    result = run(command, "-h")
    assert result.exit_code == 0
    assert f"Example: circuits {command} " in result.stdout


def test_the_short_ways_to_help_and_version() -> None:
    assert run("-h").stdout == run("--help").stdout
    assert run("-V").stdout == run("--version").stdout
    assert "circuits trace example:cat" in run().stdout


def test_a_shell_completes_commands() -> None:
    asked = {"_CIRCUITS_COMPLETE": "complete_bash", "COMP_WORDS": "circuits ev", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['circuits']; from circuits.cli.main import main; main()"
    told = limits.python("-c", code, env=os.environ | asked)
    assert told.stdout.split() == ["evaluate", "evidence"]
