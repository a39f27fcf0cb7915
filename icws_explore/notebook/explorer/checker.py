"""Verifies the frames of a growing recording in a thread of its own, and lets the doctor look at it.

Both take long where there are many frames, and the explorer has to answer meanwhile. The thread waits while nothing
is appended. What it finds goes to three callbacks, at most `MAX_TELLS_PER_S` times a second, on this thread.

Python's search for cycles among all objects stops every thread: for a third of a second where there are 20,000 frames.
There is none while a thread works; what it would have found is found when they all wait. Young objects are searched
as ever.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.doctor import Findings, diagnose
from icws_explore.analysis.doctor.proofs import check_without_root_key, matching_root_key
from icws_explore.analysis.envelopes import EnvelopeVerdict, capture_canister, check_frames
from icws_explore.analysis.network_calls import recorded_root_keys
from icws_explore.analysis.recording import Recording
from icws_explore.analysis.verify import MessageVerdict, verify_frames
from icws_explore.capture import Capture
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step
from icws_explore.views.formatting import one_line
from icws_explore.views.proof import Proof, proof_of_frame

from .frame_index import FrameIndex, ProofState

MAX_TELLS_PER_S: Final = 5
_SHARE: Final = 4  # a diagnosis that took d seconds is not made again for 4 d
_SETTLE_S: Final = 0.3  # without new frames, before the doctor looks
_AT_LEAST_S: Final = 2.0  # between two diagnoses
_NEVER: Final = 2**31 - 1  # searches among younger objects before there is one among all


class _FullCollections:
    """Holds up Python's search for cycles among all objects while any thread is inside `held`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._usual = 0  # the threshold before

    @contextmanager
    def held(self) -> Iterator[None]:
        self._hold(1)
        try:
            yield
        finally:
            self._hold(-1)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """The opposite, for a while inside `held`."""
        self._hold(-1)
        try:
            yield
        finally:
            self._hold(1)

    def _hold(self, more: int) -> None:
        with self._lock:
            before, self._holders = self._holders, self._holders + more
            young, middle, full = gc.get_threshold()
            if before == 0:
                self._usual = full
                gc.set_threshold(young, middle, _NEVER)
            elif self._holders == 0:
                gc.set_threshold(young, middle, self._usual)


_full_collections: Final = _FullCollections()


class Proofs:
    """Verifies single frames of a recording as of the time at which they passed, whatever their number."""

    def __init__(self, index: FrameIndex) -> None:
        self.index = index
        self._root_key: bytes | None = None
        self._looked_at = -1

    @property
    def root_key(self) -> bytes | None:
        """The root key (DER): the recorded one, else a known one under which the first messages are certified."""
        named = self.index.recording.info.root_key
        if named is not None or self.index.recording.info.crypto != "real":
            return named
        with self.index.lock:
            if self._root_key is None and self._looked_at < min(len(self.index.frames), 1000):
                self._looked_at = len(self.index.frames)
                known = [*recorded_root_keys(self.index.recording.raw), MAINNET_ROOT_KEY]
                self._root_key = matching_root_key(self.index.frames, known)
            return self._root_key

    @property
    def canister_id(self) -> Principal | None:
        """The canister that the recording is about; None if its sessions use several."""
        return capture_canister(self.index.recording.raw)

    def steps(self, number: int) -> tuple[Step, ...]:
        """The steps of verifying frame ``number``; none for a frame that proves nothing.

        Raises IcwsError for simulated cryptography.
        """
        decoded = self.index.frames[number]
        if decoded.frame.direction == "out" and decoded.frame.op == "binary":
            self._need_crypto()
            return next(iter(check_frames([decoded], root_key=self.root_key, canister_id=self.canister_id))).steps
        if decoded.canister_message is None:
            return (Step("parse", False, one_line(decoded.summary)),) if decoded.kind == "malformed" else ()
        key = self.root_key
        *_, verdict = verify_frames(
            self._context(number), self.index.recording.raw, root_key=key or b"", canister_id=self.canister_id,
            check_certificate=check_without_root_key if key is None else check_certificate,
        )  # fmt: skip
        return verdict.steps

    def _need_crypto(self) -> None:
        crypto = self.index.recording.info.crypto
        if crypto != "real":
            raise IcwsError(f"there is nothing to check: the recording was simulated with {crypto} cryptography")

    def _context(self, number: int) -> list[DecodedFrame]:
        """The ws_open of a frame's session, the canister message before it, and the frame itself."""
        with self.index.lock:
            frames = self.index.frames
            mine = frames[number].frame.session
            opened = self._open_request(number, mine)
            messages = (
                earlier
                for earlier in reversed(frames[:number])
                if earlier.frame.session == mine and earlier.canister_message is not None
            )
            before = next((message for message in messages if message.sequence_num is not None), None)
            return [decoded for decoded in (opened, before, frames[number]) if decoded is not None]

    def _open_request(self, number: int, session: str | None) -> DecodedFrame | None:
        instants = self.index.instants.sessions.get(session)
        asked = None if instants is None else instants.asked
        return None if asked is None or asked.frame >= number else self.index.frames[asked.frame]

    def proof(self, number: int) -> Proof:
        """The proof in frame ``number`` with its hash trees. Raises IcwsError for a frame without one."""
        context = self._context(number)
        capture = Capture(self.index.recording.info, [decoded.frame for decoded in context])
        return proof_of_frame(Recording(capture), len(context) - 1, root_key=self.root_key)


