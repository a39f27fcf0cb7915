"""`icws_explore.envelope_card`: who asks what, how the request id comes about, and who signed it, link by link."""

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

from ..facts import Fact, Subject, capture_of
from ..fields import distance, time_text
from ..html import View, render, style
from ..rows import elide, one_line
from ..steps import mark, outcome, step_rows
from ..text import facts_text
from .certificate import card_heading, card_style, steps_lines

MAX_FIELDS: Final = 40  # of a request; those of the protocol have seven
MAX_LINKS: Final = 20
_TEXT_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class DerivedField:
    """A row of the derivation: hashes in hex, the value as a person reads it."""

    name: str
    value: str
    name_hash: str
    value_hash: str


@dataclass(frozen=True, slots=True)
class DerivedId:
    """``fields`` in the order in which they are joined; ``fault`` instead where there is no id."""

    fields: tuple[DerivedField, ...] = ()
    joined: str = ""
    request_id: str = ""
    signed: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A delegation: whose ``pubkey`` may sign, until when, for which canisters; and what the walk says of it."""

    pubkey: str
    expiration: str
    targets: str
    verdict: str


def envelope_card(subject: Subject, number: int, *, root_key: bytes | None = None) -> View:
    """The client's request in frame ``number`` (negative: from the end), judged at the time it was sent.

    ``root_key`` (DER) judges canister signatures, as Internet Identity makes them; the capture's own unless
    given. Raises IndexError, and IcwsError for a frame that is no request.
    """
    capture = capture_of(subject)
    index = number if number >= 0 else len(capture) + number
    if not 0 <= index < len(capture):
        raise IndexError(f"there is no frame {number}: the capture holds {len(capture)}")
    decoded = decode_frame(capture[index], number=index, app_type=application_type(capture))
    envelope = decoded.envelope
    if envelope is None:
        raise IcwsError(f"frame {index} is of kind {decoded.kind}: only a client's requests are envelopes")
    steps = edit.see(Recording(capture), index, decoded, root_key=root_key).steps
    heading, weight = card_heading(f"envelope of frame {index}, {decoded.kind}", steps)
    facts = list(envelope_facts(envelope, capture[index].t))
    derived, links = derived_id(envelope), chain_links(envelope, capture[index].t, steps)
    body = render(
        "envelope_card.html.j2", heading=heading, weight=weight, head_facts=facts, derived=derived, links=links,
        rows=step_rows(steps),
    )  # fmt: skip
    text = "\n".join([heading, facts_text(facts, width=_TEXT_WIDTH), *_lines(derived, links), "", *steps_lines(steps)])
    return View(str(render("view.html.j2", style=style() + card_style(), text=text, body=body)), text)


def envelope_facts(envelope: Envelope, sent_s: float) -> Iterator[Fact]:
    """Who asks whom for what, until when. ``sent_s`` is in s since the epoch."""
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
    """The request id of ``envelope``, field by field, as hex."""
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
    left = len(found.fields) - len(fields)
    joined = f"{len(found.joined)} bytes: {len(found.fields)} × (hash of name ‖ hash of value), in this order"
    return DerivedId(
        fields, f"{joined}; {left} more fields not shown" if left else joined,
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
    """The delegations from the sender's root key to the key that signs, with the steps that judge them."""
    judged = [step for step in steps if step.step == "delegation"]
    links = []
    for number, link in enumerate((envelope.sender_delegation or ())[:MAX_LINKS]):
        inner = link.delegation
        step = judged[number] if number < len(judged) else None
        targets = inner.targets
        links.append(
            ChainLink(
                elide(inner.pubkey, 32),
                f"{time_text(inner.expiration_ns)}, {distance(inner.expiration_ns, sent_s, 'sent')}",
                "every canister" if targets is None else ", ".join(str(t) for t in targets[:20]) or "none",
                "– not judged" if step is None else f"{mark(step.ok)} {outcome(step.ok)}: {one_line(step.detail)}",
            )
        )
    return links


def _lines(derived: DerivedId, links: list[ChainLink]) -> Iterator[str]:
    yield ""
    yield "request id, field by field (each: SHA-256)"
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
