"""How Dash's renderer asks for a callback."""

from typing import Any

from dashboard.app import Page

CALLBACKS = "/_dash-update-component"


def asked(page: Page, output: str, values: dict[str, Any]) -> dict[str, Any]:
    """The body by which Dash's renderer asks for a callback."""
    name = next(name for name in page.dash.callback_map if output in name)
    callback = page.dash.callback_map[name]
    parts = [
        [{**each, "value": values.get(each["id"])} for each in callback[kind]] for kind in ("inputs", "state")
    ]  # fmt: skip
    outputs = [
        {"id": each.rpartition(".")[0], "property": each.rpartition(".")[2]} for each in name.strip(".").split("...")
    ]
    changed = [f"{each['id']}.{each['property']}" for each in callback["inputs"]]
    single = outputs if name.startswith("..") else outputs[0]
    return {"output": name, "outputs": single, "inputs": parts[0], "state": parts[1], "changedPropIds": changed}
