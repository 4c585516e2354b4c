"""Numbers, warnings, measurements and scores in words: the same in the terminal, in reports and in the explorer."""

import textwrap
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells

from circuits.numbers import chance as chance
from circuits.numbers import decimals as decimals
from circuits.numbers import number as number
from circuits.numbers import percent as percent
from circuits.numbers import share as share

if TYPE_CHECKING:
    from circuits.tracing.circuit import Circuit
    from circuits.units import Unit


ALONE = "each class judged on its own"
"""Said of the predictions of a multi-label network."""


ONE_AT_A_TIME = "run one photo at a time, since what it does depends on others in a batch"
"""Said of a network whose rows depend on each other."""


def network_and_source(name: str, source: str, output: str = "") -> str:
    """A network's name and where its weights come from, once where both are the same; and which output is explained.

    >>> network_and_source("googlenet", "random"), network_and_source("builtin", "builtin")
    ('googlenet (random)', 'builtin')
    >>> network_and_source("Heads", "as made", "output kind of 2 (colour, kind)")
    'Heads (as made), output kind of 2 (colour, kind),'
    """
    called = name if name == source else f"{name} ({source})"
    return f"{called}, {output}," if output else called


def predictions_heading(network: str, photo: str) -> str:
    """The heading of predictions.

    >>> predictions_heading("googlenet (random)", "cat.jpg")
    'Predictions of googlenet (random) for cat.jpg'
    """
    return f"Predictions of {network.removesuffix(',')} for {photo}"


def remark(*, multi_label: bool, one_at_a_time: bool) -> str:
    """What is said in brackets of how a network is run and its classes are judged.

    >>> remark(multi_label=True, one_at_a_time=False), remark(multi_label=False, one_at_a_time=False)
    (' (each class judged on its own)', '')
    """
    said = [text for text, is_so in ((ALONE, multi_label), (ONE_AT_A_TIME, one_at_a_time)) if is_so]
    return f" ({'; '.join(said)})" if said else ""


def cut(words: str, length: int) -> str:
    """A text of at most so many characters; an ellipsis stands for what is left out.

    >>> cut("Siamese cat", 8), cut("cat", 8)
    ('Siamese…', 'cat')
    """
    return words if len(words) <= length else words[: length - 1].rstrip() + "…"


def wrapped(words: str, cells: int) -> list[str]:
    """A text in lines of at most so many cells, of which a Chinese letter takes two; nothing of it is left out.

    >>> wrapped("Shetland sheepdog, Shetland", 16), wrapped("猫" * 9, 16)
    (['Shetland', 'sheepdog,', 'Shetland'], ['猫猫猫猫猫猫猫猫', '猫'])
    """
    if cell_len(words) == len(words):
        return textwrap.wrap(words, max(1, cells)) or [words]
    return chop_cells(words, max(2, cells))


AGAINST = " - "
"""Between the two classes of a difference."""


def question(circuit: "Circuit") -> str:
    """The question that a circuit answers."""
    return "".join(question_parts(circuit.target.kind, circuit.nodes[circuit.root].channel, circuit.target.label))


def question_parts(kind: str, unit: "Unit", label: str) -> tuple[str, ...]:
    """A question in parts, of which every second one is what it is about.

    Example:
        >>> from circuits.units import Unit
        >>> "".join(question_parts("class", Unit("fc", 284), "Siamese cat"))
        'Why Siamese cat?'
        >>> "".join(question_parts("difference", Unit("fc", 284), "Siamese cat - tabby"))
        'Why Siamese cat, not tabby?'
        >>> "".join(question_parts("neuron", Unit("conv4", 17, (3, 5)), "conv4:17@3,5"))
        'Why did conv4:17 fire at row 3, column 5?'
    """
    if kind == "difference":
        plus, _, minus = label.partition(AGAINST)
        return "Why ", plus, ", not ", minus, "?"
    if kind == "class":
        return "Why ", label, "?"
    if unit.position is None:
        return "Why did ", str(unit), " fire?"
    return "Why did ", str(unit.whole), f" fire {place_in_words(unit.layer, unit.position)}?"


def is_of_tokens(layer: str) -> bool:
    """Whether a layer is that of a transformer's tokens which are no patches, by its name; see `blocks.name_nodes`."""
    return layer.endswith(".cls")


def place_in_words(layer: str, position: tuple[int, int]) -> str:
    """Where in a layer something is: the tokens of a transformer that are no patches have no rows and columns.

    The first of these is called the class token, as it is in all networks that have one.

    Example:
        >>> place_in_words("conv4", (3, 5)), place_in_words("blocks.0.act.cls", (0, 0))
        ('at row 3, column 5', 'in the class token')
        >>> place_in_words("blocks.0.act.cls", (0, 2))
        'in extra token 2'
    """
    row, column = position
    if is_of_tokens(layer):
        return f"in extra token {column}" if column else "in the class token"
    return f"at row {row}, column {column}"


MODE_NAMES = {
    "sum": "gradient × activation",
    "target": "gradient × activation weighted by the target",
    "ig": "integrated gradients",
    "ablate": "ablation",
    "frozen": "gradient × activation with attention, norms and gates frozen",
}
"""The modes of attribution, as they are called."""


def method_in_words(circuit: "Circuit") -> str:
    """How the shares of a circuit were found.

    Example:
        >>> from circuits import load_network, mean_of_photos, trace
        >>> network = load_network()
        >>> mean = mean_of_photos(network, ["example:cat"], source="one cat")
        >>> method_in_words(trace(network, "example:cat", depth=1, mode="ig", baseline=mean))
        'integrated gradients, from the mean over one cat (1 photo)'
    """
    mode, start = MODE_NAMES[circuit.settings.mode], circuit.baseline
    return mode if start.name == "zero" else f"{mode}, from the mean over {start.source}"


def methods_differ(left: "Circuit", right: "Circuit") -> bool:
    """Whether the shares of two circuits cannot be compared: their modes differ, or what they are measured from."""
    return left.settings.mode != right.settings.mode or left.baseline.sha256 != right.baseline.sha256


def many(count: int, name: str, names: str = "") -> str:
    """How many there are, with their name, whose plural is given where it is no s more.

    Example:
        >>> many(1, "changed photo"), many(0, "changed photo"), many(10880, "class", "classes")
        ('1 changed photo', '0 changed photos', '10,880 classes')
    """
    return f"{count} {name}" if count == 1 else f"{count:,} {names or f'{name}s'}"


def size_in_words(count: int) -> str:
    """The size of a file or a folder.

    >>> size_in_words(0), size_in_words(512), size_in_words(33_400), size_in_words(2_612_000)
    ('0 bytes', '512 bytes', '33 kB', '2.6 MB')
    """
    if count < 1000:
        return many(count, "byte")
    return f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def units_in_words(circuit: "Circuit") -> str:
    """How many units a circuit shows, and beside them what it explains, which is no part of what was found.

    Example:
        >>> from circuits import load_network, trace
        >>> units_in_words(trace(load_network(), "example:cat", depth=1))
        '5 units and the class'
    """
    what = "class" if circuit.target.kind == "class" else "target"
    return f"{many(len(circuit.visible) - 1, 'unit')} and the {what}"


def short_label(label: str) -> str:
    """The first of a class's synonyms.

    >>> short_label("tench, Tinca tinca"), short_label(", comma")
    ('tench', ', comma')
    """
    return label.partition(",")[0].strip() or label


def value_name(kind: str) -> str:
    """What the value of a target of this kind is called."""
    return {"class": "logit", "difference": "difference of logits"}.get(kind, "activation")
