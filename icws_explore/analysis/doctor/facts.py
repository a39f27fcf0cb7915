"""What a capture says, derived once for all rules: decoded frames, proofs, keys, and its sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final

from icws_explore.capture import Capture
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.principal import Principal

from ..decode import DecodedFrame, shared_frames
from ..envelopes import EnvelopeVerdict, capture_canister, check_frames
from ..verify import MessageVerdict, verify_frames
from .keyless import check_but_signature, fitting_root_key
from .network_side import NetworkSide
from .session_facts import LOST, NO_CODE, TOLERANCE_S, SessionFacts

BUSY_S: Final = 0.5  # real seconds
SWITCHING_PROTOCOLS: Final = 101  # an HTTP status

__all__ = ["LOST", "NO_CODE", "TOLERANCE_S", "CaptureFacts", "SessionFacts"]


class CaptureFacts:
    """A capture and its sessions. ``root_key`` (DER) and ``canister_id`` override the capture's own.

    ``known_root_keys`` are those under which a certificate may verify instead; mainnet's is one always,
    and so are the capture's and those that a network named in the recording.
    """

    def __init__(
        self,
        capture: Capture,
        *,
        root_key: bytes | None = None,
        canister_id: Principal | None = None,
        known_root_keys: Iterable[bytes] = (),
        frames: Sequence[DecodedFrame] | None = None,
    ) -> None:
        self.capture = capture
        self._frames = frames
        self._named_key = capture.info.root_key if root_key is None else root_key
        self.canister_id = canister_id or capture_canister(capture)
        self.network = NetworkSide(capture)
        recorded = () if capture.info.root_key is None else (capture.info.root_key,)
        known = (*known_root_keys, *self.network.root_keys, *recorded, MAINNET_ROOT_KEY)
        self.known_root_keys: tuple[bytes, ...] = tuple(dict.fromkeys(known))
        self.is_judged = capture.info.crypto == "real"  # else no signature was ever meant to hold

    @property
    def jitter_s(self) -> float:
        """What a scaled clock makes of a moment in which a machine was busy: too little to conclude from."""
        clock = self.capture.info.clock
        return BUSY_S * clock.scale if clock.kind == "scaled" else 0.0

    @cached_property
    def frames(self) -> list[DecodedFrame]:
        return list(shared_frames(self.capture) if self._frames is None else self._frames)

    @cached_property
    def root_key(self) -> bytes | None:
        """As given or recorded, DER; else that of the known ones under which the first messages were certified."""
        if self._named_key is not None or not self.is_judged:
            return self._named_key
        return fitting_root_key(self.frames, self.known_root_keys)

    @cached_property
    def sessions(self) -> tuple[SessionFacts, ...]:
        by_name: dict[str | None, list[DecodedFrame]] = {}
        for decoded in self.frames:
            if not decoded.frame.is_http:
                by_name.setdefault(decoded.frame.session, []).append(decoded)
        return tuple(SessionFacts(self, name, frames) for name, frames in by_name.items())

    @cached_property
    def upgrades(self) -> Mapping[str | None, float]:
        """By session, when its WebSocket was opened: a tap records it of gateways that then say nothing."""
        return {f.session: f.t for f in self.capture.http if f.op == "response" and f.code == SWITCHING_PROTOCOLS}

    @cached_property
    def verdicts(self) -> Mapping[int, MessageVerdict]:
        """By frame number, the walk over each canister message; without the signatures where no root key is known."""
        if not self.is_judged:
            return {}
        walked = verify_frames(
            self.frames,
            self.capture,
            root_key=self.root_key or b"",
            canister_id=self.canister_id,
            check_certificate=check_but_signature if self.root_key is None else check_certificate,
        )
        return {verdict.frame: verdict for verdict in walked}

    @cached_property
    def envelope_verdicts(self) -> Mapping[int, EnvelopeVerdict]:
        """By frame number, the walk over each request of a client; not over those that the network took up."""
        if not self.is_judged:
            return {}
        admitted = {number for number, call in self.network.answers.items() if call.is_admitted}
        frames = (decoded for decoded in self.frames if decoded.number not in admitted)
        walked = check_frames(frames, root_key=self.root_key, canister_id=self.canister_id)
        return {verdict.frame: verdict for verdict in walked}
