"""The index of a site's search: what it finds by label, name, suggested name and address, as one script.

A script, because pages that are opened from disk may load scripts and no data.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from circuits.atlas.atlas import Atlas
from circuits.report.site.addresses import Addresses
from circuits.report.site.units import SiteUnit


def search_index(atlas: Atlas, at: Addresses, units: Sequence[SiteUnit]) -> str:
    """The script: classes as [number, label, photos], layers as [name, folder, channels], and units by layer.

    Of the units, which are known by their number alone, it has only what cannot be counted up: their names and
    suggested names, and the numbers of those without a picture.
    """
    layers = {layer.name: place for place, layer in enumerate(atlas.layers)}
    named: dict[int, dict[str, list[str]]] = defaultdict(dict)
    bare: dict[int, list[int]] = defaultdict(list)
    for unit in units:
        place = layers[unit.unit.layer]
        if unit.name or unit.guess:
            named[place][str(unit.unit.channel)] = [unit.name, unit.guess]
        if not unit.picture:
            bare[place].append(unit.unit.channel)
    index: dict[str, Any] = {
        "classes": [[found.number, found.label, found.photos] for found in atlas.classes],
        "layers": [[layer.name, at.folders[layer.name], layer.channels] for layer in atlas.layers],
        "named": named,
        "bare": bare,
    }
    return f"window.siteIndex = {json.dumps(index, separators=(',', ':'))};\n"
