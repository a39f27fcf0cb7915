"""Three states: what failed, what passed, and what could not be checked, with what would check it."""

from __future__ import annotations

from dataclasses import replace

from icws_explore.analysis.doctor import Finding, Findings, Unchecked, diagnose
from icws_explore.capture import Capture
from icws_explore.lab.simulator import simulate
from support.hand_written import Place
from support.session_captures import healthy, settled

ERROR = Finding("BODY_HASH", "error", (), "", "", "", "")
INFO = replace(ERROR, severity="info")
MISSING = Unchecked("signatures", "no root key is known", "Name one.")


def what(capture: Capture) -> list[str]:
    return [unchecked.what for unchecked in diagnose(capture).unchecked]


class TestStates:
    def test_follow_from_findings_and_missing_checks(self) -> None:
        assert Findings().state == Findings([INFO]).state == "passed"
        assert Findings(unchecked=[MISSING]).state == "not checked"
        assert Findings([ERROR], unchecked=[MISSING]).state == "failed"

    def test_the_conclusion_never_calls_fine_what_was_not_checked(self) -> None:
        assert Findings().conclusion == "nothing is wrong"
        assert Findings(unchecked=[MISSING]).conclusion == "nothing wrong was found, but 1 check could not be made"
        assert Findings([ERROR], unchecked=[MISSING, MISSING]).conclusion == "1 error; 2 checks could not be made"
        assert "not checked: signatures: no root key is known. Name one." in str(Findings(unchecked=[MISSING]))

    def test_lists_join(self) -> None:
        one, other = Findings([ERROR], unchecked=[MISSING]), Findings([INFO], unchecked=[MISSING])
        one.add(other)
        assert (one.ids, len(one), len(one.unchecked)) == (("BODY_HASH",), 2, 2)


class TestRecordings:
    def test_one_in_which_everything_shows_passes(self) -> None:
        assert diagnose(settled()).state == "passed"

    def test_a_message_that_nothing_confirms(self) -> None:
        assert what(healthy()) == ["whether the canister received 1 message"]

    def test_without_a_root_key(self) -> None:
        capture = settled()
        bare = Capture(replace(capture.info, root_key=None), capture.frames)
        assert what(bare) == ["signatures of the certificates of 13 messages"]

    def test_a_forged_certificate_in_a_har_is_not_called_fine(self) -> None:
        place, forger = Place(), Place(root="forger")
        place.visit().starts().chats().hears(signed_by=forger.issuer)
        findings = diagnose(place.capture("har"))
        assert (list(findings), findings.state) == ([], "not checked")
        assert findings.unchecked[0].what.startswith("signatures")

    def test_one_that_begins_late(self) -> None:
        capture = settled()
        late = Capture(capture.info, capture.frames[3:])
        assert "the client key and the first sequence numbers" in what(late)

    def test_the_ends_in_a_har_and_the_types_of_messages(self) -> None:
        place = Place()
        place.visit().starts().chats().leaves()
        assert what(place.capture("har"))[-2:] == ["how the sessions ended", "the types of the application messages"]

    def test_stand_in_cryptography(self) -> None:
        assert what(simulate(duration="20s", crypto="stand-in").raw) == ["signatures and proofs"]

    def test_frames_that_were_not_recorded(self) -> None:
        capture = settled()
        torn = Capture(capture.info, capture.frames, ["line 7 left out: not JSON"])
        assert what(torn) == ["frames that were not recorded"]

    def test_nothing_given(self) -> None:
        assert what(Capture()) == ["sessions"]
