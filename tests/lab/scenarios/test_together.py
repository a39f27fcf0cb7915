"""Sessions that get into each other's way."""

from __future__ import annotations

from icws_explore.lab.scenarios import scenario


class TestPrincipalTakeover:
    def test_the_canister_forgets_the_first_tab_without_a_word(self):
        run = scenario("PRINCIPAL_TAKEOVER").run(1)
        first, second = run.truth.sessions
        assert first.client_key.client_principal == second.client_key.client_principal
        assert run.truth.of("close") == ()
        assert [m.fate == "accepted" for m in run.truth.of("message", 0)] == [True, False]
        assert {m.fate for m in run.truth.of("message", 1)} == {"accepted"}
        assert (first.close_reason, second.close_code) == ("Ack message timeout", 1000)
