"""Make docs/notebook.ipynb, the example notebook, and run it: `python docs/make_notebook.py`.

It needs the packages of the extra `docs`. `tests/test_notebooks.py` runs the same cells, and checks that the notebook
holds these and was run.
"""

import ast
from pathlib import Path
from typing import Any

CELLS: list[tuple[str, str]] = [
    (
        "markdown",
        "# Why is this a cat?\n\n"
        "Circuits in a notebook, on the network that ships with the package: no download, no GPU.",
    ),
    (
        "code",
        "import circuits\n\n"
        'network = circuits.load_network()\nphoto = circuits.load_photo("example:cat")\nnetwork.layers',
    ),
    ("code", "[(row.label, round(row.probability, 2)) for row in circuits.predict(network, photo, top=3)]"),
    (
        "markdown",
        "A circuit shows itself: the class, the channels that contributed most to it, and the channels below "
        "those. Choose a unit to read the decomposition of its value.",
    ),
    ("code", 'circuit = circuits.trace(network, photo, "cat", depth=2, top=3)\ncircuit'),
    (
        "markdown",
        "Any unit of it shows its value and how that is decomposed: *value = shown + rest + bias*.",
    ),
    ("code", "circuit.node(circuit.root)"),
    ("markdown", "What the strongest of the units below looks for:"),
    (
        "code",
        "strongest = circuit.edges_into(circuit.root)[0]\ncircuits.pictures(network, [strongest.source])[0]",
    ),
    (
        "markdown",
        "Is the network less sure of the cat without it? Ablate the unit, and predict again.",
    ),
    (
        "code",
        "outcome = circuits.intervene(network, photo, {strongest.source: 0})\n"
        "[(row.label, round(row.before.logit, 2), round(row.after.logit, 2)) for row in outcome.effects[:3]]",
    ),
    (
        "markdown",
        "The file is plain JSON, which networkx loads as it is. The strongest paths from the class downwards:",
    ),
    (
        "code",
        "import networkx as nx\n\n"
        'graph = nx.node_link_graph(circuit.to_dict(), edges="edges")\n'
        'graph.number_of_nodes(), max(graph.edges(data="attribution"), key=lambda edge: edge[2])[:2]',
    ),
    (
        "markdown",
        "And the page, in the background, to go on by hand. Closing it, or ending the notebook, stops it.",
    ),
    ("code", "page = circuits.explore(circuit, open_browser=False)\npage"),
    ("code", "page.close()\npage"),
]


def run_cell(source: str, names: dict[str, Any]) -> object:
    """Run a cell among the names of those before it; the value of its last line, if that is an expression."""
    parsed = ast.parse(source)
    last = parsed.body.pop() if isinstance(parsed.body[-1], ast.Expr) else None
    exec(compile(parsed, "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def main() -> None:
    """Make it and run it."""
    import nbformat
    from nbclient import NotebookClient

    v4 = nbformat.v4
    makers = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    cells = [makers[kind](source, id=f"cell-{number}") for number, (kind, source) in enumerate(CELLS)]
    notebook = v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=600, kernel_name="python3", record_timing=False).execute()
    notebook.metadata = {"language_info": {"name": "python"}}
    path = Path(__file__).with_name("notebook.ipynb")
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
