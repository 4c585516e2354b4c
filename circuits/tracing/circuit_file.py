"""The circuit file, `circuits/2`: JSON with a schema, and GraphML. Numbers are finite float32, written in full."""

import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from circuits.attribution.decomposition import CLOSING
from circuits.errors import InputError, printable
from circuits.files import each_key_once, versions
from circuits.naming.annotations import tidied
from circuits.network.predict import Prediction
from circuits.tracing import named_sets
from circuits.tracing.consistency import check_consistent
from circuits.tracing.edge import MEASURED
from circuits.tracing.facts import CollectionInfo, NetworkInfo, PhotoInfo, TargetInfo, TraceSettings

if TYPE_CHECKING:
    from circuits.tracing.circuit import Circuit


FORMATS = ("circuits/1", "circuits/2")
"""The second has groups of channels, budgets, named sets, collections and means; else the first is written."""
MOST_BYTES = 64 * 2**20
_MOST_PARTS = 1_000_000
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_BOOKS = ("shown", "rest", "residual", *CLOSING, "coverage", "gross")
_AGREEMENT = ("spearman", "joint", "error")
_FLOATS = frozenset(
    {*_BOOKS, *MEASURED, *_AGREEMENT, "error", "consistency", "value", "max", "attribution", "logit", "probability"}
)
_LARGEST = float(np.finfo(np.float32).max)
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of the file."""
    loaded: dict[str, Any] = json.loads(files(__package__).joinpath("circuit.schema.json").read_text("utf-8"))
    return loaded


def number(value: float) -> float:
    """A finite float32, which is how the file writes every measured number.

    Raises:
        ValueError: if it is not finite: a number that cannot be written means that the computation failed.

    Example:
        >>> number(0.1)
        0.10000000149011612
    """
    rounded = float(np.float32(value))
    if not math.isfinite(rounded):
        raise ValueError(f"A circuit holds finite numbers only, but one is {value}.")
    return rounded


def to_dict(circuit: "Circuit") -> dict[str, Any]:
    """The contents of the file for a circuit."""
    graph = circuit.graph
    nodes = []
    for name, data in graph.nodes(data=True):
        row, books = {"id": name, **data}, circuit.nodes[name].books
        if books is not None:
            keys = ("shown", "rest", "residual", "coverage")
            row |= {key: number(getattr(books, key)) for key in keys if key in data}
        nodes.append(row)
    edges = [{"source": source, "target": target, **data} for source, target, data in graph.edges(data=True)]
    return {
        "format": format_of(graph.graph), "directed": True, "multigraph": False,
        "graph": _attributes(graph), "nodes": nodes, "edges": edges,
    }  # fmt: skip


def format_of(facts: Mapping[str, Any]) -> str:
    """The oldest format that can hold a circuit, by the attributes of its graph."""
    newer = {"dictionaries", "named_sets", "collection", "means"} & set(facts)
    return FORMATS[bool(newer or {"units", "share"} & set(facts["settings"]))]


def _attributes(graph: nx.DiGraph) -> dict[str, Any]:
    found, sets = dict(graph.graph), named_sets.rows(graph)
    found.pop(named_sets.KEY, None)
    return found | {named_sets.KEY: sets} if sets else found


def attributes(
    network: NetworkInfo,
    photo: PhotoInfo | CollectionInfo,
    predictions: Sequence[Prediction],
    target: TargetInfo,
    settings: TraceSettings,
) -> dict[str, Any]:
    """What the file says beside the units, as attributes of the graph."""
    return {
        "network": dict(network), "collection" if isinstance(photo, CollectionInfo) else "photo": dict(photo),
        "predictions": [
            {"class": row.index, "label": row.label, "logit": number(row.logit), "probability": number(row.probability)}
            for row in predictions
        ],
        "target": dict(target), "settings": dict(settings),
        "versions": versions("torch"),
    }  # fmt: skip


def to_text(data: dict[str, Any]) -> str:
    """JSON text, the same for the same circuit."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def from_text(text: str) -> object:
    """Parse JSON text; refused if it is something else, holds NaN or infinity, or is too large to be a circuit."""
    if len(text) > MOST_BYTES:
        raise InputError(f"The file has {len(text) >> 20} MiB; a circuit has at most {MOST_BYTES >> 20} MiB.")
    # Two million empty lists are 6 MB of text and 150 of memory.
    parts = text.count("{") + text.count("[")
    if parts > _MOST_PARTS:
        raise InputError(f"The file has {parts} lists and objects in it; a circuit has at most {_MOST_PARTS}.")
    try:
        data: object = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse, object_pairs_hook=each_key_once)
        if _HALF.search(text):
            json.dumps(data, ensure_ascii=False).encode()  # half a character could not be written again
    except InputError:
        raise
    except UnicodeEncodeError:
        raise InputError(
            "The file holds half of a character (a lone surrogate, such as \\ud800), which could not be written again; "
            "remove it."
        ) from None
    except RecursionError:
        raise InputError(
            "This is not JSON of a circuit: it is nested too deeply; export one with `circuits trace -o`."
        ) from None
    except ValueError as error:
        raise InputError("This is not JSON, so it is no circuit; export one with `circuits trace -o`.") from error
    return data


def _refuse(constant: str) -> float:
    raise InputError(f"The file holds {constant}, but a circuit holds finite numbers only.")


