"""The numbered messages of both directions with their instants, as far as this side can know them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from icws_explore.protocol.constants import ack_timeout_s

from .instants import Received, Sent, SessionInstants
from .skew import Skew, skew_of

if TYPE_CHECKING:
    import pandas as pd

_NAN: Final = float("nan")
_FLOATS: Final = (
    "sent_s", "certified_s", "received_s", "received_min_s", "received_max_s", "acked_s", "age_at_ack_s", "limit_s",
    "margin_s",
)  # fmt: skip


def message_table(sessions: Sequence[SessionInstants]) -> pd.DataFrame:
    """Return one row per message with a sequence number. Times are seconds since the capture's first frame.

    ``direction`` "out" (client to canister): ``sent_s`` is the frame's time. No frame shows when the canister
    received the message. That time lies between ``received_min_s`` (when it was sent) and ``received_max_s``
    (the timestamp of the first ack that covers it), converted to the capture's clock with the bounds of the
    skew. ``acked_s`` is when that ack arrived, ``age_at_ack_s`` the age of the message then, ``limit_s`` the
    ack interval + 30 s, and ``margin_s`` the remaining time.

    ``direction`` "in": ``sent_s`` is the canister's timestamp and ``certified_s`` the certificate's time, both
    on the network's clock. ``received_s`` is the frame's time. ``acked_s`` is when the first keep-alive that
    reports the message was sent. There is no limit, so the other columns are empty.

    ``inferred`` is True if ``received_s`` is only known by its bounds.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for session in sessions:
        rows += sorted([*_sent_rows(session), *_received_rows(session)], key=lambda row: row["frame"])
    columns = ["session", "frame", "direction", "kind", "sequence_num", *_FLOATS, "inferred"]
    types = dict.fromkeys(_FLOATS, "float64") | {"sequence_num": "UInt64"}
    return pd.DataFrame(rows, columns=columns).astype(types)


def _sent_rows(session: SessionInstants) -> list[dict[str, Any]]:
    skew = skew_of(session)
    limit = ack_timeout_s(session.ack_interval_s)
    acks = session.acks
    return [_sent_row(session, sent, acks, skew, limit) for sent in session.numbered]


def _sent_row(
    session: SessionInstants, sent: Sent, acks: Sequence[Received], skew: Skew, limit: float
) -> dict[str, Any]:
    assert sent.sequence_num is not None
    number = sent.sequence_num
    ack = next((ack for ack in acks if ack.frame > sent.frame and (ack.acks or 0) >= number), None)
    age = _NAN if ack is None else ack.at - sent.at
    return {
        "session": session.session,
        "frame": sent.frame,
        "direction": "out",
        "kind": sent.kind,
        "sequence_num": number,
        "sent_s": sent.at,
        "received_min_s": sent.at,
        "received_max_s": float("inf") if ack is None else min(ack.at, ack.made + skew.max_s),
        "acked_s": _NAN if ack is None else ack.at,
        "age_at_ack_s": age,
        "limit_s": limit,
        "margin_s": limit - age,
        "inferred": True,
    }


def _received_rows(session: SessionInstants) -> list[dict[str, Any]]:
    reports = [(sent.frame, sent.at, sent.reports) for sent in session.sent if sent.reports is not None]
    rows = []
    for message in session.received:
        number = message.sequence_num or 0
        reported = next((at for frame, at, last in reports if frame > message.frame and last >= number), _NAN)
        rows.append(
            {
                "session": session.session,
                "frame": message.frame,
                "direction": "in",
                "kind": message.kind,
                "sequence_num": message.sequence_num,
                "sent_s": message.made,
                "certified_s": _NAN if message.certified is None else message.certified,
                "received_s": message.at,
                "received_min_s": message.at,
                "received_max_s": message.at,
                "acked_s": reported,
                "inferred": False,
            }
        )
    return rows
