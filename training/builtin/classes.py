"""The classes of the built-in network: what a person calls a thing, merged from finer synsets.

ImageNet tells 120 breeds of dogs apart; people first of all see a dog (the basic level of Rosch 1976,
"Basic objects in natural categories"). Each class is one or more synsets of Tiny ImageNet.
"""

from collections.abc import Sequence

CLASSES: dict[str, tuple[str, ...]] = {
    "cat": ("tabby", "Persian cat", "Egyptian cat"),
    "dog": (
        "Chihuahua",
        "Yorkshire terrier",
        "golden retriever",
        "Labrador retriever",
        "German shepherd",
        "standard poodle",
    ),
    "lion": ("lion",),
    "cougar": ("cougar",),
    "bear": ("brown bear",),
    "red panda": ("lesser panda",),
    "koala": ("koala",),
    "ape": ("orangutan", "chimpanzee"),
    "monkey": ("baboon",),
    "elephant": ("African elephant",),
    "camel": ("Arabian camel",),
    "cow": ("ox", "bison"),
    "sheep": ("bighorn",),
    "antelope": ("gazelle",),
    "pig": ("hog",),
    "guinea pig": ("guinea pig",),
    "bird": ("goose", "black stork", "albatross"),
    "penguin": ("king penguin",),
    "goldfish": ("goldfish",),
    "frog": ("bullfrog", "tailed frog"),
    "salamander": ("European fire salamander",),
    "alligator": ("American alligator",),
    "snake": ("boa constrictor",),
    "snail": ("snail", "slug"),
    "lobster": ("American lobster", "spiny lobster"),
    "jellyfish": ("jellyfish",),
    "spider": ("black widow", "tarantula"),
    "scorpion": ("scorpion",),
    "ladybird": ("ladybug",),
    "fly": ("fly",),
    "bee": ("bee",),
    "grasshopper": ("grasshopper", "mantis", "walking stick"),
    "cockroach": ("cockroach",),
    "dragonfly": ("dragonfly",),
    "butterfly": ("monarch", "sulphur butterfly"),
    "car": ("beach wagon", "convertible", "limousine", "sports car"),
    "van": ("moving van", "police van"),
    "bus": ("school bus", "trolleybus"),
    "train": ("bullet train", "freight car"),
    "tractor": ("tractor",),
    "go-kart": ("go-kart",),
    "rickshaw": ("jinrikisha",),
    "boat": ("gondola", "lifeboat"),
    "bridge": ("suspension bridge",),
    "lighthouse": ("beacon",),
    "barn": ("barn",),
    "spider web": ("spider web",),
    "backpack": ("backpack",),
    "ball": ("basketball",),
    "binoculars": ("binoculars",),
    "chair": ("rocking chair",),
    "keyboard": ("computer keyboard",),
    "lamp": ("lampshade",),
    "refrigerator": ("refrigerator",),
    "sewing machine": ("sewing machine",),
    "sunglasses": ("sunglasses",),
    "teapot": ("teapot",),
    "teddy bear": ("teddy",),
    "umbrella": ("umbrella",),
    "banana": ("banana",),
    "lemon": ("lemon",),
    "orange": ("orange",),
    "pepper": ("bell pepper",),
    "mushroom": ("mushroom",),
    "pizza": ("pizza",),
    "pretzel": ("pretzel",),
    "ice cream": ("ice cream",),
    "coffee": ("espresso",),
}
"""Label to the names of its synsets; the order is the order of the logits."""

LABELS: tuple[str, ...] = tuple(CLASSES)

DROPPED: tuple[str, ...] = (
    "trilobite",
    "centipede",
    "brain coral",
    "sea cucumber",
    "sea slug",
    "dugong",
    "hourglass",
)
"""Synsets left out: few people would meet one, or have a word of their own for it."""


def merge(names: Sequence[str]) -> list[int]:
    """The class of each synset, or -1 for a synset that is left out.

    >>> merge(["tabby", "Egyptian cat", "dugong", "golden retriever"])
    [0, 0, -1, 1]

    Args:
        names: names of synsets, as Tiny ImageNet's first lemma.

    Returns:
        For each name an index into `LABELS`, or -1.

    Raises:
        LookupError: if a name is neither in a class nor among the dropped.
    """
    known = {name: index for index, members in enumerate(CLASSES.values()) for name in members}
    known |= dict.fromkeys(DROPPED, -1)
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise LookupError(f"No class has the synset {unknown[0]!r}; add it to CLASSES or to DROPPED.")
    return [known[name] for name in names]
