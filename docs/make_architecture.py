"""Write the picture of the floors in `docs/architecture.md`, from the import contract in `pyproject.toml`.

Run it with `python docs/make_architecture.py` when the contract changes.
"""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
_BLOCK = re.compile(r"(?<=<!-- floors -->\n).*?(?=<!-- end of the floors -->)", re.DOTALL)


def floors() -> list[list[str]]:
    """The modules of each floor, from the top down, as the contract lists them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["name"] == "imports go up the list only"]
    return [re.split(r" [:|] ", floor) for floor in layers]


def subject(module: str) -> str:
    """The first line of a module's or package's docstring."""
    path = ROOT / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n")[0]


def picture() -> str:
    """The floors as a table in Markdown, the top floor first."""
    rows = ["| floor | holds | subject |", "|---|---|---|"]
    for height, modules in zip(range(len(floors()), 0, -1), floors(), strict=True):
        for place, module in enumerate(modules):
            rows.append(f"| {height if place == 0 else ''} | `{module}` | {subject(module)} |")
    return "\n".join(rows) + "\n"


def with_picture(text: str) -> str:
    """The page with the floors as they are now."""
    return _BLOCK.sub(lambda _: picture(), text)


if __name__ == "__main__":
    PAGE.write_text(with_picture(PAGE.read_text("utf-8")), "utf-8")