class Checker:
    """The thread. ``start`` begins it, `wake` tells of new frames, `stop` ends it; twice is once."""

    def __init__(
        self,
        index: FrameIndex,
        proofs: Proofs,
        *,
        on_proofs: Callable[[dict[int, ProofState]], None],
        on_findings: Callable[[Findings], None],
        on_status: Callable[[str], None],
    ) -> None:
        self._index = index
        self._proofs = proofs
        self._on_proofs, self._on_findings, self._on_status = on_proofs, on_findings, on_status
        self._wake = threading.Event()
        self._stopped = False
        self._diagnosed = -1  # how many frames the doctor has seen
        self._next_diagnosis = 0.0  # by the machine's monotonic clock
        self._waiting: dict[int, ProofState] = {}
        self._told_at = 0.0
        self._is_busy = False
        self.first_diagnosis = threading.Event()
        self._thread = threading.Thread(target=self._run, name="icws-explorer-checks", daemon=True)

    def start(self) -> None:
        """Begin to verify."""
        self._thread.start()

    def wake(self) -> None:
        """New frames are in the index."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread. What it does at the moment, it finishes; its results are not told any more."""
        self._stopped = True
        self._wake.set()

    def join(self, timeout_s: float) -> None:
        """Wait at most ``timeout_s`` real seconds until the thread has ended."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            with _full_collections.held():
                self._check()
        except Exception as error:  # noqa: BLE001  # in a thread nobody would see it
            self._on_status(f"the checks have ended: {type(error).__name__}: {one_line(str(error))}")
        finally:
            self.first_diagnosis.set()

    def _check(self) -> None:
        while not self._stopped and not self._index.frames:
            self._wait(None)
        capture = self._index.recording.raw
        if capture.info.crypto != "real":
            self._on_status(f"proofs not checked: simulated with {capture.info.crypto} cryptography")
            for _ in self._stream():
                pass
            return
        key = self._proofs.root_key
        verdicts = verify_frames(
            self._requests_checked(), capture, root_key=key or b"", canister_id=self._proofs.canister_id,
            check_certificate=check_without_root_key if key is None else check_certificate,
        )  # fmt: skip
        for verdict in verdicts:
            self._judged(verdict)

    def _requests_checked(self) -> Iterator[DecodedFrame]:
        """The frames as they come; the client's requests are checked in passing."""
        for decoded in self._stream():
            for verdict in check_frames(
                [decoded], root_key=self._proofs.root_key, canister_id=self._proofs.canister_id
            ):
                self._judged(verdict)
            if decoded.kind == "malformed" and decoded.frame.direction == "in" and decoded.canister_message is None:
                self._waiting[decoded.number] = "failed"  # it should have been one, and cannot be read
            yield decoded

    def _judged(self, verdict: MessageVerdict | EnvelopeVerdict) -> None:
        self._waiting[verdict.frame] = "failed" if verdict.failure else "passed" if verdict.ok else "unchecked"
        now = time.monotonic()
        if now - self._told_at >= 1 / MAX_TELLS_PER_S:
            self._tell(f"checking proofs: frame {verdict.frame} of {len(self._index.frames)}")

    def _tell(self, status: str) -> None:
        if self._stopped:
            return
        waiting, self._waiting = self._waiting, {}
        self._told_at = time.monotonic()
        self._is_busy = bool(status)
        if waiting:
            self._on_proofs(waiting)
        self._on_status(status)

    def _stream(self) -> Iterator[DecodedFrame]:
        """The frames of the index in order. In between it waits for more, and lets the doctor look."""
        at = 0
        while not self._stopped:
            if at < len(self._index.frames):
                yield self._index.frames[at]
                at += 1
                continue
            if self._waiting or self._is_busy:
                self._tell("")
            self._pause(at)

    def _pause(self, at: int) -> None:
        """Wait for frame ``at``. Once the recording has settled, the doctor looks."""
        is_due = self._diagnosed != at and not self._index.has_more  # what is half read looks cut off
        left = max(_SETTLE_S if self._diagnosed >= 0 else 0.0, self._next_diagnosis - time.monotonic())
        woken = self._wait(left if is_due else None)
        if self._stopped or (woken and time.monotonic() < self._next_diagnosis) or not is_due:
            return
        self._diagnose()

    def _wait(self, timeout_s: float | None) -> bool:
        """Wait for new frames or the end. Return whether there are any; False after ``timeout_s`` real seconds."""
        if timeout_s == 0.0:
            woken = self._wake.is_set()
        else:
            with _full_collections.allowed():
                woken = self._wake.wait(timeout_s)
        self._wake.clear()
        return woken

    def _diagnose(self) -> None:
        began = time.monotonic()
        with self._index.lock:
            frames = list(self._index.frames)
        self._on_status("the doctor looks …")
        info = self._index.recording.info
        known = Capture(info, [decoded.frame for decoded in frames], list(self._index.recording.notes))
        known.page_calls = self._index.recording.raw.page_calls
        findings = diagnose(known, frames=frames)
        took = time.monotonic() - began
        self._diagnosed = len(frames)
        self._next_diagnosis = time.monotonic() + max(_AT_LEAST_S, _SHARE * took)
        self.first_diagnosis.set()
        if not self._stopped:
            self._on_findings(findings)
            self._on_status("")
