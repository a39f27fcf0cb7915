"""Which CDK an interface fits."""

from __future__ import annotations

import pytest

from icws_explore.analysis.cdk_era import cdk_era
from icws_explore.protocol.candid import parse_did, parse_type
from icws_explore.protocol.canister import candid_interface

NOW = candid_interface(parse_type("record { text : text }"))


@pytest.mark.parametrize(
    ("changes", "releases", "is_current"),
    [
        ([], "0.3.1 to 0.4.2", True),
        ([("  is_end_of_queue : bool;\n", "")], "0.3.0", True),
        ([("client_nonce : nat64; gateway_principal : GatewayPrincipal", "client_nonce : nat64")], "0.2", False),
        ([("(CanisterWsMessageArguments, opt AppMessage)", "(CanisterWsMessageArguments)")], "before 0.2.0", False),
        ([("  ws_close :", "  close :")], "", False),
        ([("(CanisterWsOpenArguments) ->", "() ->")], "0.2", False),
        ([("(CanisterWsGetMessagesResult) query", "() query")], "0.3.0", True),
        ([("(CanisterWsGetMessagesResult) query", "(nat) query")], "0.3.0", True),
    ],
)
def test_the_interface_shows_the_release(changes: list[tuple[str, str]], releases: str, is_current: bool) -> None:
    text = NOW
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    era = cdk_era(parse_did(text))
    assert (era.releases, era.is_current) == (releases, is_current)
    assert era.why
    assert era.advice
