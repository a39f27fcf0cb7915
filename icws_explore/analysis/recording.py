"""A capture as its user holds it: frames as a table, each frame decoded, every proof walked.

`Capture` only stores; this is the same capture with the protocol's knowledge on top. Live sessions
and files both give one, and every view takes one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from icws_explore.capture import Capture, SessionInfo
from icws_explore.capture import save as save_capture
from icws_explore.protocol.principal import Principal

from .decode import DecodedFrame, decode_at, decode_frames, shared_frames
from .envelopes import EnvelopeVerdicts, check_envelopes
from .imports import load_any
from .table import Summary, frame_table, summarise
from .timing.timing import Timing
from .verify import Verdicts, verify_capture

if TYPE_CHECKING:
    import pandas as pd

    from .doctor import Findings
    from .replay.text import Replays


class Recording:
    """One capture, live or loaded. ``raw`` is the stored one; a live session still appends to it."""

    def __init__(self, raw: Capture) -> None:
        self.raw = raw

    @property
    def info(self) -> SessionInfo:
        """What was configured: URLs, canister, root key, clock, application type."""
        return self.raw.info

    @property
    def notes(self) -> list[str]:
        """What could not be read of the file, in plain lines."""
        return self.raw.notes

    def frames(self) -> pd.DataFrame:
        """A row a frame; `table.frame_table` says which columns, in which units."""
        return frame_table(self.raw)

    def verify(self, *, root_key: bytes | None = None, canister_id: Principal | None = None) -> Verdicts:
        """The walk over each canister message, at the time it was received. Raises IcwsError without a root key."""
        return Verdicts(verify_capture(self.raw, root_key=root_key, canister_id=canister_id))

    def check_envelopes(
        self, *, root_key: bytes | None = None, canister_id: Principal | None = None
    ) -> EnvelopeVerdicts:
        """The walk over each request of the client, as a replica makes it when it is sent. Raises IcwsError."""
        return EnvelopeVerdicts(check_envelopes(self.raw, root_key=root_key, canister_id=canister_id))

    def doctor(self, *, root_key: bytes | None = None, canister_id: Principal | None = None) -> Findings:
        """What is wrong, the worst first, each with its evidence and its fix; empty for a healthy recording."""
        from .doctor import diagnose

        return diagnose(self.raw, root_key=root_key, canister_id=canister_id)

    def replay(
        self,
        *,
        root_key: bytes | None = None,
        canister_id: Principal | None = None,
        ack_interval_ms: int | None = None,
    ) -> Replays:
        """Each session once more through the real SDK's state machine: how it would have ended, and whether it did."""
        from .replay.replay import replay_sessions
        from .replay.text import Replays

        return Replays(
            replay_sessions(self.raw, root_key=root_key, canister_id=canister_id, ack_interval_ms=ack_interval_ms)
        )

    def as_python(self) -> str:
        """An expression that rebuilds the recording, with the names of `from icws_explore import *`."""
        from .python_text import capture_text

        return capture_text(self.raw)

    def summary(self) -> Summary:
        """The session in numbers; certificates are counted when the root key is known."""
        verdicts = self.verify() if self.raw.info.root_key is not None else Verdicts()
        return summarise(list(shared_frames(self.raw)), verdicts)

    def timing(self, *, session: str | None = None) -> Timing:
        """Its timing as tables: messages, acks, keep-alives, opens, certificates, skew; of all sessions or one.

        Of the recording as it is now: a live session's next tables want another call.
        """
        return Timing(self.raw, session=session)

    def session(self, session_id: str | None) -> Recording:
        """One session of a capture that holds several."""
        return Recording(self.raw.session(session_id))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as an .icws file. Raises CaptureError."""
        return save_capture(self.raw, path)

    def __len__(self) -> int:
        return len(self.raw)

    def __iter__(self) -> Iterator[DecodedFrame]:
        return decode_frames(self.raw)

    def __getitem__(self, number: int) -> DecodedFrame:
        """Frame ``number``, decoded; negative numbers count from the end. Raises IndexError."""
        return decode_at(self.raw, number)

    def __repr__(self) -> str:
        info = self.raw.info
        what = f"canister {info.canister_id}" if info.canister_id else "an unnamed canister"
        return f"<Recording of {what}: {len(self)} frames, {self.raw.duration_s:.1f} s, clock {info.clock}>"


def load(path: str | os.PathLike[str]) -> Recording:
    """Read an ``.icws`` file (``.gz`` or not), a HAR or a packet capture. Raises CaptureError when it holds none."""
    return Recording(load_any(path))
