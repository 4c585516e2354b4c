"""Networks of one's own: from a file to a circuit on the page, as docs/your-own-network.md says, and other heads."""

import importlib
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import circuits
from circuits.errors import InputError, UnknownError
from circuits.image.photo import load_photo
from circuits.network.loading import load_network
from circuits.network.network import Network
from circuits.network.prepare import prepare
from circuits.tracing.circuit import Circuit
from dashboard.app import PageSettings, create_page
from tests.support.commandline import run
from tests.support.person import Person

PAGE = (Path(__file__).parents[1] / "docs" / "your-own-network.md").read_text("utf-8")
COMMANDS = re.findall(r"^    (circuits .*)$", PAGE, re.MULTILINE)
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = {found[1]: text for text in SNIPPETS if (found := re.match(r"# (\w+\.py)\n", text))}
SCRIPTS = [text for text in SNIPPETS if "import circuits" in text]
GREY = {"size": 8, "mean": (0.5,) * 3, "std": (0.5,) * 3}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with everything that the page speaks of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, text in FILES.items():
        Path(name).write_text(text)
    load_photo("example:cat").image.save("cat.jpg")
    Path("labels.txt").write_text("cat\ndog\nhamster\n")
    torch.manual_seed(1)
    torch.save(importlib.import_module("my_net").PetNet().state_dict(), "my_net.pth")
    yield tmp_path
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)


def test_the_page_has_the_files_and_commands_that_are_run_here() -> None:
    assert set(FILES) == {"my_net.py", "gated.py"}
    assert [command.split()[1] for command in COMMANDS].count("trace") == 4
    assert (len(COMMANDS), len(SCRIPTS)) == (8, 3)


