"""A widget of the explorer in a bare page of a real browser: its script, its Python, and JupyterLab's own colours.

Quicker than a JupyterLab, for what only the widget does. The page asks Python for the widget's state after each
message, and ten times a second for what changes by itself. While ``window.hold`` is true, answers wait until
``window.release()``; ``window.held`` has them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

THEMES = Path(sys.prefix) / "share" / "jupyter" / "lab" / "themes" / "@jupyterlab"

PAGE = """<!doctype html><html><head><meta charset=utf-8><style>%s</style><style>%s</style></head>
<body data-jp-theme-light="%s" style="margin:8px;background:var(--jp-layout-color0)"><div id=el></div>
<script type=module>
const state = %s;
const callbacks = {};
const waiting = (window.held = []);
window.release = () => { window.hold = false; for (const news of waiting.splice(0)) take(news); };
function take(news) {
  if (window.hold) { waiting.push(news); return; }
  const changed = Object.keys(news).filter((name) => JSON.stringify(news[name]) !== JSON.stringify(state[name]));
  for (const name of changed) state[name] = news[name];
  for (const name of changed) for (const call of [...(callbacks[`change:${name}`] ?? [])]) call();
}
const model = {
  get: (name) => state[name],
  set(name, value) { state[name] = value; },
  save_changes() { window.toPython({ set: state }).then(take); },
  send(message) { window.toPython({ message }).then(take); },
  on(name, call) { (callbacks[name] ??= []).push(call); },
  off(name, call) { callbacks[name] = (callbacks[name] ?? []).filter((each) => each !== call); },
};
// The next question waits for the answer: on a busy machine they would pile up.
(async () => {
  for (;;) {
    take(await window.toPython({}));
    await new Promise((done) => setTimeout(done, 100));
  }
})();
const source = new Blob([%s], { type: "text/javascript" });
const widget = await import(URL.createObjectURL(source));
window.widget = widget;
window.end = widget.default.render({ model, el: document.getElementById("el") });
window.ready = true;
</script></body></html>"""


def show_widget(page: Page, widget: Any, *, dark: bool = False) -> None:
    """Show ``widget``; what the page says reaches its ``on_msg`` handlers."""
    theme = "dark" if dark else "light"
    colors = (THEMES / f"theme-{theme}-extension" / "index.css").read_text(encoding="utf-8")
    colors = re.sub(r"url\([^)]*\)", "none", colors)
    values = state_of(widget)

    def to_python(_source: Any, said: dict[str, Any]) -> dict[str, Any]:
        if "message" in said:
            widget._handle_custom_msg(said["message"], [])
        return state_of(widget)

    page.expose_binding("toPython", to_python)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    css, code = str(widget._css), json.dumps(str(widget._esm)).replace("</", "<\\/")
    data = json.dumps(values).replace("</", "<\\/")
    page.set_content(PAGE % (colors, css, "false" if dark else "true", data, code))
    page.wait_for_function("window.ready === true")
    assert faults == []


def state_of(widget: Any) -> dict[str, Any]:
    """The synced state of a widget, without its code."""
    state: dict[str, Any] = widget.get_state()
    return {name: value for name, value in state.items() if not name.startswith("_") and name != "layout"}