def to_graph(data: object) -> nx.DiGraph:
    """The graph of a file's contents, validated; an error says where and why it is not a circuit of this format."""
    if not isinstance(data, dict) or "format" not in data:
        raise InputError(f"This is no circuit: it has no `format`; a circuit says {' or '.join(map(repr, FORMATS))}.")
    if data["format"] not in FORMATS:
        known = " and ".join(map(repr, FORMATS))
        raise InputError(f"The circuit's format is {str(data['format'])[:40]!r}; this version reads {known}.")
    _validate(data)
    if data["format"] == FORMATS[0] and format_of(data["graph"]) != FORMATS[0]:
        raise InputError(f"The circuit says {FORMATS[0]!r} and has what only {FORMATS[1]!r} can hold; trace it again.")
    graph = nx.DiGraph(**data["graph"])
    graph.graph["target"] = _measured(graph.graph["target"])
    graph.graph["predictions"] = [_measured(row) for row in graph.graph["predictions"]]
    if "dictionaries" in graph.graph:
        rows = graph.graph["dictionaries"].items()
        graph.graph["dictionaries"] = {layer: {**row, "channels": int(row["channels"])} for layer, row in rows}
    for row in map(_measured, data["nodes"]):
        if row["id"] in graph:
            raise InputError(f"The circuit has two nodes {row['id']!r}; each id may stand once.")
        graph.add_node(row["id"], **_node(row))
    for row in map(_measured, data["edges"]):
        source, target = row["source"], row["target"]
        if graph.has_edge(source, target):
            raise InputError(f"The circuit has two edges {source} → {target}; there may be one.")
        missing = next((end for end in (source, target) if end not in graph), None)
        if missing is not None:
            raise InputError(f"The circuit has an edge to {missing!r}, which is not among its nodes.")
        graph.add_edge(source, target, **{key: value for key, value in row.items() if key not in ("source", "target")})
    check_consistent(graph)
    return graph


def _node(row: dict[str, Any]) -> dict[str, Any]:
    """What a node carries, its name and place as the library writes them."""
    data = {key: value for key, value in row.items() if key not in ("id", "name", "place")}
    if name := tidied(row.get("name", "")):
        data["name"] = name
    if "measured" in row:
        data["measured"] = [_measured(agreement) for agreement in row["measured"]]
    if "place" in row:
        data["place"] = [float(value) for value in row["place"]]
    return data


def _measured(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose measured numbers are floats, though another program wrote 32.0 as 32."""
    read = {key: _finite(key, value) if key in _FLOATS else value for key, value in row.items()}
    whole = {key: int(read[key]) for key in ("channel", "rank", "class", "photos") if key in read}
    return read | whole | ({"group": int(read["group"])} if read.get("group", "rest") != "rest" else {})


def _finite(key: str, value: float | int) -> float:
    try:
        read = float(value)
    except OverflowError:
        read = math.inf
    if not math.isfinite(read):
        raise InputError(f"The circuit holds {str(value)[:40]} at {key}, but it may hold finite numbers only.")
    if abs(read) > _LARGEST:
        raise InputError(f"The circuit holds {read:g} at {key}, but it may hold numbers up to 3.4e38 only.")
    return read


@cache
def _validator() -> Any:
    from jsonschema_rs import Draft202012Validator  # only files that are read need it

    return Draft202012Validator(schema())


def _validate(data: dict[str, Any]) -> None:
    """Refuse what the schema does not allow; what is too many is not looked at one by one."""
    from jsonschema_rs import ValidationError

    for key in ("nodes", "edges"):
        rows, most = data.get(key), schema()["properties"][key]["maxItems"]
        if isinstance(rows, list) and len(rows) > most:
            raise InputError(f"The circuit has {len(rows)} {key}; there may be {most} at most.")
    try:
        _validator().validate(data)
    except ValidationError as error:
        _check_finite(data, error.instance_path)
        where = "/".join(map(str, error.instance_path)) or "the top"
        # A message begins with the value, which may be long, and ends with the rule.
        said = error.message if len(error.message) <= 200 else f"{error.message[:80]} … {error.message[-100:]}"
        raise InputError(f"The circuit is not valid at {where}: {said}.") from None
    except ValueError as error:  # a value that no JSON text can have, in a dictionary of Python
        raise InputError(f"The circuit is not valid: {str(error)[:200]}.") from None
    for row in data["nodes"]:
        for value in row.get("place", ()):
            _finite("place", value)


def _check_finite(data: Any, path: Sequence[str | int]) -> None:
    """Refuse the value at a path if it is NaN or infinite, which the validator takes for nothing at all."""
    for step in path:
        data = data[step]
    if isinstance(data, float):
        _finite(next((str(step) for step in reversed(path) if isinstance(step, str)), "the top"), data)


def to_graphml(graph: nx.DiGraph) -> bytes:
    """GraphML of a graph; what is not a scalar is written as JSON text, pictures are left out."""
    flat = nx.DiGraph(**{key: json.dumps(value) for key, value in graph.graph.items()})
    names: dict[str, str] = {}
    for name, data in graph.nodes(data=True):
        names[name] = shown = printable(name)
        while names[name] in flat:  # two that differ only in what XML cannot hold
            names[name] = f"{shown} ({len(flat)})"
        flat.add_node(names[name], **{key: _scalar(value) for key, value in data.items() if key != "picture"})
    for source, target, data in graph.edges(data=True):
        flat.add_edge(names[source], names[target], **{key: _scalar(value) for key, value in data.items()})
    buffer = io.BytesIO()
    nx.write_graphml(flat, buffer)
    return buffer.getvalue()


def _scalar(value: object) -> object:
    if isinstance(value, str):
        return _NOT_IN_XML.sub("", value)
    return value if isinstance(value, (int, float, bool)) else json.dumps(value)


def without_books(row: dict[str, Any]) -> dict[str, Any]:
    """A node's attributes as they were before it was expanded."""
    return {**{key: value for key, value in row.items() if key not in (*_BOOKS, "measured")}, "expanded": False}
