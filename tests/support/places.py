"""Where things are on the screen, and when they have come to rest."""

from typing import Any

from tests.support import limits


def box_of(found: Any) -> dict[str, float]:
    """The place of what a locator finds, once it is drawn; the page may just be making it anew."""
    places: list[dict[str, float]] = []

    def is_drawn() -> bool:
        found.wait_for()
        places.extend(filter(None, [found.bounding_box()]))
        return bool(places)

    limits.until(is_drawn, "what is looked for has a place on the screen")
    return places[0]


def still(tab: Any) -> None:
    """Wait until nothing moves, also nothing that moves until something else happens, as what waits for a picture."""
    tab.wait_for_function("() => document.getAnimations().every(each => each.playState !== 'running')")


def outcome(tab: Any, function: str, argument: Any = None) -> Any:
    """What a function of the page comes to, if it does so in time; `evaluate` would wait for it for ever."""
    tab.evaluate(f"""argument => {{
        window.outcome = undefined;
        Promise.resolve(({function})(argument)).then(value => {{ window.outcome = {{ value }}; }},
            error => {{ window.outcome = {{ error: String(error) }}; }});
    }}""", argument)  # fmt: skip
    came = tab.wait_for_function("() => window.outcome").json_value()
    assert "error" not in came, came["error"]
    return came.get("value")
