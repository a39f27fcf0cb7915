"""Proofs without a root key, and finding the key that fits."""

from __future__ import annotations

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.doctor.proofs import check_without_root_key, is_certified_under, matching_root_key
from icws_explore.protocol.constants import MAINNET_ROOT_KEY, NS_PER_S
from icws_explore.protocol.messages import CanisterMessage
from support.hand_written import Place


class TestCheckButSignature:
    def steps(self, cert, now_s):
        return check_without_root_key(
            cert, canister_id=None, root_key=b"", now_ns=round(now_s * NS_PER_S), max_age_s=300
        )

    def test_judges_the_time_alone(self):
        place = Place()
        cert = place.wrapped(b"x").cert
        certificate, steps = self.steps(cert, place.now)
        assert certificate is not None
        assert [(step.step, step.ok) for step in steps] == [
            ("parse", True),
            ("delegation", None),
            ("signature", None),
            ("time", True),
        ]
        assert self.steps(cert, place.now + 301)[1][-1].ok is False

    def test_what_is_no_certificate(self):
        assert [(step.step, step.ok) for step in self.steps(b"\x00", 0)[1]] == [("parse", False)]


class TestFittingRootKey:
    def test_the_one_that_certified(self):
        place = Place()
        frames = list(decode_frames(place.visit().starts().place.capture()))
        assert matching_root_key(frames, [MAINNET_ROOT_KEY, place.root_key]) == place.root_key
        assert matching_root_key(frames, [MAINNET_ROOT_KEY]) is None
        assert matching_root_key(frames[:2], [place.root_key]) is None

    def test_an_altered_message_among_the_first(self):
        place = Place()

        def cut(message: CanisterMessage) -> CanisterMessage:
            return CanisterMessage(message.key, message.content, b"\x00", message.tree)

        visit = place.visit().handshake().asks().opens(altered=cut).hears()
        assert matching_root_key(decode_frames(place.capture()), [place.root_key]) == place.root_key
        assert not is_certified_under(list(decode_frames(visit.place.capture()))[2], place.root_key)
