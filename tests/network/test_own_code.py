"""A network's file is run as a script is, and what it does to the process stays inside."""

import io
import json
import os
import sys
from pathlib import Path

import pytest
import torch

from circuits.errors import InputError
from circuits.network.loading import load_network
from tests.support.commandline import refusal, run

NET = """
def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, {classes}))
"""


def write(folder: Path, *, before: str = "", after: str = "", name: str = "net.py", classes: int = 3) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"from torch import nn\n{before}\n{NET.format(classes=classes)}\n{after}\n")
    return f"{folder / name}:net"


def test_a_file_without_its_factory_is_answered_with_what_its_text_has_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classes = "class Base(torch.nn.Module): ...\nclass Net(Base): ...\nclass Config: ...\ndef train(): ..."
    texts = {
        "raise SystemExit(9)\n" + classes: "it has Base, Net: write net.py:Base.",
        "class Config: ...\ndef make(): ...\ndef _hidden(): ...": "it has make, Config: write net.py:make.",
        "net = torch.nn.Sequential()\nsides = 3": "it has net: write net.py:net.",
        "def broken(:": "write what makes the network too, as in net.py:Factory.",
    }
    for text, expected in texts.items():
        Path("net.py").write_text(text)
        for said in (refusal(run("layers", "net.py")), refusal(run("predict", "example:cat", "-n", "net.py"))):
            assert said.startswith("Error: 'net.py' is a file of code")
            assert said.endswith(expected)
    assert refusal(run("layers", "other.py")) == "Error: There is no file 'other.py'; write path/to/file.py:Factory."
    Path("net.pth").write_bytes(b"")
    assert "'net.pth' is a file, but none of code" in refusal(run("layers", "net.pth"))


@pytest.mark.parametrize("leaves", ["import sys; sys.exit()", "raise SystemExit(3)", "exit()", "quit(1)"])
def test_a_file_that_leaves_after_it_has_made_its_network_is_used(tmp_path, leaves):
    assert load_network(write(tmp_path, after=leaves), size=8).layers == ("1", "4")


def test_a_file_that_leaves_before_is_refused(tmp_path):
    sentence = refusal(run("layers", write(tmp_path, before="import sys; sys.exit('no data')"), "--size", "8"))
    assert (
        "leaves with sys.exit('no data') before it has defined net; put what only a script does under if __n"
        in sentence
    )


def test_a_factory_that_leaves_is_refused(tmp_path):
    path = write(tmp_path, after="def leaves():\n    raise SystemExit(0)\n").replace(":net", ":leaves")
    assert "could not be called without arguments: SystemExit: 0." in refusal(run("layers", path))


ARGUMENTS = (
    "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument({option!r})\nparser.parse_args()\n"
)


def test_a_file_that_reads_a_command_line_gets_an_empty_one(tmp_path):
    here = list(sys.argv)
    assert load_network(write(tmp_path, before=ARGUMENTS.format(option="--epochs")), size=8).layers == ("1", "4")
    assert sys.argv == here
    sentence = refusal(run("layers", write(tmp_path, before=ARGUMENTS.format(option="data"))))
    assert sentence.endswith(
        "reads a command line of its own, which is empty here (the following arguments are required: data)."
    )


PRINTING = """
class Printing(nn.Module):
    def __init__(self):
        super().__init__()
        print("made")
        self.body = net()

    def forward(self, x):
        print("run")
        return self.body(x)
"""


def test_what_a_file_prints_does_not_reach_the_answer(tmp_path):
    path = write(tmp_path, before="print('read')", after=PRINTING).replace(":net", ":Printing")
    result = run("predict", "example:cat", "--json", "-n", path, "--size", "8")
    assert len(json.loads(result.stdout)["predictions"]) == 3
    assert {"read", "made", "run"} <= set(result.stderr.split())


