"""CLIP and SigLIP with words as classes: small models with random weights, saved to a folder and loaded from there."""

import shutil
from pathlib import Path

import pytest
import torch
import transformers

import circuits
from circuits import InputError, load_network, load_photo, predict
from circuits.attribution.gradient import Readout
from circuits.attribution.modes import attribute, is_exact
from circuits.network.network import Network
from circuits.network.words import as_words
from tests.support.commandline import run
from tests.support.dual_encoders import KINDS, saved
from tests.support.transformers_models import SMALL, made
from tests.support.zoo_checks import double

WORDS = ("a photo of a cat", "a painting of a dog", "a cup")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each kind."""
    where = {kind: tmp_path_factory.mktemp("models") / kind.lower() for kind in KINDS}
    for kind, folder in where.items():
        saved(folder, kind)
    return where


@pytest.fixture(scope="module")
def clip(folders: dict[str, Path]) -> Network:
    return load_network(f"hfmodel:{folders['CLIP']}", words=WORDS)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_that_the_model_gives_photo_and_words_together(kind: str, folders: dict[str, Path]) -> None:
    folder = folders[kind]
    network = load_network(f"hfmodel:{folder}", words=WORDS)
    assert (network.name, network.labels) == (f"hfmodel:{kind.lower()}", WORDS)
    assert network.source == "folder, words: a photo of a cat; a painting of a dog; a cup"
    image = network.preprocessing.input_of(load_photo("example:cat"))
    model = transformers.AutoModelForZeroShotImageClassification.from_pretrained(folder).eval()
    padding = {"padding": "max_length"} if kind == "SigLIP" else {"padding": True}
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(list(WORDS), return_tensors="pt", **padding)
    with torch.no_grad():
        expected = model(**tokens, pixel_values=image).logits_per_image[0]
    torch.testing.assert_close(network.logits(image)[0], expected, rtol=1e-4, atol=1e-4)
    assert network.multi_label == (kind == "SigLIP")
    chances = expected.sigmoid() if kind == "SigLIP" else expected.softmax(-1)
    found = {each.label: each.probability for each in predict(network, "example:cat")}
    assert found == pytest.approx(dict(zip(WORDS, chances.tolist(), strict=True)), abs=1e-4)


def test_words_are_classes_above_the_hidden_units_and_make_another_network(
    clip: Network, folders: dict[str, Path]
) -> None:
    hidden = [f"vision_model.encoder.layers.{n}.mlp.activation_fn{kind}" for n in (0, 1) for kind in ("", ".cls")]
    assert clip.layers == ("vision_model.embeddings.patch_embedding", *hidden, "words")
    assert clip.layers_below("words") == clip.layers[:-1]
    again = load_network(f"hfmodel:{folders['CLIP']}", words="a photo  of a cat; a painting of a dog; a cup;")
    fewer = load_network(f"hfmodel:{folders['CLIP']}", words=WORDS[:2], labels=["cat", "dog"])
    assert (again.sha256, again.source) == (clip.sha256, clip.source)
    assert (fewer.sha256 == clip.sha256, fewer.labels) == (False, ("cat", "dog"))
    circuit = circuits.trace(clip, "example:cat", "a painting of a dog", depth=1, top=3)
    assert (circuit.root, circuit.target.label) == ("words:1", "a painting of a dog")
    assert len(circuit.edges_into("words:1")) == 3


def test_a_cosine_has_no_share_along_the_embedding_unless_its_length_is_held(
    clip: Network, folders: dict[str, Path]
) -> None:
    network = load_network(f"hfmodel:{folders['CLIP']}", words=WORDS, layers=["visual_projection", "words"])
    double(network.traced)
    image = network.preprocessing.input_of(load_photo("example:cat")).double()
    found = network.activations(image)
    embedding, value = found["visual_projection"], float(found["words"][0, 1])
    weight = next(w for name, w in network.traced.named_parameters() if name == "words.weight")
    segment, readout = network.segment("visual_projection", "words"), [Readout.of_unit(1)]
    [live] = attribute("sum", segment, embedding, readout)
    [held] = attribute("frozen", segment, embedding, readout)
    direction = embedding.flatten() / embedding.norm()
    torch.testing.assert_close(held, direction * weight[1])
    torch.testing.assert_close(live, direction * (weight[1] - value * direction))
    assert (float(held.sum()), float(live.sum())) == (pytest.approx(value), pytest.approx(0, abs=1e-9))
    assert [is_exact(mode, segment) for mode in ("sum", "frozen")] == [False, True]
    assert weight.norm(dim=1).tolist() == pytest.approx([torch.tensor(3.0).exp().item()] * 3)  # the model's own scale


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (None, r"compares photos with words and has no classes of its own; give some: --words 'a photo of a cat; a p"),
        ("a cat; ; a dog", r"^One of the words is empty; give the texts that are to be classes with semicolons betwe"),
        ([], r"^One of the words is empty; give"),
        ("a cat;a  cat", r"^a cat is given twice among the words; each is a class of its own\.$"),
        ("a cat", r"tells words apart by comparing them with each other; give at least two, such as 'a cat; a photo'"),
        ("a cat; " + 11 * "a ", r"^The text 'a a a a a a a a a a a' makes 13 tokens, and hfmodel:\S+ reads 12 at most"),
        (
            "a cat; A Cat; a cup",
            r"^The texts 'a cat' and 'A Cat' are the same to hfmodel:\S+, whose tokenizer does not ",
        ),
        (
            "a yak; a cat; a gnu",
            r"^The texts 'a yak' and 'a gnu' are the same to hfmodel:\S+, whose tokenizer does not ",
        ),
        ("a cat; !!!", r"^The text '!!!' has nothing in it that hfmodel:\S+ reads, so it is no class; use words"),
    ],
)
def test_words_that_cannot_be_classes_are_refused(words: str | None, said: str, folders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=said):
        load_network(f"hfmodel:{folders['CLIP']}", words=words)


def test_words_are_texts() -> None:
    with pytest.raises(InputError, match=r"^words must be texts; give a list of them, or one text with semicolons b"):
        as_words(["a cat", 3])


def test_one_text_is_enough_where_each_is_judged_on_its_own(folders: dict[str, Path]) -> None:
    network = load_network(f"hfmodel:{folders['SigLIP']}", words="a cat")
    assert (network.labels, network.multi_label) == (("a cat",), True)


def test_networks_without_words_say_so(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^resnet18 brings its own classes; words are those of a CLIP or SigLIP mod"):
        load_network("resnet18", words=WORDS)
    with pytest.raises(InputError, match=r"^timm:vit_base_patch16_clip_224 is the side of a CLIP model that sees "):
        load_network("timm:vit_base_patch16_clip_224", words=WORDS)
    made(SMALL["ResNet"]()).save_pretrained(tmp_path / "resnet")
    with pytest.raises(InputError, match=r"is of the kind 'resnet', whose classes are no words; leave them out, or"):
        load_network(f"hfmodel:{tmp_path / 'resnet'}", words=WORDS)
    shutil.copytree(folders["CLIP"], tmp_path / "clip")
    for file in (tmp_path / "clip").glob("tokenizer*"):
        file.unlink()
    with pytest.raises(InputError, match=r"has no tokenizer, so that words cannot be read; a folder needs its "):
        load_network(f"hfmodel:{tmp_path / 'clip'}", words=WORDS)


def test_the_command_line_takes_words(folders: dict[str, Path]) -> None:
    options = ("--network", f"hfmodel:{folders['CLIP']}", "--words", "a cat; a dog")
    result = run("predict", "example:cat", *options)
    assert result.exit_code == 0, result.stderr
    assert "Predictions of hfmodel:clip (folder, words: a cat; a dog) for cat:" in result.stdout
    refused = run("predict", "example:cat", "--words", "a cat; a dog")
    assert refused.exit_code == 2
    assert "builtin brings its own classes; words are those of a CLIP or SigLIP model" in refused.stderr
