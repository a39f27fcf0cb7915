"""`icws_explore.envelope_card`: a request of the client, how its request id is computed, and who signed it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from icws_explore.analysis import edit
from icws_explore.analysis.decode import application_type, decode_frame, value_text
from icws_explore.analysis.envelopes import derivation
from icws_explore.analysis.recording import Recording
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import IcwsError, PrincipalError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step
from icws_explore.protocol.wording import time_text

from ..facts import Fact
from ..fields import targets_text
from ..formatting import count, distance, elide, one_line
from ..html import TEXT_WIDTH, View, render, view_of
from ..source import RecordingLike, capture_of, frame_index
from ..steps import mark, outcome, step_rows, steps_heading
from ..text import facts_lines, plain, step_rows_lines

MAX_FIELDS: Final = 40  # of a request; those of the protocol have seven
MAX_LINKS: Final = 20  # of a delegation chain


@dataclass(frozen=True, slots=True)
class DerivedField:
    """A row of the derivation: a field with its value, and the hashes of both in hexadecimal."""

    name: str
    value: str
    name_hash: str
    value_hash: str


@dataclass(frozen=True, slots=True)
class DerivedId:
    """The request id. ``fields`` are in the order of their hashes when joined. ``fault`` says why there is no id."""

    fields: tuple[DerivedField, ...] = ()
    joined: str = ""
    request_id: str = ""
    signed: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One delegation: the key that may sign, until when and for which canisters, and the outcome of its check."""

    pubkey: str
    expiration: str
    targets: str
    verdict: str


def envelope_card(recording: RecordingLike, number: int, *, root_key: bytes | None = None) -> View:
    """Show the client's request in frame ``number`` (negative: from the end), checked at the time it was sent.

    Canister signatures, as those of Internet Identity, are checked under ``root_key`` (DER), by default the
    recording's. Raises IndexError, and IcwsError for a frame that is no request.
    """
    capture = capture_of(recording)
    index = frame_index(capture, number)
    decoded = decode_frame(capture[index], number=index, app_type=application_type(capture))
    envelope = decoded.envelope
    if envelope is None:
        raise IcwsError(f"frame {index} is of kind {decoded.kind}; only requests of the client have an envelope")
    steps = edit.see(Recording(capture), index, decoded, root_key=root_key).steps
    heading, weight = steps_heading(f"envelope of frame {index}, {decoded.kind}", steps)
    facts = list(_facts(envelope, capture[index].t))
    derived, links = derived_id(envelope), chain_links(envelope, capture[index].t, steps)
    body = render(
        "envelope_card.html.j2", heading=heading, weight=weight, head_facts=facts, derived=derived, links=links,
        rows=step_rows(steps),
    )  # fmt: skip
    lines = [heading, plain(facts_lines(facts, width=TEXT_WIDTH)), *_lines(derived, links), ""]
    lines.append(plain(step_rows_lines(step_rows(steps), width=TEXT_WIDTH)))
    return view_of(body, "\n".join(lines), "cards.css")


def _facts(envelope: Envelope, sent_s: float) -> Iterator[Fact]:
    """The content of the request in short. ``sent_s`` is in seconds since the epoch."""
    yield Fact("request", f"{one_line(str(envelope.request_type))[:40]} {one_line(envelope.method_name or '')[:80]}")
    yield Fact("canister", "none" if envelope.canister_id is None else str(envelope.canister_id))
    yield Fact("sender", "none" if envelope.sender is None else str(envelope.sender))
    expiry = envelope.ingress_expiry_ns
    if expiry is None:
        yield Fact("ingress_expiry", "none", "bad")
    else:
        yield Fact("ingress_expiry", f"{time_text(expiry)}, {distance(expiry, sent_s, 'sent')}")
    for name, value in (("sender_pubkey", envelope.sender_pubkey), ("sender_sig", envelope.sender_sig)):
        yield Fact(name, "none" if value is None else elide(value, 32))


def derived_id(envelope: Envelope) -> DerivedId:
    """How the request id is computed, field by field. Source: interface specification, "Request ids"."""
    try:
        found = derivation(envelope)
    except IcwsError as error:
        return DerivedId(fault=one_line(str(error)))
    fields = tuple(
        DerivedField(
            one_line(each.name[:80]), _value(each.name, each.value), each.name_hash.hex(), each.value_hash.hex()
        )
        for each in found.fields[:MAX_FIELDS]
    )
    left_out = len(found.fields) - len(fields)
    joined = f"{len(found.joined)} bytes: {len(found.fields)} × (hash of name ‖ hash of value), in this order"
    return DerivedId(
        fields, f"{joined}; {count(left_out, 'more field')} not shown" if left_out else joined,
        f"0x{found.request_id.hex()}", f"0x{found.signed_bytes.hex()}",
    )  # fmt: skip


def _value(name: str, value: Any) -> str:
    if name in ("canister_id", "sender") and isinstance(value, bytes):
        try:
            return str(Principal(value))
        except PrincipalError:
            return elide(value)
    if name == "ingress_expiry" and isinstance(value, int):
        return f"{value} ns, {time_text(value)}"
    return elide(value) if isinstance(value, bytes) else one_line(value_text(value, 120))


def chain_links(envelope: Envelope, sent_s: float, steps: tuple[Step, ...]) -> list[ChainLink]:
    """The delegations from the sender's own key to the key that signed, with the steps that check them."""
    checked = [step for step in steps if step.step == "delegation"]
    links = []
    for number, link in enumerate((envelope.sender_delegation or ())[:MAX_LINKS]):
        inner = link.delegation
        step = checked[number] if number < len(checked) else None
        ok = None if step is None else step.ok
        detail = "" if step is None else f": {one_line(step.detail)}"
        links.append(
            ChainLink(
                elide(inner.pubkey, 32),
                f"{time_text(inner.expiration_ns)}, {distance(inner.expiration_ns, sent_s, 'sent')}",
                targets_text(inner.targets),
                f"{mark(ok)} {outcome(ok)}{detail}",
            )
        )
    return links


def _lines(derived: DerivedId, links: list[ChainLink]) -> Iterator[str]:
    yield ""
    yield "request id, field by field (hash of name ‖ hash of value, both SHA-256)"
    if derived.fault:
        yield f"  cannot be computed: {derived.fault}"
    for field in derived.fields:
        yield f"  {field.name} = {field.value}"
        yield f"    {field.name_hash} ‖ {field.value_hash}"
    if derived.request_id:
        yield f"  joined      {derived.joined}"
        yield f"  request_id  {derived.request_id}"
        yield f"  signed      {derived.signed}"
    yield ""
    yield "delegation chain" if links else "no delegation: the sender's own key signs"
    for number, link in enumerate(links, 1):
        yield f"  {number}. pubkey {link.pubkey}"
        yield f"     until {link.expiration}, for {link.targets}"
        yield f"     {link.verdict}"
