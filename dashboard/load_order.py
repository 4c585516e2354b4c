"""What the browser loads of `assets/`, in this order.

A later style overrides an earlier one of the same weight, and a later script uses what an earlier one has put into
`window.circuits`. Dash itself would load the folder by alphabet.
"""

from pathlib import Path

from dash import Dash

FOLDER = Path(__file__).parent / "assets"

STYLES = (
    "core/page.css",
    "core/panes.css",
    "core/terms.css",
    "graph/graph.css",
    "photo/photo.css",
    "photo/crop.css",
    "point/point.css",
    "target/target.css",
    "evaluation/evaluation.css",
    "unit/unit.css",
    "what_if/what_if.css",
    "edge/edge.css",
    "layer/layer.css",
    "compare/compare.css",
    "atlas/atlas.css",
    "help/help.css",
    "core/menus.css",
    "network/network.css",
    "core/keep.css",
)

SCRIPTS = (
    "core/actions.js",
    "core/stacked.js",
    "core/press.js",
    "core/keep.js",
    "core/menus.js",
    "core/folds.js",
    "core/pane.js",
    "core/panes.js",
    "core/terms.js",
    "core/merge.js",
    "graph/arrange.js",
    "graph/bands.js",
    "graph/drag.js",
    "graph/keys.js",
    "graph/lines.js",
    "graph/minimap.js",
    "graph/sets.js",
    "graph/sight.js",
    "graph/tools.js",
    "graph/units.js",
    "graph/weak.js",
    "graph/graph.js",
    "photo/crop.js",
    "photo/strip.js",
    "point/spot.js",
    "target/classes.js",
    "target/search.js",
    "evaluation/score.js",
    "unit/naming.js",
    "what_if/what_if.js",
    "layer/wall_parts.js",
    "layer/wall.js",
    "compare/compare.js",
    "atlas/atlas.js",
    "export/capture.js",
    "export/export.js",
    "help/help.js",
)


def add_assets(app: Dash) -> None:
    """Have the page load them where Dash would: after React, before the renderer, each with the time of its change."""
    for append, paths in ((app.css.append_css, STYLES), (app.scripts.append_script, SCRIPTS)):
        for path in paths:
            append({"asset_path": path, "filepath": str(FOLDER / path)})
