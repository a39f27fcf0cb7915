"""Everything that the explorer shows of one frame, as plain data for its script. Nothing in it is markup.

`frame_detail` gives the facts of the frame, its fields with their ranges of bytes, the steps of its proof, its
relations, its deadlines and the findings that name it. Hostile frames cost bounded time and space.
"""

from __future__ import annotations

import contextlib
import shlex
from base64 import b64encode
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from icws_explore.analysis.annotate import Node, annotate_frame
from icws_explore.analysis.decode import DecodedFrame, application_type, value_text
from icws_explore.analysis.doctor import Finding
from icws_explore.capture import Capture
from icws_explore.protocol.errors import IcwsError, PrincipalError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step
from icws_explore.protocol.wording import time_text
from icws_explore.views.annotated_text import is_encoding
from icws_explore.views.fields import direction_text
from icws_explore.views.formatting import count, elide, one_line, shorten
from icws_explore.views.kinds import ARROWS, LOOKS
from icws_explore.views.steps import step_rows, steps_heading

from .checker import Proofs
from .frame_index import FrameIndex
from .related import Relations, link_text

MAX_NODES: Final = 3_000  # fields; frames of the protocol have a few hundred
MAX_VALUE: Final = 300  # characters of a field's value
MAX_BYTES: Final = 1024 * 1024  # of a frame that the pane of bytes shows
MAX_CONTENT: Final = 2_000  # characters of the application's message
_OPEN_DEPTH: Final = 9
_CLOSED: Final = ("cert", "tree", "types", "certificate")  # long, and not what a reader looks for first
_PRINCIPALS: Final = ("client_principal", "canister_id", "sender", "gateway_principal")
_JUMPS: Final = ("content", "cert", "tree", "arg", "sender_pubkey", "sender_delegation")


def frame_detail(
    index: FrameIndex, number: int, *, proofs: Proofs, relations: Relations, findings: Sequence[Finding] = ()
) -> dict[str, Any]:
    """The detail of frame ``number`` as JSON data. Raises IndexError."""
    decoded = index.frames[number]
    capture = index.recording.raw
    fields = field_rows(annotate_frame(decoded.frame, app_type=application_type(capture)))
    before, after = relations.neighbours(number)
    return {
        "frame": number,
        "kind": decoded.kind,
        "glyph": LOOKS[decoded.kind].glyph,
        "arrow": ARROWS[decoded.frame.direction],
        "summary": one_line(decoded.summary),
        "sequence": decoded.sequence_num if decoded.sequence_num is None else str(decoded.sequence_num),
        "facts": list(_facts(decoded, index)),
        "content": one_line(value_text(decoded.value, MAX_CONTENT)) if decoded.has_value else "",
        "fault": "" if decoded.error is None else one_line(str(decoded.error)),
        "before": before,
        "after": after,
        "fields": fields,
        "jumps": _jumps(fields),
        "size": decoded.size,
        "proof": _proof(decoded, proofs),
        "links": [[link.relation, link.frame, link_text(index, link), index.frames[link.frame].kind]
                  for link in relations.links(number)],
        "deadlines": [[row.role, row.name, row.outcome, row.frame, row.weight] for row in relations.deadlines(number)],
        "findings": [_finding(finding) for finding in findings if number in finding.frames],
        "command": command_name(decoded),
    }  # fmt: skip


def _facts(decoded: DecodedFrame, index: FrameIndex) -> Iterator[list[str]]:
    """Name, value and weight of what no byte of the frame says."""
    frame = decoded.frame
    yield ["time", f"{frame.t - index.start:.3f} s after the first frame, {time_text(frame.t_ns)}", ""]
    yield ["socket", f"{direction_text(decoded)}, WebSocket {frame.op}, {count(decoded.size, 'byte')}", ""]
    if frame.is_http:
        yield ["http", one_line(frame.reason or "") + (f", status {frame.code}" if frame.code else ""), ""]
    elif frame.op == "close":
        reason = f" {one_line(frame.reason)}" if frame.reason else ""
        yield ["close", f"{'no code' if frame.code is None else frame.code}{reason}", ""]
    if frame.session is not None:
        yield ["session", one_line(frame.session), ""]
    if decoded.envelope is not None:
        try:
            yield ["request id", f"0x{decoded.envelope.request_id.hex()}", ""]
        except IcwsError as error:
            yield ["request id", f"cannot be computed: {one_line(str(error))}", "bad"]
    if decoded.indefinite_layers:
        yield ["encoding", f"CBOR with indefinite lengths in {', '.join(decoded.indefinite_layers)}", ""]


