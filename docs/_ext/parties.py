"""Draws the parties of the protocol and what each trusts: `python -m docs._ext.parties` writes docs/images/parties-*.

The picture exists in a light and a dark version, because GitHub shows docs/protocol.md too. On the site the
version of the page's theme shows (`pair_images`); a test keeps the files in step with this module.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

from docutils import nodes
from sphinx.application import Sphinx

IMAGES: Final = Path(__file__).parents[1] / "images"
WIDTH: Final = 920  # all in pixels
HEIGHT: Final = 404
COLUMN: Final = 222
COLUMNS: Final = (16, 349, 682)
THEMES: Final = {
    "light": {
        "ink": "#1f2328", "soft": "#59636e", "paper": "#ffffff", "box": "#f4f5f7", "rule": "#8c959f",
        "client": "#0066a5", "canister": "#b04a00", "bad": "#b3261e", "good": "#007a5a",
    },
    "dark": {
        "ink": "#e6e8eb", "soft": "#a3adb8", "paper": "#16191d", "box": "#20252b", "rule": "#6e7781",
        "client": "#66b8f0", "canister": "#f0955a", "bad": "#ff8a80", "good": "#43c9a0",
    },
}  # fmt: skip
TITLE: Final = (
    "The client talks to the gateway over a WebSocket, and the gateway to the network over HTTP. The client signs its "
    "requests, and a replica checks the signature. The subnet certifies the canister's messages, and the client "
    "checks them down from the root key. Neither trusts the gateway."
)


def svg(theme: str) -> str:
    """The picture in the colours of ``theme``: "light" or "dark"."""
    color = THEMES[theme]
    client, gateway, network = COLUMNS
    parts = [
        _party(client, "Client", color["client"], "a browser or a script", color),
        _facts(client, ["has its own private key", "knows the network's root key"], color),
        _party(gateway, "Gateway", color["bad"], "a relay that anyone may run", color, dashed=True),
        _facts(gateway, ["has a key of its own", "sees every message"], color),
        _party(network, "Network", color["canister"], "a subnet of replicas", color),
        _facts(network, ["runs the canister and its CDK", "shares the subnet's key"], color),
        _wire(client, gateway, ["WebSocket,", "binary frames"], color),
        _wire(gateway, network, ["HTTP, calls", "and polls"], color),
        _way(190, client, network, "request", color["client"], color),
        _facts(client, ["signs the request", "with its private key"], color, y=184),
        _facts(network, ["a replica checks the", "signature and the expiry"], color, y=184),
        _way(260, network, client, "message", color["canister"], color),
        _facts(client, ["checks the certificate", "from the root key down"], color, y=254),
        _facts(network, ["the subnet certifies", "the canister's messages"], color, y=254),
        _trust(client, "Trusts", ["the root key", "and its own clock"], color["good"], color),
        _trust(
            gateway, "Trusted by nobody", ["It can delay or withhold,", "not alter or invent."], color["bad"], color
        ),
        _trust(network, "Trusts", ["valid signatures,", "nothing else"], color["good"], color),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f"font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n"
        f"<title>{escape(TITLE)}</title>\n"
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{color["paper"]}"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _party(x: int, name: str, edge: str, about: str, color: dict[str, str], *, dashed: bool = False) -> str:
    """One party's column: who it is."""
    dash = ' stroke-dasharray="6 5"' if dashed else ""
    size = f'width="{COLUMN}" height="{HEIGHT - 32}"'
    return "\n".join([
        f'<rect x="{x}" y="16" {size} rx="8" fill="{color["box"]}" stroke="{edge}" stroke-width="2"{dash}/>',
        _text(x + 14, 46, name, edge, 18, bold=True),
        _text(x + 14, 70, about, color["soft"], 13),
    ])  # fmt: skip


def _facts(x: int, lines: list[str], color: dict[str, str], *, y: int = 104) -> str:
    return "\n".join(_text(x + 14, y + 19 * n, line, color["ink"], 13) for n, line in enumerate(lines))


def _wire(left: int, right: int, lines: list[str], color: dict[str, str]) -> str:
    """The connection between two neighbours."""
    start, end = left + COLUMN + 1, right - 1
    middle = (start + end) / 2
    return "\n".join([
        f'<line x1="{start}" y1="64" x2="{end}" y2="64" stroke="{color["rule"]}" stroke-width="3"/>',
        _text(middle, 88, lines[0], color["soft"], 13, anchor="middle"),
        _text(middle, 106, lines[1], color["soft"], 13, anchor="middle"),
    ])  # fmt: skip


def _way(y: int, source: int, target: int, label: str, stroke: str, color: dict[str, str]) -> str:
    """What goes all the way between client and canister, through the gateway."""
    to_right = target > source
    start, end = (source + COLUMN + 6, target - 6) if to_right else (source - 6, target + COLUMN + 6)
    tip = 11 if to_right else -11
    middle = (start + end) / 2
    return "\n".join([
        f'<line x1="{start}" y1="{y}" x2="{end - tip}" y2="{y}" stroke="{stroke}" stroke-width="2.5"/>',
        f'<path d="M{end},{y} l{-tip},-6 v12 z" fill="{stroke}"/>',
        _text(middle, y - 10, label, color["ink"], 14, anchor="middle", bold=True),
    ])  # fmt: skip


def _trust(x: int, head: str, lines: list[str], fill: str, color: dict[str, str]) -> str:
    rule = f'<line x1="{x + 14}" y1="308" x2="{x + COLUMN - 14}" y2="308" stroke="{color["rule"]}" stroke-width="1"/>'
    words = [_text(x + 14, 352 + 19 * n, line, color["ink"], 13) for n, line in enumerate(lines)]
    return "\n".join([rule, _text(x + 14, 332, head, fill, 14, bold=True), *words])


def _text(x: float, y: float, words: str, fill: str, size: int, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x:g}" y="{y}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}" fill="{fill}"{weight}>{escape(words)}</text>'


def pair_images(_app: Sphinx, document: nodes.document) -> None:
    """Show ``name-light.svg`` in the light theme, and ``name-dark.svg`` beside it in the dark one."""
    for image in list(document.findall(nodes.image)):
        if image["uri"].endswith("-light.svg") and "only-light" not in image["classes"]:
            dark = image.deepcopy()
            dark["uri"] = image["uri"].replace("-light.svg", "-dark.svg")
            image["classes"].append("only-light")
            dark["classes"].append("only-dark")
            image.parent.insert(image.parent.index(image) + 1, dark)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", pair_images, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def main() -> None:
    for theme in THEMES:
        (IMAGES / f"parties-{theme}.svg").write_text(svg(theme), encoding="utf-8")


if __name__ == "__main__":
    main()