def test_what_a_module_traced_as_a_whole_prints_does_not_reach_the_answer(tmp_path):
    whole = "class Loud(nn.Module):\n    def forward(self, x):\n        print('loud')\n        return x.relu()\n"
    (tmp_path / "net.py").write_text(
        f"from torch import nn\n{whole}\n"
        "net = nn.Sequential(nn.Conv2d(3, 4, 3), Loud(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))\n"
    )
    before = sys.stdout
    result = run(
        "trace",
        "example:cat",
        "--json",
        "-n",
        f"{tmp_path / 'net.py'}:net",
        "--leaf",
        "1",
        "--size",
        "8",
        "--depth",
        "1",
    )
    assert json.loads(result.stdout)["graph"]["network"]["layers"] == ["1", "4"]
    assert "loud" in result.stderr
    assert sys.stdout is before


def test_modules_beside_the_file_are_found_from_anywhere_and_each_file_has_its_own(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    paths, modules = list(sys.path), set(sys.modules)
    for name, classes in (("one", 3), ("two", 7)):
        path = write(tmp_path / name, before="from helpers_of_net import *\nfrom parts_of_net.deep import *", classes=0)
        (tmp_path / name / "helpers_of_net.py").write_text(f"CLASSES = {classes}\n")
        (tmp_path / name / "parts_of_net").mkdir()
        (tmp_path / name / "parts_of_net" / "deep.py").write_text("import helpers_of_net\n")
        text = (tmp_path / name / "net.py").read_text().replace("Linear(4, 0)", "Linear(4, CLASSES)")
        (tmp_path / name / "net.py").write_text(text)
        assert load_network(path, size=8).layer_list[-1].channels == classes
        assert sys.path == paths
        assert {each for each in set(sys.modules) - modules if "_of_net" in each} == set()


def test_a_module_of_ours_or_of_another_folder_stays_where_a_file_has_one_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "helpers_of_net.py").write_text("CLASSES = 5\n")
    monkeypatch.syspath_prepend(str(tmp_path / "script"))
    import helpers_of_net  # made above

    path = write(tmp_path / "net", before="from helpers_of_net import CLASSES\nassert CLASSES == 4")
    (tmp_path / "net" / "helpers_of_net.py").write_text("CLASSES = 4\n")
    for taken in ("json", "torch", "circuits"):
        (tmp_path / "net" / f"{taken}.py").write_text("raise RuntimeError('not this one')\n")
    assert load_network(path, size=8).layers == ("1", "4")
    assert sys.modules["helpers_of_net"] is helpers_of_net
    assert (sys.modules["torch"], sys.modules["json"]) == (torch, json)
    del sys.modules["helpers_of_net"]


def test_what_a_file_changes_is_put_back(tmp_path):
    changes = (
        "import os, sys, torch\nos.chdir(os.path.dirname(__file__))\nsys.path.append('/nowhere')\n"
        "torch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)\n"
    )
    here, paths = os.getcwd(), list(sys.path)
    network = load_network(write(tmp_path, before=changes), size=8)
    assert (os.getcwd(), sys.path) == (here, paths)
    assert (torch.get_default_dtype(), torch.is_grad_enabled()) == (torch.float32, True)
    assert network.logits(torch.zeros(1, 3, 8, 8)).dtype is torch.float32


def test_weights_fit_a_module_whose_wrappers_and_norms_are_evaluated_later(tmp_path):
    path = write(
        tmp_path,
        after="def lazy():\n    return nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))\n",
    )
    made = load_network(path.replace(":net", ":lazy"), size=8)
    state = {f"{name}": value for name, value in made.traced.state_dict().items()}
    torch.save(state, tmp_path / "weights.pth")
    again = load_network(path.replace(":net", ":lazy"), weights=tmp_path / "weights.pth", size=8)
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.logits(image), made.logits(image))


def test_standard_output_is_as_it_was(tmp_path, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(InputError, match="could not be run: ValueError: no"):
        load_network(write(tmp_path, before="print('x')\nraise ValueError('no.')"), size=8)
    assert sys.stdout is stream
    assert stream.getvalue() == ""
