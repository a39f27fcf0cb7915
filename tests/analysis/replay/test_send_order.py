"""Numbers that left the other way round, as in tests/node/test_real_sdk_faults.py the real SDK lets them."""

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.replay.client import Numbering, SendOrder
from icws_explore.analysis.replay.replay import replay
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.service_messages import AckMessage, KeepAliveMessage
from support.session_captures import SessionScript

TEXT = "Message sending failed: Error: Sequence number 1 is not greater than last: 2"


def raced() -> SessionScript:
    """An ack comes while message 1 is being signed, so that its keep-alive, number 2, leaves first."""
    script = SessionScript().opened().canister_says(5.0, AckMessage(0))
    script.client_says(5.1, KeepAliveMessage(2), sequence_num=2)
    return script


def refusals(script: SessionScript) -> list[str]:
    order = SendOrder(330_000)
    return [text for decoded in decode_frames(script.capture) if (text := order.feed(decoded)) is not None]


class TestSendOrder:
    def test_a_message_after_the_keep_alive_that_overtook_it(self) -> None:
        assert refusals(raced().client_says(5.4, "late", sequence_num=1)) == [TEXT]

    def test_a_keep_alive_after_a_message_that_overtook_it(self) -> None:
        script = SessionScript().opened().canister_says(5.0, AckMessage(0)).client_says(5.1, "quick", sequence_num=2)
        assert refusals(script.client_says(5.4, KeepAliveMessage(2), sequence_num=1)) == [TEXT]

    def test_two_messages_are_in_one_queue_and_cannot_race(self) -> None:
        script = SessionScript().opened().client_says(5.0, "two", sequence_num=2)
        assert refusals(script.client_says(5.1, "one", sequence_num=1)) == []

    def test_what_was_acknowledged_does_not_block(self) -> None:
        script = raced().canister_says(7.0, AckMessage(2)).client_says(7.1, "late", sequence_num=1)
        assert refusals(script) == []

    def test_an_ack_too_high_is_another_matter(self) -> None:
        assert refusals(raced().canister_says(7.0, AckMessage(9)).client_says(7.1, "late", sequence_num=1)) == [TEXT]

    def test_in_order(self) -> None:
        script = SessionScript().opened().client_says(3.0, "one").acked(5.0).client_says(6.0, "three")
        assert refusals(script) == []

    def test_another_clients_key_changes_nothing(self) -> None:
        script = raced()
        script.client_key = ClientKey(script.client_key.client_principal, 1)
        assert refusals(script.client_says(5.4, "late", sequence_num=1)) == [TEXT]


class TestNumbering:
    """The numbers that leave, each given to the frame in front of the first that is wrong."""

    def wrong(self, *numbers: int, kinds: str = "", ends: bool = True) -> tuple[int, int] | None:
        """``kinds`` says k for a keep-alive, else it is a message; gives the frame and the number it should have."""
        script = SessionScript().opened().canister_says(5.0, AckMessage(0))
        for at, number in enumerate(numbers):
            what = KeepAliveMessage(2) if kinds[at : at + 1] == "k" else "x"
            script.client_says(6.0 + at, what, sequence_num=number)
        numbering = Numbering()
        sent = [decoded for decoded in decode_frames(script.capture) if decoded.kind in ("message", "keep_alive")]
        found = next((misplaced for misplaced in map(numbering.check, sent) if misplaced is not None), None)
        found = found or (numbering.end() if ends else None)
        return None if found is None else (sent.index(found[0]), found[1])

    def test_in_order(self) -> None:
        assert self.wrong(1, 2, 3) is None

    def test_a_race(self) -> None:
        assert self.wrong(2, 1, 3, kinds="k") is None
        assert self.wrong(2, 1, 3, kinds="mk") is None
        assert self.wrong(1, 3, 2, 4, kinds="mk") is None

    def test_two_messages_do_not_race(self) -> None:
        assert self.wrong(2, 1) == (0, 1)

    def test_a_gap(self) -> None:
        assert self.wrong(1, 3, 4) == (1, 2)
        assert self.wrong(1, 9) == (1, 2)

    def test_a_gap_at_the_end(self) -> None:
        assert self.wrong(1, 3, kinds="mk") == (1, 2)
        assert self.wrong(1, 3, kinds="mk", ends=False) is None

    def test_a_number_twice(self) -> None:
        assert self.wrong(1, 1) == (1, 2)


class TestInAReplay:
    def test_the_close_is_foretold_and_the_race_is_the_sdks_own(self) -> None:
        script = raced().client_says(5.4, "late", sequence_num=1).closed(5.5, "out", 4000, "Message sending failed")
        done = replay(script.capture)
        assert done.client is None, str(done.client)
        predicted = done.predicted_close
        assert predicted is not None
        assert (predicted.code, predicted.reason, predicted.frame) == (4000, "Message sending failed", 5)
        assert predicted.error == TEXT
        assert done.recorded_close is script.capture.frames[-1]

    def test_numbers_that_only_jump_foretell_nothing(self) -> None:
        assert replay(raced().capture).predicted_close is None
