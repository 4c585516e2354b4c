"""What a site says of every unit wherever it is shown: its page, its picture, and what it is called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from circuits.atlas.atlas import Atlas
from circuits.report.atlas_sentences import suggested
from circuits.report.site.addresses import Addresses
from circuits.report.text import decimals, short_label
from circuits.units import Unit


class Named(Protocol):
    """A name that somebody gave a unit, and a note."""

    @property
    def name(self) -> str: ...

    @property
    def note(self) -> str: ...


class Suggested(Protocol):
    """The class whose photos a unit tells apart from the others, and how well, on photos not used for choosing."""

    @property
    def label(self) -> str: ...

    @property
    def auc(self) -> float: ...


@dataclass(frozen=True)
class SiteUnit:
    """A unit of a site.

    Args:
        unit: the unit.
        page: where its page lies.
        picture: where its picture lies; empty if there is none.
        name: what somebody called it.
        note: what somebody wrote of it.
        label: of a logit, its class.
        guess: what is suggested, with its score; empty if nothing is.
        guessed: the same as a sentence.
        silent: whether nothing was found that excites it.
    """

    unit: Unit
    page: str
    picture: str = ""
    name: str = ""
    note: str = ""
    label: str = ""
    guess: str = ""
    guessed: str = ""
    silent: bool = False

    @property
    def called(self) -> str:
        """Its name, its class, or its address."""
        return self.name or self.label or str(self.unit)


def site_units(
    atlas: Atlas,
    at: Addresses,
    pictures: Mapping[Unit, bool],
    names: Mapping[Unit, Named],
    suggestions: Mapping[Unit, Suggested],
) -> list[SiteUnit]:
    """All units of an atlas, in its order.

    Args:
        atlas: the atlas.
        at: where pages and pictures lie.
        pictures: the units that have a picture, and whether it shows that nothing excites them.
        names: those that have one.
        suggestions: those that have one.
    """
    labels = atlas.record.subject.labels
    found = []
    for unit in atlas.all_units():
        said, guess = names.get(unit), suggestions.get(unit)
        found.append(
            SiteUnit(
                unit, at.unit(unit),
                picture=at.picture(unit) if pictures.get(unit) is False else "",
                name=said.name if said else "", note=said.note if said else "",
                label=labels[unit.channel] if unit.layer == atlas.record.subject.top else "",
                guess=f"{short_label(guess.label)}? {decimals(guess.auc)}" if guess else "",
                guessed=suggested(guess.label, guess.auc) if guess else "",
                silent=pictures.get(unit, False),
            )
        )  # fmt: skip
    return found