def field_rows(root: Node) -> list[list[Any]]:
    """Of each field, ahead of its parts: depth, name, type, value, meaning, fault, first byte, byte behind the last,
    whether there are parts, whether it only encodes, whether it is open at first. Parts beyond `MAX_NODES` are left
    out."""
    rows: list[list[Any]] = []
    top = list(islice(_parts(root), MAX_NODES))
    left = MAX_NODES - len(top)
    stack = [(node, 0) for node in reversed(top)]
    while stack:
        node, depth = stack.pop()
        parts = list(_parts(node))
        if len(parts) > left:
            parts = []
        left -= len(parts)
        rows.append(_field_row(node, depth, has_parts=bool(parts)))
        stack.extend((part, depth + 1) for part in reversed(parts))
    return rows


def _parts(node: Node) -> Iterator[Node]:
    """The parts of a node. A part that only wraps the same field (a tag, a byte string) is replaced by its own."""
    for child in node.children:
        if child.children and child.path == node.path and not child.fault:
            yield from _parts(child)
        else:
            yield child


def _field_row(node: Node, depth: int, *, has_parts: bool) -> list[Any]:
    name = node.name.rpartition(":")[2] or node.type
    encodes = is_encoding(node) or (node.type == "type table" and not node.fault)
    is_open = (depth < _OPEN_DEPTH and node.name not in _CLOSED) or any(below.fault for below in node.walk())
    return [
        depth,
        shorten(one_line(name), 120),
        shorten(one_line(node.type), 80) if node.name else "",
        "" if has_parts and node.type not in ("text", "principal") else _value(node.value, node.name),
        shorten(one_line(node.meaning), MAX_VALUE),
        shorten(one_line(node.fault or ""), MAX_VALUE),
        node.start,
        node.end,
        has_parts,
        encodes,
        is_open,
    ]


def _value(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes) and name in _PRINCIPALS:
        with contextlib.suppress(PrincipalError):
            return Principal(value).text
    if isinstance(value, bool):
        return "true" if value else "false"
    return shorten(elide(value, 20) if isinstance(value, bytes) else one_line(str(value)), MAX_VALUE)


def _jumps(fields: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """The parts that a reader looks for, with the place of their field: the message, the certificate, the witness."""
    found: dict[str, int] = {}
    for place, row in enumerate(fields):
        if row[1] in _JUMPS and row[8] and row[0] <= 3:
            found.setdefault(row[1], place)
    return [[name, found[name]] for name in _JUMPS if name in found]


def _proof(decoded: DecodedFrame, proofs: Proofs) -> dict[str, Any] | None:
    """The walk over the steps; None for a frame that proves nothing."""
    try:
        steps: tuple[Step, ...] = proofs.steps(decoded.number)
    except IcwsError as error:
        return {"heading": one_line(str(error)), "weight": "note", "steps": [], "has_trees": False}
    if not steps:
        return None
    what = "the canister's message" if decoded.canister_message is not None else "the client's request"
    heading, weight = steps_heading(what, steps)
    rows = [
        {
            "name": row.name, "mark": row.mark, "outcome": row.outcome, "detail": row.detail,
            "sides": [[name, side.short, side.full or ""] for name, side in row.sides],
        }
        for row in step_rows(steps)
    ]  # fmt: skip
    return {"heading": heading, "weight": weight, "steps": rows, "has_trees": decoded.canister_message is not None}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id, "severity": finding.severity, "explanation": one_line(finding.explanation),
        "fix": one_line(finding.fix), "frames": list(finding.frames[:20]),
    }  # fmt: skip


def command_name(decoded: DecodedFrame) -> str:
    """What `command` gives for a frame, in two words."""
    if decoded.frame.op == "request" or decoded.envelope is not None:
        return "curl command"
    return "shell command"


def command(decoded: DecodedFrame, capture: Capture) -> str:
    """A shell command that sends the same request to the network, or writes the frame to a file.

    A request is accepted until its ingress expiry only, which the command says.
    """
    network = capture.info.network_url or "https://NETWORK"
    frame = decoded.frame
    if frame.op == "request":
        method, _, target = (frame.reason or "POST /").partition(" ")
        return _curl(frame.data, network.rstrip("/") + target, method)
    if decoded.envelope is not None and decoded.envelope.canister_id is not None:
        envelope = decoded.envelope
        url = (
            f"{network.rstrip('/')}/api/v2/canister/{envelope.canister_id}/{one_line(str(envelope.request_type))[:20]}"
        )
        expiry = envelope.ingress_expiry_ns
        until = "" if expiry is None else f"# accepted until {time_text(expiry)}\n"
        return until + _curl(envelope.encode(), url, "POST")
    return f"base64 -d > frame-{decoded.number}.bin <<< {shlex.quote(b64encode(frame.data).decode())}"


def _curl(body: bytes, url: str, method: str) -> str:
    encoded = shlex.quote(b64encode(body).decode())
    sends = f" -X {shlex.quote(method)} -H 'content-type: application/cbor' --data-binary @-"
    return f"base64 -d <<< {encoded} |\n  curl -sS{sends} {shlex.quote(url)} -o answer.cbor"
