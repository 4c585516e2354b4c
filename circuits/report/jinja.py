"""Fill the templates of the reports. Whatever is put into one is escaped, unless it is Markup: another template."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from circuits.errors import printable
from circuits.report import card_words, edge_words, text
from circuits.report.atlas_sentences import batches, estimate


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("circuits.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    written = (
        text.chance,
        text.cut,
        text.decimals,
        card_words.interval,
        text.many,
        text.number,
        text.percent,
        text.share,
    )
    environment.filters |= {function.__name__: function for function in (*written, batches, estimate, text.short_label)}
    environment.filters |= {
        "thousands": "{:,}".format,
        "g": "{:g}".format,
        "px": "{:.1f}".format,
        "clip": lambda value: max(0.0, min(1.0, value)),
    }
    environment.globals |= {
        name: getattr(edge_words, name) for name in ("WARNING_LABELS", "WARNING_MEANINGS", "WARNING_SIGNS")
    }
    environment.globals |= {"ALONE": text.ALONE}
    environment.globals |= {name: getattr(card_words, name) for name in ("METHOD_NAMES", "METHOD_TEXTS")}
    return environment


def fill(template: str, **values: Any) -> Markup:
    """A template with values in it."""
    return Markup(_environment().get_template(template).render(values))


def fill_page(template: str, *, style: str, script: str = "", **values: Any) -> str:
    """A template of a whole page, whose policy (CSP) lets run its own style and script and loads nothing."""
    allowed = f"style-src 'sha256-{_digest(style)}'" + (f"; script-src 'sha256-{_digest(script)}'" if script else "")
    policy = f"default-src 'none'; img-src data:; {allowed}; base-uri 'none'; form-action 'none'"
    return printable(str(fill(template, style=Markup(style), script=Markup(script), policy=policy, **values)) + "\n")


def asset(name: str) -> Markup:
    """The text of a file that stands beside the templates."""
    return Markup(files(__package__).joinpath("templates", name).read_text(encoding="utf-8"))


def safe_picture(uri: str | None) -> str:
    """A data URI of a picture; nothing where it is none."""
    return uri if uri is not None and uri.startswith("data:image/") else ""


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
