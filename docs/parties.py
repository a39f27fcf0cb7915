"""The picture of the protocol's parties in docs/protocol.md: who talks to whom, and who trusts what.

``python -m docs.parties`` writes docs/images/parties.svg; a test keeps the file in step with this module. The
file carries its own style for light and dark pages.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

PICTURE: Final = Path(__file__).parent / "images" / "parties.svg"

WIDTH: Final = 920  # SVG units, as are all lengths below
HEIGHT: Final = 404
COLUMN: Final = 222
COLUMNS: Final = (16, 349, 682)  # left edges: client, gateway, network
INDENT: Final = 14
LINE: Final = 19

# The role of a colour, and the colour on a light and on a dark page.
COLORS: Final = {
    "ink": ("#1f2328", "#e6e8eb"),
    "soft": ("#59636e", "#a3adb8"),
    "rule": ("#8c959f", "#6e7781"),
    "paper": ("#ffffff", "#16191d"),
    "box": ("#f4f5f7", "#20252b"),
    "client": ("#0066a5", "#66b8f0"),
    "canister": ("#b04a00", "#f0955a"),
    "bad": ("#b3261e", "#ff8a80"),
    "good": ("#007a5a", "#43c9a0"),
}
TITLE: Final = (
    "The client talks to the gateway over a WebSocket, and the gateway to the network over HTTP. The client signs its "
    "requests, and a replica checks the signature. The subnet certifies the canister's messages, and the client "
    "checks them from the root key down. Nobody trusts the gateway."
)


def picture() -> str:
    """The whole file."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">',
        f'<title id="title">{escape(TITLE)}</title>',
        f"<style>{style()}</style>",
        f'<rect class="fill-paper" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        *parts(),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def style() -> str:
    """The colours of both themes."""

    def rules(theme: int) -> str:
        return "".join(
            f"  .fill-{role} {{ fill: {shades[theme]} }} .line-{role} {{ stroke: {shades[theme]} }}\n"
            for role, shades in COLORS.items()
        )

    font = "  text { font-family: system-ui, 'DejaVu Sans', sans-serif }\n"
    return f"\n{font}{rules(0)}@media (prefers-color-scheme: dark) {{\n{rules(1)}}}\n"


def parts() -> Iterator[str]:
    """The columns, what passes between them, and what each party trusts."""
    client, gateway, network = COLUMNS
    yield from party(client, "Client", "client", "a browser or a script")
    yield from party(gateway, "Gateway", "bad", "a relay that anyone may run", dashed=True)
    yield from party(network, "Network", "canister", "a subnet of replicas")
    yield from wire(client, gateway, "WebSocket,", "binary frames")
    yield from wire(gateway, network, "HTTP, calls", "and polls")

    yield from text(client, 104, "has its own private key", "knows the network's root key")
    yield from text(gateway, 104, "has a key of its own", "sees every message")
    yield from text(network, 104, "runs the canister and its CDK", "shares the subnet's key")

    yield from passage(190, client, network, "request", "client")
    yield from text(client, 184, "signs the request", "with its private key")
    yield from text(network, 184, "a replica checks the", "signature and the expiry")

    yield from passage(260, network, client, "message", "canister")
    yield from text(client, 254, "checks the certificate", "from the root key down")
    yield from text(network, 254, "the subnet certifies", "the canister's messages")

    yield from trust(client, "good", "Trusts", "the root key", "and its own clock")
    yield from trust(gateway, "bad", "Trusted by nobody", "It can delay or withhold,", "not alter or invent.")
    yield from trust(network, "good", "Trusts", "valid signatures,", "nothing else")


def party(x: int, name: str, color: str, about: str, *, dashed: bool = False) -> Iterator[str]:
    """A party's column, with its name."""
    dash = ' stroke-dasharray="6 5"' if dashed else ""
    place = f'x="{x}" y="16" width="{COLUMN}" height="{HEIGHT - 32}" rx="8"'
    yield f'<rect class="fill-box line-{color}" {place} stroke-width="2"{dash}/>'
    yield _text(x + INDENT, 46, name, color, size=18, weight=600)
    yield _text(x + INDENT, 70, about, "soft")


def text(x: int, y: int, *lines: str) -> Iterator[str]:
    """Lines of a column."""
    yield from (_text(x + INDENT, y + LINE * number, line) for number, line in enumerate(lines))


def wire(left: int, right: int, *lines: str) -> Iterator[str]:
    """The connection between two neighbours."""
    start, end = left + COLUMN + 1, right - 1
    yield f'<line class="line-rule" x1="{start}" y1="64" x2="{end}" y2="64" stroke-width="3"/>'
    for number, line in enumerate(lines):
        yield _text((start + end) // 2, 88 + 18 * number, line, "soft", anchor="middle")


def passage(y: int, source: int, target: int, label: str, color: str) -> Iterator[str]:
    """What goes all the way from client to network or back, through the gateway."""
    to_right = target > source
    start, end = (source + COLUMN + 6, target - 6) if to_right else (source - 6, target + COLUMN + 6)
    tip = 11 if to_right else -11
    yield f'<line class="line-{color}" x1="{start}" y1="{y}" x2="{end - tip}" y2="{y}" stroke-width="2.5"/>'
    yield f'<path class="fill-{color}" d="M{end},{y} l{-tip},-6 v12 z"/>'
    yield _text((start + end) // 2, y - 10, label, anchor="middle", size=14, weight=600)


def trust(x: int, color: str, head: str, *lines: str) -> Iterator[str]:
    """The foot of a column."""
    yield f'<line class="line-rule" x1="{x + INDENT}" y1="308" x2="{x + COLUMN - INDENT}" y2="308"/>'
    yield _text(x + INDENT, 332, head, color, size=14, weight=600)
    yield from text(x, 352, *lines)


def _text(
    x: int, y: int, words: str, color: str = "ink", *, anchor: str = "start", size: int = 13, weight: int = 400
) -> str:
    place = f'x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text class="fill-{color}" {place} font-weight="{weight}">{escape(words, quote=False)}</text>'


def main() -> int:
    """Write the picture."""
    PICTURE.write_text(picture(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
