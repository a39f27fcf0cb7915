"""Closing ipywidgets with all that belongs to them: each has a layout and often a style, with comms of their own."""

from __future__ import annotations

from typing import Any


def release(widget: Any) -> None:
    """Close ``widget``, everything inside of it, and the layouts and styles of all of them."""
    for child in getattr(widget, "children", ()):
        release(child)
    for name in ("layout", "style"):
        if widget.has_trait(name) and (part := getattr(widget, name)) is not None:
            part.close()
    widget.close()
