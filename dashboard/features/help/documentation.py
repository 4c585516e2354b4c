"""The documentation as HTML: the Markdown pages of `docs/`, which an installation keeps under `share/doc`."""

import html
import importlib
import inspect
import re
from functools import cache

from markdown import Markdown

from dashboard.glossary import folder

PAGES = (
    "index", "installation", "tour", "why-is-this-a-cat", "glossary", "your-own-network", "your-own-labels", "evaluate",
    "reading-the-json", "from-a-notebook", "page", "command-line", "reference", "methods", "a-known-circuit",
    "groups", "atlas", "names", "visualization", "evidence", "networks", "transformers", "benchmarks", "architecture",
    "dependencies",
)  # fmt: skip
"""In the order of reading, which is that of `mkdocs.yml`."""
_EXTENSIONS = ("admonition", "attr_list", "def_list", "fenced_code", "tables", "toc")
_LINK = re.compile(r"\]\(([\w-]+)\.md(#[\w-]+)?\)")
_OBJECT = re.compile(r"^::: ([\w.]+)\.(\w+)$", re.MULTILINE)
_WHOLE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · circuits</title>
<style>
:root {{ color-scheme: light dark; --line: #dde1e8; --link: #3451c6; --well: #f1f3f6; }}
@media (prefers-color-scheme: dark) {{ :root {{ --line: #2f3643; --link: #93a8ff; --well: #1f2430; }} }}
body {{ margin: 0; font: 16px/1.55 system-ui, "Segoe UI", Roboto, sans-serif; display: flex; flex-wrap: wrap; }}
nav {{ flex: 1 1 200px; max-width: 240px; padding: 24px; }}
nav ul {{ list-style: none; margin: 0; padding: 0; font-size: 14px; line-height: 1.9; }}
main {{ flex: 1 1 480px; max-width: 860px; padding: 8px 24px 64px; min-width: 0; }}
a {{ color: var(--link); }} [aria-current] {{ font-weight: 600; }}
img {{ max-width: 100%; height: auto; }} pre, table {{ display: block; overflow-x: auto; }}
pre, code {{ background: var(--well); border-radius: 5px; font-size: 14px; }}
code {{ padding: 1px 4px; }} pre {{ padding: 10px 14px; }} pre code {{ padding: 0; }}
table {{ border-collapse: collapse; }} th, td {{ border: 1px solid var(--line); padding: 4px 9px; text-align: left; }}
dt {{ font-weight: 600; margin-top: 12px; }}
blockquote, .admonition {{ border-left: 4px solid var(--line); padding: 1px 16px; }}
</style></head><body><nav aria-label="Documentation"><ul>{contents}</ul></nav><main>{body}</main></body></html>
"""


@cache
def html_of(name: str) -> str:
    """A page of the documentation.

    Args:
        name: one of `PAGES`, of which the folder must be there.
    """
    text = _OBJECT.sub(lambda found: _docstring(found[1], found[2]), _source(name))
    text = _LINK.sub(lambda found: f"]({found[1]}{found[2] or ''})", text)
    body = Markdown(extensions=list(_EXTENSIONS), output_format="html").convert(text)
    entries = []
    for page in PAGES:
        address, here = "./" if page == "index" else page, ' aria-current="page"' if page == name else ""
        entries.append(f'<li><a href="{address}"{here}>{html.escape(_title(page))}</a></li>')
    return _WHOLE.format(title=html.escape(_title(name)), contents="".join(entries), body=body)


def _source(name: str) -> str:
    place = folder()
    return (place / f"{name}.md").read_text("utf-8") if place is not None else ""


@cache
def _title(name: str) -> str:
    return _source(name).partition("\n")[0].removeprefix("# ")


def _docstring(module: str, name: str) -> str:
    """A function or class of the reference."""
    text = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
    return f"### {name}\n\n```text\n{text}\n```"
