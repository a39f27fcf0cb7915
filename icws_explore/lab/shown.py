"""A lab in a few facts, for its repr and for a notebook."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from icws_explore.protocol.canister import App

if TYPE_CHECKING:
    from .lab import Lab


def facts(lab: Lab) -> list[tuple[str, str]]:
    """Names and values: where it is while it runs, and how it was made."""
    app = lab.app.name if isinstance(lab.app, App) else str(lab.app)
    clock = "real" if lab.clock.scale == 1 else f"× {lab.clock.scale:g}"
    found = [("app", app), ("running", "yes" if lab.running else "no"), ("clock", clock)]
    if lab.running:
        found += [("gateway", gateway.url) for gateway in lab.gateways]
        found.append(("network", lab.network_url))
        found += [("canister", f"{each.id} ({each.app.name})") for each in lab.canisters]
    times = {"ack interval": lab.ack_interval_ms, "keep-alive timeout": lab.keep_alive_timeout_ms}
    return found + [(name, f"{ms / 1000:g} s") for name, ms in times.items()]


def as_text(lab: Lab) -> str:
    return f"Lab({', '.join(f'{name}={value}' for name, value in facts(lab))})"


def as_html(lab: Lab) -> str:
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th><td><code>{html.escape(value)}</code></td></tr>"
        for name, value in facts(lab)
    )
    return f"<table><caption>IC WebSocket lab</caption>{rows}</table>"
