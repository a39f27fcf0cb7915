"""What becomes of earlier SDKs, and of the current one with an agent that it was not made for (tests/node/sdks.mjs)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from icws_explore.lab.identities import identity_of_kind
from icws_explore.lab.replica.subnet import LabKeys
from icws_explore.lab.scenarios.faults import Gateway105
from icws_explore.lab.scenarios.nonconforming_clients import AgentV3, AgentV3Unread, Js021, Js022, Js034
from icws_explore.protocol.client.machine import ClientMachine

from .sdk_faults import Client, Row

OLD: Final = "0.1.2"
NEW_AGENT: Final = "0.5.0 with agent 3"
RECEIVING: Final = (4000, "Error receiving message")
UNOPENED: Final = (4000, "Open connection timeout")
QUICK: Final = 4.0  # for those that wait for half a minute or a whole one
NO_FRAME: Final = (1006, "")
LOGIN: Final = identity_of_kind("internet-identity", LabKeys(17), "a user", now_ns=0).public_key_der


@dataclass(frozen=True, slots=True)
class Generation:
    """A row, and the machine that claims to be its SDK."""

    row: Row
    machine: type[ClientMachine]
    knows_root_key: bool = True


GENERATIONS: Final = (
    Generation(
        Row(
            "AGENT_V3_EXPIRY",
            dict,
            (UNOPENED,),
            (Client(config=lambda _lab, _elsewhere: {"gives_bytes": True}),),
            sdk=NEW_AGENT,
            scale=QUICK,
            variant="with a socket that gives bytes",
        ),
        AgentV3,
    ),
    Generation(Row("AGENT_V3_EXPIRY", dict, (RECEIVING,), sdk=NEW_AGENT), AgentV3Unread),
    Generation(Row("SDK_REJECTS_VALID", dict, (RECEIVING,), sdk="0.3.4"), Js034),
    Generation(
        Row(
            "SDK_REJECTS_VALID",
            dict,
            (RECEIVING,),
            (Client(config=lambda _lab, _elsewhere: {"slow_status": True}),),
            scale=QUICK,
            variant="whose root key is late",
        ),
        ClientMachine,
        knows_root_key=False,
    ),
    Generation(Row("OLD_SDK_NEW_GATEWAY", dict, (RECEIVING,), sdk=OLD), Js022),
    Generation(
        Row(
            "DELEGATION_DROPPED",
            lambda: {"faults": Gateway105()},
            (NO_FRAME,),
            (Client(identity={"login": LOGIN.hex()}),),
            sdk=OLD,
        ),
        Js021,
    ),
)
