"""The map of a layer's units as a plotly figure: a point each, and its picture where there are not too many."""

from collections.abc import Mapping
from typing import Any

from circuits.naming.names import UnitNames
from circuits.units import Unit
from dashboard.atlas_answers import UnitMap

MOST_PICTURES = 400
"""Pictures on one map; of larger layers the points alone are drawn, and a picture beside the one that is pointed at."""
_ROOM = 0.04
_FILLS = 0.8
_NO_AXIS = {"visible": False, "fixedrange": False}


def scatter(told: UnitMap, pictures: Mapping[int, str], names: UnitNames) -> dict[str, Any]:
    """The figure.

    Args:
        told: where units lie.
        pictures: their addresses, by channel.
        names: what they are called.
    """
    count = len(told.places)
    units = [Unit(told.layer, channel) for channel in range(count)]
    known = [[str(unit), pictures.get(unit.channel, ""), names.of(unit).name] for unit in units]
    shown = pictures if count <= MOST_PICTURES else {}
    side = _FILLS / max(4.0, count**0.5)
    images = [
        {
            "source": source, "xref": "x", "yref": "y", "x": told.places[channel][0], "y": told.places[channel][1],
            "sizex": side, "sizey": side, "xanchor": "center", "yanchor": "middle", "layer": "below",
        }
        for channel, source in shown.items()
    ]  # fmt: skip
    ends = [-side / 2 - _ROOM, 1 + side / 2 + _ROOM]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": [place[0] for place in told.places],
                "y": [place[1] for place in told.places],
                "customdata": known,
                "hoverinfo": "none",
                "marker": {
                    "size": [26 if channel in shown else 9 for channel in range(count)],
                    "color": "#6678d8",
                    "opacity": [0.0 if channel in shown else 0.75 for channel in range(count)],
                },
            }
        ],
        "layout": {
            "images": images,
            "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "dragmode": "pan",
            "hovermode": "closest",
            "showlegend": False,
            "xaxis": {**_NO_AXIS, "range": ends},
            "yaxis": {**_NO_AXIS, "range": ends},
        },
    }
