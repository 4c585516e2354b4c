"""What a site says of every unit wherever it is shown: its page, its picture, and what it is called."""

from collections.abc import Mapping
from dataclasses import dataclass

from circuits.atlas.atlas import Atlas
from circuits.naming.names import UnitNames
from circuits.report.site.addresses import Addresses
from circuits.report.text import decimals
from circuits.units import Unit


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
        guess: what is suggested as its name, with its score; empty if nothing is.
        guesses: all that is suggested, in sentences.
        silent: whether nothing was found that excites it.
    """

    unit: Unit
    page: str
    picture: str = ""
    name: str = ""
    note: str = ""
    label: str = ""
    guess: str = ""
    guesses: tuple[str, ...] = ()
    silent: bool = False

    @property
    def called(self) -> str:
        """Its name, its class, or its address."""
        return self.name or self.label or str(self.unit)


def site_units(atlas: Atlas, at: Addresses, pictures: Mapping[Unit, bool], names: UnitNames) -> list[SiteUnit]:
    """All units of an atlas, in its order.

    Args:
        atlas: the atlas, with what it suggests.
        at: where pages and pictures lie.
        pictures: the units that have a picture, and whether it shows that nothing excites them.
        names: those that have one.
    """
    labels, top = atlas.record.subject.labels, atlas.record.subject.top
    suggestions = (atlas.suggestions, atlas.suggested_words)
    found = []
    for unit in atlas.all_units():
        said = names.of(unit)
        guesses = [each[unit] for each in suggestions if unit in each]
        found.append(
            SiteUnit(
                unit, at.unit(unit),
                picture=at.picture(unit) if pictures.get(unit) is False else "",
                name=said.name, note=said.note,
                label=labels[unit.channel] if unit.layer == top else "",
                guess=", ".join(f"{each.name}? {decimals(each.auc)}" for each in guesses),
                guesses=tuple(f"Suggested: {each.sentence}." for each in guesses),
                silent=pictures.get(unit, False),
            )
        )  # fmt: skip
    return found
