"""The parties of the protocol: who talks to whom, and who trusts what.

The lines of the picture are SVG with a class for each role of a colour. `trust_view` colours them for a notebook;
docs/trust.py colours them for a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from ..html import View, figure_view

WIDTH: Final = 920  # SVG units, as are all lengths below
HEIGHT: Final = 404
COLUMN: Final = 222
COLUMNS: Final = (16, 349, 682)  # left edges: client, gateway, network
INDENT: Final = 14
LINE: Final = 19

TITLE: Final = (
    "The client talks to the gateway over a WebSocket, and the gateway to the network over HTTP. The client signs its "
    "requests, and each replica checks the signature. The subnet certifies the canister's messages, and the client "
    "checks them from the root key down. Nobody trusts the gateway."
)
# The role of a colour, and the variable of the package's themes that has it in a notebook.
VARIABLES: Final = {
    "ink": "--icws-ink",
    "soft": "--icws-soft",
    "rule": "--icws-soft",
    "paper": "--icws-paper",
    "box": "--icws-lane",
    "client": "--icws-k-message",
    "canister": "--icws-k-app",
    "bad": "--icws-bad",
    "good": "--icws-good",
}


def trust_view() -> View:
    """The picture for a notebook, in the colours of its theme, with its text."""
    rules = "".join(
        f".icws-trust .fill-{role} {{ fill: var({name}) }} .icws-trust .line-{role} {{ stroke: var({name}) }}\n"
        for role, name in VARIABLES.items()
    )
    drawn = "\n".join(
        [
            f'<svg class="icws-trust" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
            f"<style>.icws-trust text {{ font-family: system-ui, 'DejaVu Sans', sans-serif }}\n{rules}</style>",
            *parts(),
            "</svg>",
        ]
    )
    return figure_view(drawn, TITLE)


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
    yield from text(network, 104, "runs the canister", "signs with the subnet's key")

    yield from passage(190, client, network, "request", "client")
    yield from text(client, 184, "signs the request", "with its private key")
    yield from text(network, 184, "each replica checks", "signature and expiry")

    yield from passage(260, network, client, "message", "canister")
    yield from text(client, 254, "checks the certificate", "from the root key down")
    yield from text(network, 254, "the subnet certifies", "the canister's messages")

    yield from trust(client, "good", "Trusts", "the root key", "and its own clock")
    yield from trust(gateway, "bad", "Trusted by nobody", "It can delay and withhold;", "its changes are noticed.")
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
