"""Which of several outputs is explained: the one that is asked for, or that is most likely meant; and it is said."""

import json
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

import circuits
from circuits.errors import InputError, UnknownError
from circuits.network.loading import load_network
from circuits.network.network import Network
from circuits.network.prepare import prepare
from dashboard.features.network.view import named
from tests.support.body import Body, photos
from tests.support.commandline import refusal, run
from tests.support.nets import ready


class Several(Body):
    """With an embedding, another head, and the maps, each time put together differently."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.embed, self.other, self.classes = nn.Linear(7, 4), nn.Linear(7, 3), nn.Linear(4, 5)

    def forward(self, x):
        maps = self.maps(x)
        pooled = maps.mean((2, 3))
        return self.put(maps, pooled, self.embed(pooled), self.fc(pooled), self.other(pooled))

    def put(self, maps, pooled, embedding, logits, other):
        raise NotImplementedError


@dataclass
class Answer:
    hidden: Tensor
    logits: Tensor
    loss: Tensor | None = None
    steps: int = 3


Pair = namedtuple("Pair", ["features", "out"])


class FeaturesFirst(Several):
    def put(self, maps, pooled, embedding, logits, other):
        return F.normalize(embedding), self.classes(embedding)


class PooledFirst(Several):
    def put(self, maps, pooled, embedding, logits, other):
        return pooled, logits


class OnTheWay(Several):
    def put(self, maps, pooled, embedding, logits, other):
        return embedding, self.classes(embedding)


class Named(Several):
    def put(self, maps, pooled, embedding, logits, other):
        return {"other": other, "pooled": pooled, "logits": logits}


class Out(Several):
    def put(self, maps, pooled, embedding, logits, other):
        return Pair(other, logits)


class Data(Several):
    def put(self, maps, pooled, embedding, logits, other):
        return Answer(pooled, logits)


class Nested(Several):
    def put(self, maps, pooled, embedding, logits, other):
        return {"aux": [other, other * 2], "main": {"out": logits, "maps": maps}}


class Heads(Several):
    def put(self, maps, pooled, embedding, logits, other):
        return {"colour": other, "kind": logits}


def made(kind: type[Several], **options) -> Network:
    return prepare(kind(), size=8, mean=(0.5,) * 3, std=(0.25,) * 3, **options)


@pytest.mark.parametrize(
    ("kind", "name", "place", "names"),
    [
        (FeaturesFirst, "1", 1, ("0", "1")),
        (PooledFirst, "1", 1, ("0", "1")),
        (OnTheWay, "1", 1, ("0", "1")),
        (Named, "logits", 2, ("other", "pooled", "logits")),
        (Out, "out", 1, ("features", "out")),
        (Data, "logits", 1, ("hidden", "logits")),
        (Nested, "main.out", 2, ("aux.0", "aux.1", "main.out", "main.maps")),
        (Heads, "colour", 0, ("colour", "kind")),
        (Body, "0", 0, ("0",)),
    ],
)
def test_the_likeliest_output_is_explained_and_named(kind, name, place, names):
    network = made(kind)
    assert (network.output.name, network.output.place, network.output.names) == (name, place, names)
    outputs = kind().eval()(photos())
    expected = {
        FeaturesFirst: lambda: outputs[1], PooledFirst: lambda: outputs[1], OnTheWay: lambda: outputs[1],
        Named: lambda: outputs["logits"], Out: lambda: outputs.out, Data: lambda: outputs.logits,
        Nested: lambda: outputs["main"]["out"], Heads: lambda: outputs["colour"], Body: lambda: outputs,
    }[kind]()  # fmt: skip
    torch.testing.assert_close(network.logits(photos()), expected)


def test_the_number_of_labels_decides_between_heads():
    assert made(Heads, labels=list("abcde")).output.name == "kind"
    assert made(Heads, labels=list("abc")).output.name == "colour"
    assert made(Named, labels=list("abc"), output="other").output.name == "other"


@pytest.mark.parametrize(("wanted", "name"), [("kind", "kind"), (1, "kind"), ("1", "kind"), (0, "colour")])
def test_an_output_is_chosen_by_its_name_or_number(wanted, name):
    network = made(Heads, output=wanted)
    assert network.output.name == name
    torch.testing.assert_close(network.logits(photos()), Heads().eval()(photos())[name])


def test_maps_may_be_chosen_where_there_are_logits():
    network = made(Nested, output="main.maps")
    assert (network.layers[-1], network.labels) == ("relu_1", ())


@pytest.mark.parametrize("wanted", ["nothing", "2", 2, "-1", "9" * 30])
def test_an_output_that_does_not_exist_is_refused_with_those_that_do(wanted):
    with pytest.raises(UnknownError, match=rf"^Heads has no output '{wanted}'; it has 0 colour, 1 kind\.$"):
        made(Heads, output=wanted)
    with pytest.raises(UnknownError, match=r"^PooledFirst has no output 'x'; it has 0, 1\.$"):
        made(PooledFirst, output="x")


def test_the_builtin_network_has_one_output():
    with pytest.raises(InputError, match="give none of them"):
        load_network(output=0)


@pytest.fixture
def heads(tmp_path):
    path = tmp_path / "net.py"
    path.write_text("from tests.network.test_outputs import Heads\n")
    return [f"{path}:Heads", "--size", "8"]


def test_every_command_says_which_output_it_explains(heads, tmp_path):
    said = "Predictions of Heads (as made), output kind of 2 (colour, kind) for cat:"
    assert said in run("predict", "example:cat", "--network", *heads, "--output", "kind").stdout
    told = json.loads(run("predict", "example:cat", "--json", "--network", *heads, "--output", "1").stdout)
    assert told["output"] == {"name": "kind", "index": 1, "names": ["colour", "kind"]}
    assert "Heads, output colour of 2 (colour, kind), from the logits down" in run("layers", *heads).stdout
    file = tmp_path / "circuit.json"
    traced = run("trace", "example:cat", "--network", *heads, "--network-output", "kind", "--depth", "1", "-o", file)
    assert said in traced.stdout
    circuit = circuits.Circuit.from_json(file)
    assert (circuit.network.output, circuit.network.outputs) == ("kind", ("colour", "kind"))
    assert "output kind of 2 (colour, kind)" in circuits.to_html(circuit)
    assert refusal(run("predict", "example:cat", "--network", *heads, "--output", "size")).endswith("1 kind.")


def test_a_network_of_one_output_says_nothing_of_it():
    circuit = circuits.trace(made(Body), "example:cat", depth=1)
    assert not {"output", "outputs"} & set(circuit.to_dict()["graph"]["network"])


def test_the_page_says_which_output_it_explains():
    library = SimpleNamespace(network=made(Heads, output="kind"), name="Heads")
    assert "Heads · output kind of 2 (colour, kind) · " in str(named(library, ["Heads"], ["Heads"], ""))


def test_a_network_that_is_there_takes_no_other_output():
    with pytest.raises(InputError, match=r"^The network has an output already; give output= to load_network or prep"):
        circuits.explore(made(Heads), output=1, open_browser=False)


def test_what_is_no_score_of_each_class_is_refused_and_several_values_are_several_outputs() -> None:
    class Ends(Body):
        def __init__(self, end: Callable[[Tensor], object]) -> None:
            super().__init__()
            self.end = end

        def forward(self, x: Tensor) -> object:
            return self.end(super().forward(x))

    for refused, why in (
        (lambda logits: logits.argmax(1), "puts out whole numbers"),
        (lambda logits: logits > 0, "puts out whole numbers"),
        (lambda logits: logits.softmax(1).topk(3), "puts out its largest numbers alone"),
        (lambda logits: logits.max(1).values, "puts out its largest numbers alone"),
    ):
        with pytest.raises(InputError, match=why):
            ready(Ends(refused))
    several = Ends(lambda logits: (logits.argmax(1), {"two": logits[:, :2].split(1, 1), "all": logits}))
    assert ready(several).output.names == ("0", "1.two.0", "1.two.1", "1.all")