@pytest.mark.parametrize("command", [command for command in COMMANDS if " explore " not in command])
def test_a_command_of_the_page_does_what_it_says(folder: Path, command: str) -> None:
    arguments = shlex.split(command)[1:]
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    if "-o" in arguments:
        circuit = Circuit.from_json(arguments[arguments.index("-o") + 1])
        assert len(circuit.nodes) > 5
        for node in circuit.nodes.values():
            if node.books is not None:
                books = node.books
                assert books.shown + books.rest + books.bias == pytest.approx(books.value, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_snippet_of_the_page_runs(folder: Path, script: str) -> None:
    exec(compile(script, "snippet", "exec"), {})


def test_a_strangers_network_has_the_layers_that_a_person_would_list(folder: Path) -> None:
    network = load_network("my_net.py:PetNet", size=32)
    assert network.layers == ("conv1", "conv2", "block", "block_1", "fc1", "fc2")
    assert network.piecewise_linear


def test_a_strangers_predictions_are_those_of_the_module_itself(folder: Path) -> None:
    network = load_network("my_net.py:PetNet", weights="my_net.pth", labels="labels.txt", size=32)
    module = importlib.import_module("my_net").PetNet()
    module.load_state_dict(torch.load("my_net.pth", weights_only=True))
    photo = load_photo("cat.jpg")
    with torch.no_grad():
        own = module.eval()(network.preprocessing.input_of(photo))[0].exp()
    told = {row.label: row.probability for row in circuits.predict(network, photo)}
    for label, probability in zip(("cat", "dog", "hamster"), own.tolist(), strict=True):
        assert told[label] == pytest.approx(probability, abs=1e-5)


def test_a_strangers_network_goes_from_its_file_to_a_circuit_on_the_page(folder: Path) -> None:
    network = load_network("my_net.py:PetNet", weights="my_net.pth", labels="labels.txt", size=32)
    page = create_page(PageSettings(network, photo=load_photo("cat.jpg")))
    try:
        person = Person(page)
        person.do("open")
        assert len(person.seen["predictions"]) == 3
        person.why("1")
        assert person.nodes["fc2:1"]["root"]
        assert {name.partition(":")[0] for name in person.nodes} >= {"fc2", "fc1", "block_1"}
        _, file = person.export()
        assert file["graph"]["target"]["label"] == "dog"
        page.callbacks.work.workers.close()
    finally:
        page.close()


class Gate(nn.Module):
    """Asks for a value, and overwrites what it is given, in the plain layout only."""

    def forward(self, x: Tensor) -> Tensor:
        """Twice x, where its mean is positive."""
        if x.mean() > 0:
            x.view(-1).mul_(2)
        return x


class Gated(nn.Module):
    """Two convolutions, the gate, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Conv2d(3, 4, 3, padding=1)
        self.gates = nn.ModuleDict({"first": Gate()})
        self.middle = nn.Conv2d(4, 4, 3, padding=1)
        self.high = nn.Linear(256, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.high(self.gates["first"](self.middle(self.low(x).relu())).flatten(1))


def test_the_error_names_the_line_and_the_module_to_trace_as_a_whole() -> None:
    line = Gate.forward.__code__.co_firstlineno + 2
    expected = (
        rf"^torch\.fx cannot trace Gated, which is stopped by line {line} of test_own_network\.py, "
        r"`if x\.mean\(\) > 0:`: .*control flow; write it differently, or trace gates\.first as a whole, with "
        r"leaf_modules=\['gates\.first'\] \(--leaf gates\.first\)\.$"
    )
    with pytest.raises(InputError, match=expected):
        prepare(Gated(), **GREY)


def test_the_page_quotes_the_error_as_it_is(folder: Path) -> None:
    with pytest.raises(InputError) as refused:
        load_network("gated.py:gated", size=32)
    assert f"Error: {refused.value}" in " ".join(PAGE.split())


def test_a_module_traced_as_a_whole_gives_the_same_outputs_and_a_remainder() -> None:
    module = Gated()
    network = prepare(module, leaf_modules=["gates.first"], **GREY)
    assert network.layers == ("low", "gates.first", "high")
    assert [layer.piecewise_linear for layer in network.layer_list] == [True, False, True]
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(network.logits(image), module(image.clone()))
    circuit = circuits.trace(network, "example:cat", 0, depth=2, top=2)
    upper = circuit.edges_into(circuit.root)[0].source
    books = circuit.node(upper).books
    assert books is not None
    assert books.bias_name == "remainder"


def test_a_module_traced_as_a_whole_may_overwrite_what_another_reader_meant_and_is_then_refused() -> None:
    class Torn(Gated):
        def forward(self, x: Tensor) -> Tensor:
            low = self.low(x).relu()
            return self.high(self.gates["first"](low).flatten(1)) + low.sum((1, 2, 3))[:, None]

    with pytest.raises(InputError, match=r"^Preparing Torn changed its output by .* in-place operations"):
        prepare(Torn(), leaf_modules=["gates.first"], **GREY)


def test_a_leaf_module_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UnknownError, match=r"^Gated has no module 'first' .*; it has gates\.first\.$"):
        prepare(Gated(), leaf_modules=["first"], **GREY)


def headed(*head: nn.Module, classes: int = 3) -> nn.Sequential:
    """A tiny network with a head."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, classes), *head)


def probabilities(network: Network) -> list[float]:
    rows = circuits.predict(network, load_photo("example:cat"))
    return [row.probability for row in sorted(rows, key=lambda row: row.index)]


def output(module: nn.Module, network: Network) -> Tensor:
    with torch.no_grad():
        return module(network.preprocessing.input_of(load_photo("example:cat")))[0]


@pytest.mark.parametrize("head", [nn.Softmax(dim=1), nn.LogSoftmax(dim=-1)])
def test_of_a_softmax_at_the_end_the_logits_are_explained_and_the_predictions_kept(head: nn.Module) -> None:
    module = headed(head)
    network = prepare(module, **GREY)
    assert (network.layers, network.multi_label, network.piecewise_linear) == (("1", "3"), False, True)
    own = output(module, network)
    expected = own.exp() if isinstance(head, nn.LogSoftmax) else own
    assert probabilities(network) == pytest.approx(expected.tolist(), abs=1e-6)


def test_of_a_sigmoid_at_the_end_each_class_is_judged_on_its_own() -> None:
    module = headed(nn.Sigmoid())
    network = prepare(module, **GREY)
    assert network.multi_label
    assert network.layers == ("1", "3")
    assert probabilities(network) == pytest.approx(output(module, network).tolist(), abs=1e-6)


def test_a_multi_label_network_says_so_in_the_file_the_html_and_on_the_page() -> None:
    network = prepare(headed(), multi_label=True, labels=["furry", "striped", "outdoors"], **GREY)
    logits = output(headed(), network)
    assert probabilities(network) == pytest.approx(logits.sigmoid().tolist(), abs=1e-6)
    circuit = circuits.trace(network, "example:cat", "striped", depth=1)
    assert circuit.to_dict()["graph"]["network"]["multi_label"] is True
    assert Circuit.from_dict(circuit.to_dict()) == circuit
    assert "<caption>Each class judged on its own</caption>" in circuits.to_html(circuit)
    outcome = circuits.intervene(network, circuit, {"1:0": 0}, classes=[1])
    told = {effect.label: effect.before.probability for effect in outcome.effects}
    assert told["striped"] == pytest.approx(float(logits[1].sigmoid()), abs=1e-6)


def test_a_network_of_one_class_each_says_nothing_of_many_labels() -> None:
    circuit = circuits.trace(prepare(headed(), **GREY), "example:cat", 0, depth=1)
    assert "multi_label" not in circuit.to_dict()["graph"]["network"]
    assert "<caption>" not in circuits.to_html(circuit)


def test_a_network_with_one_output_is_judged_by_its_sigmoid() -> None:
    network = prepare(headed(classes=1), labels=["cat"], **GREY)
    assert probabilities(network) == pytest.approx([float(output(headed(classes=1), network).sigmoid())], abs=1e-6)


def test_a_two_class_network_and_a_wide_grey_one_are_traced() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 14, 2))
    network = prepare(module, size=(8, 16), labels=["cat", "dog"])
    assert network.preprocessing.mean == (0.449,)
    circuit = circuits.trace(network, "example:cat", "cat - dog", depth=1)
    assert circuit.to_dict()["graph"]["photo"]["input"] == [1, 8, 16]
    books = circuit.node(circuit.root).books
    assert books is not None
    assert books.shown + books.rest + books.bias == pytest.approx(books.value, rel=1e-5)


