"""Agents of ic-websocket-js's time and of today call the lab's replica, and verify what it answers.

They check certificates (signature, delegation, canister ranges, time) and the node signatures on
query answers by themselves; an answer that they do not trust is an error here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from icws_explore.lab import Lab
from icws_explore.protocol.principal import Principal
from support.node_peer import run_script

pytestmark = pytest.mark.node

DFINITY, ICP_SDK = "dfinity-2.4.1", "icp-sdk-6.1.0"

# What each generation asks for: (call, call that is polled for, query, read of the state).
PATHS = {DFINITY: ("v3", "v2", "v2", "v2"), ICP_SDK: ("v4", "v2", "v3", "v3")}


@pytest.fixture(scope="module", params=[DFINITY, ICP_SDK])
def agent(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def steps(agent: str) -> dict[str, dict[str, Any]]:
    with Lab(app="pingpong") as lab:
        canister = Principal.of(lab.canister_id)
        config = {
            "network_url": lab.network_url,
            "canister_id": str(canister),
            "gateway_principal": str(lab.gateway_principal),
            "agent": agent,
            # Of the lab's subnet by its number, but nobody has created it.
            "absent_canister_id": str(Principal(canister.raw[:6] + b"\x0f\xff" + canister.raw[8:])),
        }
        expected = {"root_key": lab.root_key.hex(), "canister": str(canister)}
        run = run_script("agent_calls.mjs", config, timeout_s=60)
    assert run.exit_code == 0, run.stderr
    return {line["step"]: line for line in run.events} | {"expected": expected}


class TestAgentAgainstReplica:
    def test_learns_the_root_key(self, steps: dict[str, dict[str, Any]]) -> None:
        assert steps["status"]["value"] == steps["expected"]["root_key"]

    def test_call_is_answered_with_a_certificate(self, steps: dict[str, dict[str, Any]]) -> None:
        assert steps["call"] == {"step": "call", "ok": True, "value": {"Ok": None}}

    def test_call_is_accepted_and_its_state_read(self, steps: dict[str, dict[str, Any]]) -> None:
        assert steps["call_and_poll"]["value"] == {"http_status": 202, "reply": {"Ok": None}}

    def test_query_answer_is_signed_by_a_node(self, steps: dict[str, dict[str, Any]]) -> None:
        # The client is another than the gateway that it named, so this caller's queue is empty.
        assert steps["query"]["value"] == {"messages": 0, "is_end_of_queue": True}

    def test_rejection_is_certified_too(self, steps: dict[str, dict[str, Any]]) -> None:
        assert steps["rejected_call"]["ok"] is False
        assert "no_such_method" in steps["rejected_call"]["error"]
        assert "IC0536" in steps["rejected_call"]["error"]

    def test_absent_canister_is_rejected_by_name(self, steps: dict[str, dict[str, Any]]) -> None:
        assert steps["absent_canister"]["ok"] is False
        assert "not found" in steps["absent_canister"]["error"]

    def test_state_tree_has_time_subnet_and_node_keys(self, steps: dict[str, dict[str, Any]]) -> None:
        status = steps["canister_status"]["value"]
        assert abs(datetime.fromisoformat(status["time"]) - datetime.now(UTC)) < timedelta(minutes=2)
        assert status["subnet"]["subnetId"]
        assert len(status["subnet"]["nodeKeys"]) >= 1

    def test_asks_the_endpoints_of_its_generation(self, steps: dict[str, dict[str, Any]], agent: str) -> None:
        asked = set(steps["requests"]["value"])
        call, polled_call, query, read_state = PATHS[agent]
        canister = steps["expected"]["canister"]
        assert {
            "GET /api/v2/status",
            f"POST /api/{call}/canister/{canister}/call",
            f"POST /api/{polled_call}/canister/{canister}/call",
            f"POST /api/{query}/canister/{canister}/query",
            f"POST /api/{read_state}/canister/{canister}/read_state",
        } <= asked
