from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.capture import Capture, ClockInfo, SessionInfo
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.views.report.environment import made_with, recorded_facts
from support.session_captures import healthy, hostile


def facts_of(capture: Capture, root_key: bytes | None = None) -> dict[str, str]:
    return {fact.name: fact.value for fact in recorded_facts(capture, root_key)}


class TestMadeWith:
    def test_has_the_versions_of_the_software(self) -> None:
        facts = {fact.name: fact.value for fact in made_with()}
        assert list(facts) == ["icws_explore", "Python", "platform", "libraries"]
        assert facts["icws_explore"][0].isdigit()
        assert {"cbor2", "cryptography", "websockets"} <= {name.split()[0] for name in facts["libraries"].split(", ")}
        assert "None" not in facts["libraries"]

    def test_does_not_name_the_machine(self) -> None:
        import platform

        assert platform.node() not in " ".join(fact.value for fact in made_with()) or not platform.node()


class TestRecordedFacts:
    def test_have_origin_and_addresses(self) -> None:
        capture = healthy()
        facts = facts_of(capture, capture.info.root_key)
        assert facts["origin"] == "recorded by the client itself (icws open, connect)"
        assert facts["first frame"] == "2025-11-23 11:00:00.000 UTC"
        assert facts["gateway"] == "ws://127.0.0.1:8080"
        assert facts["ack interval"] == "300 s"
        assert facts["message type"] == 'record { "text" : text; timestamp : nat64 }'
        assert facts["root key"].startswith("of another network (SHA-256 ")
        assert facts["clock"].startswith("scaled × 60")

    @pytest.mark.parametrize(("key", "said"), [(None, "unknown"), (MAINNET_ROOT_KEY, "mainnet's")])
    def test_say_whose_root_key_it_is(self, key: bytes | None, said: str) -> None:
        assert facts_of(Capture(), key)["root key"].startswith(said)

    def test_of_an_empty_recording_are_few(self) -> None:
        assert list(facts_of(Capture())) == ["origin", "size", "clock", "root key"]

    def test_of_a_simulation_name_its_cryptography(self) -> None:
        capture = Capture(SessionInfo(crypto="stand-in", origin="simulated", clock=ClockInfo("virtual")))
        assert facts_of(capture)["cryptography"].startswith("stand-in")

    def test_are_on_one_line_and_bounded(self) -> None:
        info = replace(healthy().info, app_type="text\n" * 5000, gateway_url="ws://x\x1b[2J\u202e", canister_id="\n")
        facts = facts_of(Capture(info))
        assert all(value.isprintable() for value in facts.values())
        assert len(facts["message type"]) <= 1000

    def test_have_the_notes_of_the_file(self) -> None:
        notes = [fact for fact in recorded_facts(hostile(), None) if fact.name == "note"]
        assert [fact.weight for fact in notes] == ["bad"]

    def test_have_a_text_for_an_absurd_time(self) -> None:
        capture = healthy()
        capture.frames[0] = replace(capture.frames[0], t=9e11)
        assert facts_of(capture)["first frame"].endswith("after 1970")