class Backbone(nn.Module):
    """Two maps in a dictionary, as the backbones of torchvision's detectors have them."""

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Both maps."""
        low = self.low(x).relu()
        return {"0": low, "1": self.high(low).relu()}


@pytest.fixture
def backbone() -> Network:
    torch.manual_seed(5)
    return prepare(Backbone(), **GREY)


def test_a_backbone_has_no_classes_and_is_explained_by_the_unit_that_fires_most(backbone: Network) -> None:
    assert (backbone.layers, backbone.labels) == (("low", "high"), ())
    assert circuits.predict(backbone, load_photo("example:cat")) == ()
    circuit = circuits.trace(backbone, "example:cat", depth=1, top=2)
    image = backbone.preprocessing.input_of(load_photo("example:cat"))
    sums = backbone.activations(image)["high"].sum((0, 2, 3))
    assert circuit.root == f"high:{int(sums.argmax())}"
    assert circuit.target["kind"] == "unit"
    assert circuit.target["value"] == pytest.approx(float(sums.max()), rel=1e-5)
    assert Circuit.from_dict(json.loads(circuit.to_json_text())).predictions == ()


def test_a_backbone_has_any_unit_as_a_root_and_no_class(backbone: Network) -> None:
    assert circuits.trace(backbone, "example:cat", "high:3@1,2", depth=1).target["kind"] == "neuron"
    with pytest.raises(
        UnknownError, match=r"^Backbone has no classes, so none is 'cat'; name a unit, such as high:0\.$"
    ):
        circuits.trace(backbone, "example:cat", "cat")
    with pytest.raises(InputError, match=r"^high:1 is at the very top, which nothing depends on"):
        circuits.intervene(backbone, load_photo("example:cat"), {"high:1": 0})
    assert circuits.intervene(backbone, load_photo("example:cat"), {"low:1": 0}).effects == ()


def test_a_backbone_on_the_page_asks_for_a_unit(
    backbone: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    page = create_page(PageSettings(backbone))
    try:
        person = Person(page)
        person.do("open")
        assert "This network names no classes." in str(person.seen["predictions"])
        assert "See all units" in str(person.seen["invitation"])
        person.do("page", "layers")
        assert person.seen["wall"]["layer"] == "high"
        assert person.seen["wall"]["classes"] == []
        person.why("high:2")
        assert person.nodes["high:2"]["root"]
    finally:
        page.close()


def test_outputs_that_are_no_classes_can_be_said_to_be_none() -> None:
    network = prepare(headed(), labels=[], **GREY)
    assert network.labels == ()
    assert circuits.trace(network, "example:cat", "3:1", depth=1).target["label"] == "3:1"


def test_outputs_that_are_neither_logits_nor_maps_are_refused() -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(2)

    expected = (
        r"^The network's output is \(1, 3, 64\): neither logits, .* the part of it that does, such as a? ?.*backbone"
    )
    with pytest.raises(InputError, match=expected):
        prepare(Odd(), **GREY)


def test_a_detector_is_refused_and_its_backbone_named() -> None:
    class Heads(nn.Module):
        """Boxes and scores at every position, as a detector has them."""

        def __init__(self) -> None:
            super().__init__()
            self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())
            self.boxes, self.scores = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 2, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            maps = self.backbone(x)
            return self.boxes(maps).flatten(2).mT, self.scores(maps).flatten(2).mT

    class Detector(Heads):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return super().forward(torch.stack([image / 2 for image in x]))

    expected = r"^The network's output is \(1, \d+, 4\) and \(1, \d+, 2\): neither logits, .* such as the backbone"
    for detector in (Heads(), Detector()):
        with pytest.raises(InputError, match=expected):
            prepare(detector, **GREY)
    assert prepare(Detector().backbone, labels=[], **GREY).layers == ("1", "3")
