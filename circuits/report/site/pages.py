"""The pages of a site, each filled from a template with what the atlas says."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from statistics import median
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from circuits.atlas.atlas import Atlas
from circuits.atlas.facts import AtlasClass
from circuits.errors import CircuitsError, printable
from circuits.report.atlas_sentences import activity, sureness
from circuits.report.circuit_svg import Looks, draw
from circuits.report.jinja import fill
from circuits.report.sentences import circuit_in_words
from circuits.report.site.addresses import Addresses, to_root
from circuits.report.site.served import EVERY, FREE, LINKED, LinkRows, Served
from circuits.report.site.units import SiteUnit
from circuits.report.text import network_and_source, short_label
from circuits.tracing.circuit import Circuit
from circuits.units import Unit

DEPTH, TOP = 3, (5, 4, 3)
"""Layers that the circuit of a class goes down, and the units below each on the way."""
A_PAGE = 1000
"""Classes or units that one page lists; lists of more go on on further pages, so that none has a megabyte."""
_STRONGEST = 6
_TOGETHER = 6
_STRIP = 14
"""Pictures beside the name of a layer; a narrow window shows fewer."""
_WIDEST = 8192
"""Channels of a layer whose correlations are looked at; of more they would not fit into memory."""
_Linked = tuple[SiteUnit, float, float, float]
"""A unit that another one is linked to: with share, error and consistency."""
_FEW = 30
"""Fewer photos than these say little of a class."""


class SitePages:
    """The pages of a site as text.

    Args:
        atlas: the atlas.
        at: where pages lie.
        units: all of its units.
        served: which classes they serve.
        patches: of the units that have some, how many.
    """

    def __init__(
        self, atlas: Atlas, at: Addresses, units: Sequence[SiteUnit], served: Served, patches: dict[Unit, int]
    ) -> None:
        self.atlas, self.at, self.units, self.served, self.patches = atlas, at, units, served, patches
        self.starts = dict(zip(self.names, np.cumsum([0, *self._widths])[:-1].tolist(), strict=True))
        network = atlas.record.subject.network
        self.title = f"Atlas of {network['name']}"
        self.source = network_and_source(network["name"], network["source"])

    @property
    def names(self) -> list[str]:
        """Of all layers."""
        return [layer.name for layer in self.atlas.layers]

    @property
    def _widths(self) -> list[int]:
        return [layer.channels for layer in self.atlas.layers]

    def of_layer(self, name: str) -> Sequence[SiteUnit]:
        """The units of a layer."""
        start = self.starts[name]
        return self.units[start : start + self.atlas.layer(name).channels]

    def start(self) -> Iterator[tuple[str, str]]:
        """The first page and, of many classes, further parts of their list: addresses and texts."""
        parts = _parts(list(enumerate(self.atlas.classes)))
        for part, rows in enumerate(parts, start=1):
            yield self._page(
                "site_start.html.j2",
                self.at.start(part),
                self.title if part == 1 else f"Classes, part {part} of {len(parts)}",
                f"What each class of {self.source} is made of, and what each unit is for.",
                part=part,
                parts=[(self.at.start(each), each == part) for each in range(1, len(parts) + 1)],
                atlas=self.atlas,
                source=self.source,
                classes=[(found, self.at.class_page(found.number), self._faces(row)) for row, found in rows],
                layers=[(layer, self.at.layer(layer.name), self._best(layer.name)) for layer in self.atlas.layers],
                pictures=sum(bool(unit.picture) for unit in self.units),
                silent=sum(unit.silent for unit in self.units),
                photos=sorted(self.atlas.record.photos.values()),
                few=sum(count < _FEW for count in self.atlas.record.photos.values()),
                few_photos=_FEW,
                middle=median(self.atlas.record.photos.values()),
                named=sum(bool(unit.name) for unit in self.units),
                guessed=sum(bool(unit.guess) for unit in self.units),
            )

    def _faces(self, row: int) -> list[SiteUnit]:
        """The units below the logits that a class is recognised by."""
        layer = self.names[-2]
        return [unit for unit, *_ in self._strongest(row, layer, 3)]

    def _best(self, layer: str) -> list[SiteUnit]:
        """Units of a layer that contribute most to a class."""
        start, own = self.starts[layer], self.of_layer(layer)
        most = self.served.contributions[:, start : start + len(own)].max(0)
        best = [own[at] for at in np.argsort(-most, kind="stable")]
        return [unit for unit in best if unit.picture][:_STRIP]

    def class_page(self, row: int, found: AtlasClass) -> tuple[str, str]:
        """The page of a class: its circuit, and its strongest units by layer."""
        page = self.at.class_page(found.number)
        circuit = self.atlas.circuit(found.number, depth=DEPTH, top=TOP)
        visible = [name for name in circuit.nodes if name in circuit.visible]  # in the same order every time
        places = {name: self.units[self._place(Unit.parse(name))] for name in visible}
        return self._page(
            "site_class.html.j2",
            page,
            short_label(found.label),
            f"What {found.label} is made of in {self.source}, over {found.photos} photos.",
            found=found,
            unit=self.units[self._place(Unit(self.names[-1], found.number))],
            says=circuit_in_words(circuit),
            sure=sureness(circuit),
            graph=self._drawn(circuit, page, places),
            edges=[
                (places[edge.source], places[name], edge)
                for name in visible
                for edge in circuit.edges_into(name)
                if edge.source in places
            ],
            strongest=[
                (name, self.at.layer(name), self._strongest(row, name, _STRONGEST)) for name in self.names[-2::-1]
            ],
            classes=len(self.atlas.classes),
            around=[
                (short_label(each.label), self.at.class_page(each.number)) if each else None
                for each in self._around(row)
            ],
        )

    def _drawn(self, circuit: Circuit, page: str, places: dict[str, SiteUnit]) -> Markup:
        root = to_root(page)
        looks = {name: f"{root}{unit.picture}" for name, unit in places.items() if unit.picture}
        links = {name: f"{root}{unit.page}" for name, unit in places.items()}
        return draw(circuit, Looks(files=looks), links=links).svg

    def _around(self, row: int) -> list[AtlasClass | None]:
        classes = self.atlas.classes
        return [classes[at] if 0 <= at < len(classes) else None for at in (row - 1, row + 1)]

    def _strongest(self, row: int, layer: str, top: int) -> list[tuple[SiteUnit, float, float, int]]:
        """The units of a layer that contribute most to a class: with contribution, error, and rank of the class."""
        start, own = self.starts[layer], self.of_layer(layer)
        places = slice(start, start + len(own))
        means, errors, ranks = (
            each[row, places] for each in (self.served.contributions, self.served.errors, self.served.ranks)
        )
        best = np.argsort(-means, kind="stable")[:top]
        return [(own[at], float(means[at]), float(errors[at]), int(ranks[at])) for at in best.tolist()]

    def layer_pages(self, name: str) -> Iterator[tuple[str, str]]:
        """A layer as a wall of all of its units; a wide one on several pages."""
        layer, own = self.atlas.layer(name), self.of_layer(name)
        parts = _parts(own)
        unlinked = {each.layer: each.why for each in self.atlas.record.subject.unlinked}
        for part, units in enumerate(parts, start=1):
            yield self._page(
                "site_layer.html.j2",
                self.at.layer(name, part),
                name if len(parts) == 1 else f"{name}, part {part} of {len(parts)}",
                f"All units of {name} in {self.source}.",
                layer=layer,
                below=[(each, self.at.layer(each)) for each in layer.below],
                above=[(each.name, self.at.layer(each.name)) for each in self.atlas.layers if name in each.below],
                unlinked=unlinked.get(name, ""),
                units=[(unit, self._serves(unit)) for unit in units],
                guessed=any(unit.guess for unit in units),
                parts=[(self.at.layer(name, each), each == part) for each in range(1, len(parts) + 1)],
            )

    def _serves(self, unit: SiteUnit) -> str:
        """The class that a unit serves most."""
        rows = self.served.most[self._place(unit.unit)]
        return short_label(self.atlas.classes[rows[0]].label) if rows else ""

    def unit_page(self, place: int) -> tuple[str, str]:
        """The page of a unit: which classes it serves, through which links, and what it fires together with."""
        unit = self.units[place]
        layer = self.atlas.layer(unit.unit.layer)
        own = self.of_layer(layer.name)
        around = [own[at] if 0 <= at < len(own) else None for at in (unit.unit.channel - 1, unit.unit.channel + 1)]
        served = self.served
        told = self.atlas.unit(unit.unit)
        most = [self._row(place, row) for row in served.most[place]]
        least = [self._row(place, row) for row in served.least[place]]
        is_class = layer.name == self.names[-1] and unit.unit.channel in self.atlas.record.photos
        return self._page(
            "site_unit.html.j2",
            unit.page,
            unit.called if unit.called == str(unit.unit) else f"{unit.called} ({unit.unit})",
            f"What {unit.unit} of {self.source} looks for, and which classes it serves.",
            unit=unit,
            layer=layer,
            layer_page=self.at.layer(layer.name, unit.unit.channel // A_PAGE + 1),
            class_page=self.at.class_page(unit.unit.channel) if is_class else "",
            told=told,
            activity=activity(told),
            most=most,
            least=least,
            largest=max((abs(row[1]) for row in most + least), default=1.0) or 1.0,
            classes=len(self.atlas.classes),
            linked=[self._linked(place, row) for row in (FREE, *served.most[place][:LINKED], EVERY)],
            together=self._together(unit.unit),
            patches=[self.at.patch(unit.unit, number) for number in range(self.patches.get(unit.unit, 0))],
            around=[(str(each.unit), each.page) if each else None for each in around],
        )

    def _row(self, place: int, row: int) -> tuple[AtlasClass, float, float, float, int, str]:
        """What a unit does for a class: its contribution, error and selectivity, the class's rank and its page."""
        found, served = self.atlas.classes[row], self.served
        numbers = (float(each[row, place]) for each in (served.contributions, served.errors, served.selectivity))
        mean, error, selectivity = numbers
        return found, mean, error, selectivity, int(served.ranks[row, place]), self.at.class_page(found.number)

    def _linked(self, place: int, row: int) -> tuple[str, int, list[_Linked], list[_Linked]]:
        """For which class, over how many photos, and the links below and above a unit; none where there are none.

        Class-free ones are for no class, "".
        """
        every = {EVERY: "all classes together", FREE: ""}
        called = every[row] if row in every else short_label(self.atlas.classes[row].label)
        photos = self.atlas.photos if row in every else self.atlas.classes[row].photos
        below, above = (
            self._links(links[row, place]) if (row, place) in links else []
            for links in (self.served.below, self.served.above)
        )
        return called, photos, below, above

    def _links(self, rows: LinkRows) -> list[_Linked]:
        columns = (rows.place, rows.share, rows.error, rows.consistency)
        return [(self.units[at], *numbers) for at, *numbers in zip(*(c.tolist() for c in columns), strict=True)]

    def _together(self, unit: Unit) -> list[tuple[SiteUnit, float]]:
        """The units of its layer that fire in the same photos."""
        if unit.layer not in self._correlated:
            return []
        places, values = self._correlated[unit.layer]
        own, channel = self.of_layer(unit.layer), unit.channel
        rows = zip(places[channel].tolist(), values[channel].tolist(), strict=True)
        return [(own[at], value) for at, value in rows if value > 0]

    @cached_property
    def _correlated(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """By layer, of every unit those that it goes together with most, and how closely; empty without an index."""
        found = {}
        for layer in self.atlas.layers[:-1]:
            if not 1 < layer.channels <= _WIDEST:
                continue
            try:
                together = self.atlas.coactivation(layer.name)
            except CircuitsError:  # the index is not there, damaged, or of other layers: a site does without
                return {}
            np.fill_diagonal(together, -np.inf)
            order = np.argsort(-together, axis=1, kind="stable")[:, :_TOGETHER]
            found[layer.name] = order, np.take_along_axis(together, order, 1)
        return found

    def _place(self, unit: Unit) -> int:
        return int(self.starts[unit.layer] + unit.channel)

    def _page(self, template: str, page: str, title: str, about: str, **values: Any) -> tuple[str, str]:
        root = to_root(page)
        html = fill(template, root=root, site=self.title, title=title, about=about, start=self.at.start(), **values)
        return page, printable(f"{html}\n")


def _parts(rows: Sequence[Any]) -> list[Sequence[Any]]:
    """A list in parts, one a page."""
    return [rows[start : start + A_PAGE] for start in range(0, len(rows), A_PAGE)]
