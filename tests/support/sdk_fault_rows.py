"""The rows of the catalogue that an honest SDK can meet, or one that is used wrongly: each as the real one meets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from icws_explore.lab.faults import Delivery
from icws_explore.lab.replica.subnet import LAST_CANISTER, canister_principal
from icws_explore.lab.scenarios.faults import GivesAway, IdleProxy, Muted
from icws_explore.lab.scenarios.nonconforming_canisters import AcksAhead, ListsGateways, WithoutTimers

from .sdk_faults import Action, Client, Row
from .sdk_row_parts import (
    MESSAGE,
    Relay,
    Stalls,
    StopsCanister,
    app,
    ask_for_the_root_key,
    clashes,
    damaged,
    echo,
    forged,
    from_,
    hangs_up,
    held_from,
    lost,
    only,
    opens_to_the_first_only,
    repeated,
    saw,
    says,
    says_a_number,
    silent_from_ack,
    talkative,
    traps_at,
)

RECEIVING: Final = (4000, "Error receiving message")
BY_CANISTER: Final = (4000, "Received close message from canister")
UNOPENED: Final = (4000, "Open connection timeout")
UNACKED: Final = (4000, "Ack message timeout")
NO_FRAME: Final = (1006, "")
NO_CODE: Final = (1005, "")
BY_APPLICATION: Final = (4001, "ClosedByApplication")

AT_ONCE: Final = (
    Row("BODY_HASH", lambda: {"faults": Relay(down=from_(2, damaged))}, (RECEIVING,), (Client(says(100)),)),
    Row("BAD_CERTIFICATE", lambda: {"faults": Relay(down=from_(2, forged))}, (RECEIVING,), (Client(says(100)),)),
    Row("CERTIFIED_DATA_CLASH", lambda: {"app": app("clash", clashes)}, (RECEIVING,), (Client(says(100)),)),
    Row("SEQUENCE_GAP_DOWN", lambda: {"faults": Relay(down=only(2, lost))}, (RECEIVING,), (Client(says(100, 1000)),)),
    Row(
        "SEQUENCE_DUPLICATE_DOWN",
        lambda: {"faults": Relay(down=only(2, lambda data: [data, data]))},
        (RECEIVING,),
        (Client(says(100)),),
        variant="by a frame sent twice",
    ),
    Row(
        "ROOT_KEY",
        dict,
        (RECEIVING,),
        (Client(config=lambda _lab, elsewhere: {"network_url": elsewhere.network_url}),),
        tap=lambda lab, elsewhere: {"network": lab.network_url, "root_key": elsewhere.root_key},
        actions=(Action(lambda _capture: True, ask_for_the_root_key),),
    ),
    Row("CLOSED_BY_APPLICATION", lambda: {"app": app("curt", hangs_up)}, (BY_APPLICATION,), (Client(says(100)),)),
    Row(
        "APP_TYPE_MISMATCH",
        lambda: {"app": app("other type", says_a_number)},
        (RECEIVING,),
        (Client(says(100)),),
    ),
    Row(
        "LOST_UP",
        dict,
        (BY_CANISTER,),
        (Client(({"at_ms": 100, "pad": 2_200_000}, {"at_ms": 3_000, "send": "next"})),),
    ),
    Row(
        "ON_MESSAGE_TRAP",
        lambda: {"app": app("traps", traps_at("at 8000"))},
        (BY_CANISTER,),
        (Client(says(100, 8_000, 16_000)),),
    ),
    Row(
        "REORDERED_RELAY",
        lambda: {
            "ordered": False,
            "faults": Relay(up=lambda number, data: [Delivery(data, 3_000 if number == 2 else 0)]),
        },
        (BY_CANISTER,),
        (Client(says(100, 100)),),
    ),
    Row(
        "KEEPALIVE_RACE",
        # Something is being signed all the time, so that a keep-alive overtakes it; and a call takes longer than
        # that, so that the SDK finds out before the canister complains.
        lambda: {"ack_interval_ms": 4_000, "update_latency_ms": 2_500.0},
        ((4000, "Message sending failed"),),
        (Client(says(*[100] * 20), identity={"slow": {"message": 600}}),),
    ),
    Row("PING_KILLS_SESSION", dict, (NO_FRAME,), (Client(({"at_ms": 500, "ping": True},)),)),
    Row(
        "POLLER_DEAD",
        lambda: {"faults": StopsCanister(behind=2)},
        (NO_CODE, NO_CODE),
        (Client(), Client(follows_ms=500)),
    ),
    Row("GATEWAY_NOT_REGISTERED", lambda: {"app": ListsGateways("strict", MESSAGE)}, (NO_CODE,)),
    Row(
        "WRONG_CANISTER",
        dict,
        (NO_CODE,),
        (Client(config=lambda _lab, _elsewhere: {"canister_id": str(canister_principal(LAST_CANISTER))}),),
        variant="that is not there",
    ),
    Row(
        "WRONG_CANISTER",
        lambda: {"faults": Relay(down=repeated(2, of=1))},
        (None, RECEIVING),
        (
            Client(leaves_ms=20_000),
            Client(follows_ms=1_000, config=lambda lab, _elsewhere: {"canister_id": str(lab.add_canister("echo"))}),
        ),
        tap=lambda lab, _elsewhere: {"gateway": lab.gateway_url, "root_key": lab.root_key, "app_type": lab.app_did},
        variant="that another one speaks for",
    ),
    Row(
        "KEEPALIVE_LATE",
        lambda: {"ack_interval_ms": 6_000, "keep_alive_timeout_ms": 4_000},
        (BY_CANISTER,),
        (Client(identity={"slow": {"keep_alive": 8_000}}),),
    ),
)

HALF_A_MINUTE: Final = (
    Row(
        "ACK_TOO_HIGH",
        # The first ack comes so late that the client has sent something before it is on its way.
        lambda: {"app": AcksAhead("ahead", MESSAGE, on_message=echo), "ack_interval_ms": 25_000},
        ((4000, "Ack message error"),),
        (Client(says(100)),),
    ),
    Row(
        "ACK_INTERVAL_MISMATCH",
        lambda: {"ack_interval_ms": 45_000},
        (UNACKED,),
        (Client(says(100)),),
        ack_interval_ms=2_000,
        tap=lambda _lab, _elsewhere: {"ack_interval_ms": 2_000},
    ),
    Row(
        "ACKS_WITHHELD",
        lambda: {"ack_interval_ms": 2_000, "faults": Relay(down=silent_from_ack(3))},
        (UNACKED,),
        (Client(says(100)),),
    ),
    Row(
        "PRINCIPAL_TAKEOVER",
        lambda: {"ack_interval_ms": 8_000},
        (UNACKED, None),
        (
            Client(says(100), identity={"seed": "17" * 32}),
            Client(says(100), identity={"seed": "17" * 32}, follows_ms=3_000, leaves_ms=40_000),
        ),
    ),
)

A_MINUTE: Final = (
    Row("OPEN_TIMEOUT", lambda: {"faults": Relay(up=only(1, lost))}, (UNOPENED,)),
    Row(
        "ON_OPEN_TRAP",
        lambda: {"app": app("choosy", on_open=opens_to_the_first_only)},
        (None, UNOPENED),
        (Client(says(*range(6_000, 60_000, 9_000)), leaves_ms=66_000), Client(follows_ms=2_000)),
    ),
    Row("INGRESS_EXPIRY", dict, (UNOPENED,), skew_ms=-331_000),
    Row("DELEGATION_EXPIRED", dict, (UNOPENED,), (Client(identity={"delegation_ms": -60_000}),)),
    Row("BAD_SIGNATURE", dict, (UNOPENED,), (Client(identity={"other_key": True}),)),
    Row(
        "STALE_NONCE",
        # Enough is said before that the new client's acks do not reach the old nonce.
        lambda: {"ack_interval_ms": 6_000},
        (UNACKED, UNOPENED),
        (Client(says(*[100] * 14)), Client(follows_ms=9_000)),
        actions=(Action(saw(app=14, keep_alive=1), lambda lab, _tap: lab.upgrade()),),
    ),
    Row("PROXY_IDLE", lambda: {"faults": IdleProxy()}, (NO_FRAME,), (Client(says(100)),)),
)

SOME_MINUTES: Final = (
    Row(
        "NO_ACKS",
        lambda: {"app": WithoutTimers("idle", MESSAGE, on_message=echo)},
        (UNACKED,),
        (Client(says(1_000, 60_000)),),
    ),
    Row(
        "UPGRADE_WIPE",
        lambda: {"ack_interval_ms": 90_000},
        (UNACKED, UNACKED),
        (Client(says(1_000)), Client(says(1_000), follows_ms=4_000)),
        actions=(Action(saw(keep_alive=2), lambda lab, _tap: lab.upgrade()),),
    ),
    Row(
        "STALE_CERTIFICATE",
        lambda: {"faults": Relay(down=held_from(2, 310_000))},
        (RECEIVING,),
        (Client(says(1_000)),),
    ),
)

# The SDK notices nothing, or nothing that ends a session.
UNNOTICED: Final = (
    Row(
        "CLIENT_KEY_FOREIGN",
        lambda: {"app": talkative(), "faults": GivesAway(3)},
        (None, None),
        (Client(leaves_ms=42_000), Client(follows_ms=1_000, leaves_ms=40_000)),
    ),
    Row(
        "SLOW_CLIENT_STALL",
        lambda: {"app": talkative(), "faults": Stalls(behind=16, for_s=15)},
        (None, None),
        (Client(leaves_ms=42_000), Client(follows_ms=1_000, leaves_ms=40_000)),
    ),
    Row("NO_HANDSHAKE", lambda: {"faults": Muted()}, (None,), (Client(leaves_ms=9_000),)),
)


def _scaled(rows: Sequence[Row], scale: float) -> tuple[Row, ...]:
    """The same, by a clock that runs ``scale`` times as fast, in Node, lab and tap."""
    return tuple(replace(row, scale=scale) for row in rows)


# The longer they wait, the faster they run.
ROWS: Final = (
    *_scaled(SOME_MINUTES, 12),
    *_scaled(A_MINUTE, 4),
    *_scaled(HALF_A_MINUTE, 2),
    *_scaled(UNNOTICED, 2),
    *AT_ONCE,
)
