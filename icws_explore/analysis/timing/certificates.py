"""The age of certificates on receipt, and the latency of messages from the canister to the client.

The client refuses a certificate whose time differs from its own clock by more than 5 minutes in either
direction (@dfinity/agent, certificate.ts). The gateway's delay is this age minus the skew of the clocks:
the time for polling, relaying and transport.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from icws_explore.protocol.constants import MAX_CERTIFICATE_AGE_S

from .instants import SessionInstants
from .skew import skew_of

if TYPE_CHECKING:
    import pandas as pd

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)


def certificate_table(sessions: Sequence[SessionInstants]) -> pd.DataFrame:
    """Return one row per canister message whose certificate has a time.

    Times are seconds since the capture's first frame, durations are seconds. ``made_s`` and ``certified_s``
    are on the network's clock, ``received_s`` is on the capture's. ``age_s`` is receipt minus certificate time,
    as the client computes it. It must stay within ± ``limit_s`` (300); ``margin_s`` is the remaining time.
    ``waited_s`` is the time from made to certified: the canister's queue and the poll. ``delay_s`` is the time
    from certified to received, inferred with the estimated skew, between ``delay_min_s`` and ``delay_max_s``.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []  # of which pandas makes columns in less time than of dicts
    limit = float(MAX_CERTIFICATE_AGE_S)
    for session in sessions:
        skew = skew_of(session)
        for message in session.received:
            if message.certified is None:
                continue
            age = message.at - message.certified
            rows.append(
                (
                    session.session,
                    message.frame,
                    message.kind,
                    message.sequence_num,
                    message.made,
                    message.certified,
                    message.at,
                    age,
                    limit,
                    limit - abs(age),
                    message.certified - message.made,
                    age - skew.estimate_s,
                    max(0.0, age - skew.max_s),
                    age - skew.min_s,
                )
            )
    columns = [
        "session", "frame", "kind", "sequence_num", "made_s", "certified_s", "received_s", "age_s", "limit_s",
        "margin_s", "waited_s", "delay_s", "delay_min_s", "delay_max_s",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).astype({"sequence_num": "UInt64"})


def latency_table(
    sessions: Sequence[SessionInstants],
    quantiles: Sequence[float] = QUANTILES,
    *,
    certificates: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return percentiles in seconds, one row per part of the path.

    The parts are ``waited`` (made to certified), ``delay`` (certified to received, inferred), ``total`` (made to
    received, inferred) and ``open`` (ws_open to OpenMessage). Columns: ``count``, ``min_s``, one ``p<nn>_s`` per
    quantile, ``max_s``, ``inferred``, and ``error_s``, the possible error of inferred values because the skew
    is not known exactly. ``certificates`` is the sessions' `certificate_table`, if there is one already.
    """
    import pandas as pd

    from .opens import open_table

    if certificates is None:
        certificates = certificate_table(sessions)
    error = max((skew_of(session).error_s for session in sessions), default=0.0)
    parts = {
        "waited": (certificates["waited_s"], False),
        "delay": (certificates["delay_s"], True),
        "total": (certificates["waited_s"] + certificates["delay_s"], True),
        "open": (open_table(sessions)["latency_s"], False),
    }
    rows: dict[str, dict[str, Any]] = {}
    for name, (values, inferred) in parts.items():
        known = values.astype("float64").dropna()
        row: dict[str, Any] = {"count": len(known), "min_s": known.min()}
        row |= {f"p{100 * q:g}_s": known.quantile(q) for q in quantiles}
        rows[name] = row | {"max_s": known.max(), "inferred": inferred, "error_s": error if inferred else 0.0}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("part")
