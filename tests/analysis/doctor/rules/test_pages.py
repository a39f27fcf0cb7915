"""Sockets that a browser could not open, and pages that call as somebody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Capture, Frame, PageCall, SessionInfo
from icws_explore.capture.upgrade import Upgrade
from icws_explore.protocol.envelope import query_content, sign_envelope
from support.hand_written import BEGIN_S, Place, canister, key_of

URL = "wss://gateway.example/"


def failed(**how: object) -> Capture:
    upgrade = Upgrade(URL, **how)  # type: ignore[arg-type]
    return Capture(SessionInfo(origin="har"), [upgrade.frame(BEGIN_S, None)])


class TestNeverOpened:
    @pytest.mark.parametrize(
        ("error", "meaning", "fix"),
        [
            ("net::ERR_CERT_DATE_INVALID", "has expired", "Renew"),
            ("net::ERR_CERT_COMMON_NAME_INVALID", "another host name", "host name"),
            ("net::ERR_CERT_AUTHORITY_INVALID", "does not trust", "public authority"),
            ("net::ERR_NAME_NOT_RESOLVED", "does not exist (DNS)", "typing error"),
            ("net::ERR_CONNECTION_REFUSED", "nothing listens", "Start the gateway"),
            ("net::ERR_CONNECTION_TIMED_OUT", "does not answer", "reachable"),
            ("Connection refused", "nothing listens", "Start the gateway"),
            ("it does not answer", "does not answer", "reachable"),
            ("Name or service not known", "does not exist (DNS)", "typing error"),
            ("certificate has expired", "has expired", "Renew"),
            ("self-signed certificate", "does not trust", "public authority"),
            ("No route to host", "no way to that host", "network"),
            ("empty response", "without an answer", "port"),
            ("something that is not an HTTP answer", "does not speak HTTP", "port"),
            ("NS_ERROR_UNKNOWN_HOST", "does not exist (DNS)", "typing error"),
            ("something else", "does not say more", "console"),
        ],
    )
    def test_says_what_the_error_means(self, error: str, meaning: str, fix: str) -> None:
        (finding,) = diagnose(failed(error=error))
        assert (finding.id, finding.severity) == ("SOCKET_NEVER_OPENED", "error")
        assert meaning in finding.explanation
        assert error in finding.explanation
        assert fix in finding.fix

    def test_neither_an_answer_nor_an_error(self) -> None:
        (finding,) = diagnose(failed())
        assert (finding.id, finding.severity) == ("SOCKET_NEVER_OPENED", "warning")
        assert "saved before it answered" in finding.explanation
        assert "console" in finding.fix

    @pytest.mark.parametrize(
        ("status", "meaning", "fix"),
        [
            (200, "does not pass the upgrade on", "proxy_set_header Upgrade"),
            (400, "removes the Upgrade headers", "proxy_set_header Upgrade"),
            (426, "removes the Upgrade headers", "proxy_set_header Upgrade"),
            (404, "nothing at this path", "Check the gateway URL"),
            (502, "does not reach the gateway", "runs"),
            (418, "not a gateway", "Check the gateway URL"),
        ],
    )
    def test_says_what_the_status_means(self, status: int, meaning: str, fix: str) -> None:
        (finding,) = diagnose(failed(status=status))
        assert f"answered {status} instead of 101" in finding.explanation
        assert meaning in finding.explanation
        assert fix in finding.fix

    def test_a_subprotocol_that_is_not_confirmed(self) -> None:
        (finding,) = diagnose(failed(status=101, error="net::ERR_FAILED", asked="icws"))
        assert finding.id == "SUBPROTOCOL"
        assert "undefined" in finding.fix

    def test_one_that_is_confirmed_failed_for_another_reason(self) -> None:
        assert diagnose(failed(status=101, error="net::ERR_FAILED", asked="a", confirmed="a")).ids == (
            "SOCKET_NEVER_OPENED",
        )


class TestCallerMismatch:
    def calls(self, *callers: str, to: str | None = None) -> tuple[str, ...]:
        place = Place()
        place.visit().starts().chats()
        capture = place.capture("har")
        capture.page_calls += [PageCall(BEGIN_S, to or str(place.canister_id), caller) for caller in callers]
        return diagnose(capture).ids

    def test_the_page_calls_with_another_principal(self) -> None:
        assert self.calls(str(key_of("bob").principal)) == ("CALLER_MISMATCH",)

    def test_a_call_through_the_tap_is_the_page_s_too(self) -> None:
        """A gateway calls only the methods of the CDK."""
        place = Place()
        place.visit().starts().chats()
        capture, bob = place.capture("tap"), key_of("bob")
        for method, expected in (("ws_get_messages", ()), ("greet", ("CALLER_MISMATCH",))):
            content = query_content(place.canister_id, method, b"", bob.principal, 10**18)
            body = sign_envelope(content, bob).encode()
            asked = Frame(BEGIN_S + 1, "out", "request", body, reason="POST /api/v2/canister/x/query", session="http-9")
            assert diagnose(replace(capture, frames=[*capture.frames, asked])).ids == expected

    def test_not_if_the_sockets_principal_calls_as_well(self) -> None:
        assert self.calls(str(key_of("bob").principal), str(key_of("alice").principal)) == ()

    def test_not_for_anonymous_calls_nor_for_other_canisters(self) -> None:
        assert self.calls("2vxsx-fae") == ()
        assert self.calls(str(key_of("bob").principal), to=str(canister(3))) == ()
