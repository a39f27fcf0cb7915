from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

import icws_explore as icws
from icws_explore.analysis.recording import Recording
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import REQUEST_DOMAIN, Envelope, call_content, sign_envelope
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.keys.identity import delegate_to
from icws_explore.protocol.principal import Principal
from icws_explore.views.cards.envelope import chain_links, derived_id
from support.certified_canister import CANISTER_ID
from support.markup import Markup
from support.proofs import HOSTILE_TEXT, frame_of, simulated, with_frame

HARMLESS = {
    "div", "style", "pre", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "span", "details", "summary",
    "section", "h5", "code", "p", "ul", "ol", "li", "br",
}  # fmt: skip
MESSAGE = frame_of(simulated(), "message")


def with_envelope(envelope: Envelope) -> Recording:
    frame = replace(simulated().raw.frames[MESSAGE], data=envelope.encode_frame())
    return with_frame(simulated(), MESSAGE, frame)


def delegated(*, targets: list[Principal] | None = None) -> Recording:
    """Signed by a session key, two links away from the sender's own key."""
    root, middle, session = (Ed25519Identity.from_secret(bytes([n]) * 32) for n in (1, 2, 3))
    sent_ns = round(simulated().raw.frames[MESSAGE].t * NS_PER_S)
    first = delegate_to(root, middle, expiration_ns=sent_ns + 3600 * NS_PER_S)
    identity = delegate_to(first, session, expiration_ns=sent_ns + 60 * NS_PER_S, targets=targets)
    content = call_content(CANISTER_ID, "ws_message", b"DIDL\0\0", identity.principal, sent_ns + 10**11, b"n" * 16)
    return with_envelope(sign_envelope(content, identity))


def hostile() -> Recording:
    original = simulated()[MESSAGE].envelope
    assert original is not None
    content = {**original.content, "method_name": HOSTILE_TEXT, HOSTILE_TEXT: {"<b>": [HOSTILE_TEXT]}}
    return with_envelope(replace(original, content=content))


CARDS = {"message": simulated, "delegated": delegated, "hostile": hostile}


def words(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("name", CARDS)
class TestAnyCard:
    def test_contains_nothing_active(self, name: str) -> None:
        view = icws.envelope_card(CARDS[name](), MESSAGE)
        page = Markup(view.html)
        assert page.tags <= HARMLESS
        assert page.handlers == []
        assert view.html.count("</style>") == 1

    def test_says_the_same_in_both(self, name: str) -> None:
        recording = CARDS[name]()
        view = icws.envelope_card(recording, MESSAGE)
        assert Markup(view.html).twin == view.text
        seen, twin = words(Markup(view.html).text), words(view.text)
        envelope, sent_s = recording[MESSAGE].envelope, recording.raw.frames[MESSAGE].t
        assert envelope is not None
        derived = derived_id(envelope)
        parts = [part for field in derived.fields for part in (field.name, field.value, field.value_hash)]
        parts += [derived.request_id, derived.signed, derived.fault]
        for link in chain_links(envelope, sent_s, ()):
            parts += [link.pubkey, link.expiration, link.targets]
        assert [part for part in parts if words(part) not in seen] == []
        assert [part for part in parts if words(part) not in twin] == []


class TestDerivation:
    def test_of_joined_fields_is_the_request_id(self) -> None:
        envelope = simulated()[MESSAGE].envelope
        assert envelope is not None
        derived = derived_id(envelope)
        joined = b"".join(bytes.fromhex(field.name_hash + field.value_hash) for field in derived.fields)
        assert derived.request_id == f"0x{sha256(joined).hexdigest()}" == f"0x{envelope.request_id.hex()}"
        assert derived.signed == f"0x{REQUEST_DOMAIN.hex()}{envelope.request_id.hex()}"

    def test_has_the_fields_of_the_request(self) -> None:
        envelope = simulated()[MESSAGE].envelope
        assert envelope is not None
        assert {field.name for field in derived_id(envelope).fields} == set(envelope.content)

    def test_of_impossible_content_says_why_there_is_none(self) -> None:
        assert "negative" in derived_id(Envelope({"ingress_expiry": -1})).fault


class TestDelegations:
    def test_are_shown_link_by_link_with_their_outcome(self) -> None:
        view = icws.envelope_card(delegated(), MESSAGE)
        assert repr(view).splitlines()[0].startswith("✓ envelope")
        assert "✓ passed: link 1 of 2" in view.text
        assert "✓ passed: link 2 of 2" in view.text
        assert Markup(view.html).count("icws-links") == 1

    def test_for_another_canister_fail(self) -> None:
        view = icws.envelope_card(delegated(targets=[Principal.MANAGEMENT]), MESSAGE)
        assert repr(view).splitlines()[0].endswith("delegation failed")
        assert "✗ failed: link 2 of 2" in view.text
        assert "for aaaaa-aa" in view.text


class TestOtherFrames:
    def test_have_no_envelope(self) -> None:
        with pytest.raises(IcwsError, match="handshake"):
            icws.envelope_card(simulated(), 0)
        with pytest.raises(IndexError, match="there is no frame -999"):
            icws.envelope_card(simulated(), -999)
