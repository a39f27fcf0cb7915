"""Every line of data/README.md is true, and every byte of every capture has its name."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.decode import application_type
from icws_explore.analysis.order import out_of_order
from icws_explore.analysis.recording import Recording, load
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.constants import MAINNET_ROOT_KEY, NS_PER_S
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import first_failure
from icws_explore.protocol.verify import MESSAGE_STEPS
from support.annotated import assert_tiles
from support.data_files import DATA, SESSIONS, row_of, table_rows

ROWS = {row.file: row for row in table_rows()}
FILES = sorted(path.name for path in SESSIONS.iterdir())
MAX_SIZE = 100_000  # bytes: what a course downloads by the dozen

# What each file is for, whatever its generator writes into the table.
FAILS_AT = {
    "unreadable_certificate.icws": "parse",
    "forged_certificate.icws": "signature",
    "stale_certificate.icws": "time",
    "foreign_witness.icws": "certified_data",
    "pruned_witness.icws": "lookup",
    "tampered_body.icws": "body",
    "lost_message.icws": "sequence",
}


def test_the_readme_has_a_line_for_every_file_and_no_other() -> None:
    assert sorted(ROWS) == FILES
    text = (DATA / "README.md").read_text(encoding="utf-8")
    sources = text.split("## Where they come from")[1]
    assert [name for name in FILES if f"`{name}`" not in sources] == []


@pytest.mark.parametrize("name", FILES)
class TestEveryCapture:
    def test_its_line_is_true(self, name: str) -> None:
        assert row_of(SESSIONS / name) == ROWS[name]

    def test_fails_where_it_is_meant_to(self, name: str) -> None:
        failures = [verdict.failure for verdict in load(SESSIONS / name).verify() if not verdict.ok]
        assert [step and step.step for step in failures] == ([FAILS_AT[name]] if name in FAILS_AT else [])

    def test_only_the_forged_request_is_refused(self, name: str) -> None:
        refused = [verdict.failure for verdict in load(SESSIONS / name).check_envelopes() if not verdict.ok]
        wanted = ["signature"] if name == "forged_request.icws" else []
        assert [step and step.step for step in refused] == wanted

    def test_is_small_and_whole(self, name: str) -> None:
        assert (SESSIONS / name).stat().st_size < MAX_SIZE
        recording = load(SESSIONS / name)
        assert recording.notes == []
        assert out_of_order(recording.raw) == []

    def test_leaves_tile_every_frame_and_explain_it(self, name: str) -> None:
        recording = load(SESSIONS / name)
        app_type = application_type(recording.raw)
        assert app_type is not None
        for decoded in recording:
            if decoded.frame.data:
                root = annotate_frame(decoded.frame, app_type=app_type)
                assert_tiles(root, len(decoded.frame.data))
                assert root.first_fault() is None
        assert "malformed" not in set(recording.frames()["kind"])

    def test_is_rebuilt_by_its_code(self, name: str) -> None:
        recording = load(SESSIONS / name)
        names: dict[str, Any] = {}
        exec(recording.as_python(), names)
        again = names["recording"]
        assert isinstance(again, Recording)
        assert again.raw.frames == recording.raw.frames


class TestVariety:
    def test_every_step_of_a_message_but_two_has_a_failing_capture(self) -> None:
        # A delegation or a client key cannot be changed without breaking a signature before.
        assert {*MESSAGE_STEPS} - {*FAILS_AT.values()} == {"delegation", "client_key"}

    def test_healthy_holds_the_protocols_whole_round(self) -> None:
        kinds = set(load(SESSIONS / "healthy.icws").frames()["kind"])
        assert kinds >= {"handshake", "open_request", "open", "message", "app", "ack", "keep_alive", "control"}

    def test_delegations_travel_in_their_capture_only(self) -> None:
        for name in FILES:
            chains = {bool(d.envelope.sender_delegation) for d in load(SESSIONS / name) if d.envelope is not None}
            assert chains == {name == "real_sdk_delegation.icws.gz"}

    def test_certificates_have_their_delegation_but_in_one(self) -> None:
        for name in ("healthy.icws", "no_delegation.icws"):
            frame = next(d.frame for d in load(SESSIONS / name) if d.kind == "app")
            found = annotate_frame(frame).find("cert.delegation")
            assert (found is None) == (name == "no_delegation.icws")

    def test_markup_is_in_an_application_message_from_the_canister(self) -> None:
        values = [d.value for d in load(SESSIONS / "markup.icws") if d.kind == "app"]
        assert any("<script>" in value["text"] for value in values)


def test_no_private_key_is_in_any_file() -> None:
    secret = (b"\x2a" * 32).hex()
    for name in FILES:
        recording = load(SESSIONS / name)
        assert not re.search(secret, recording.as_python())
        assert b"\x2a" * 32 not in b"".join(frame.data for frame in recording.raw.frames)


class TestMainnetCertificate:
    FACTS = json.loads((DATA / "certificates" / "mainnet.json").read_text(encoding="utf-8"))
    RAW = (DATA / "certificates" / "mainnet.cbor").read_bytes()

    def failing(self, now_ns: int) -> str | None:
        canister = Principal.from_text(self.FACTS["canister_id"])
        _, steps = check_certificate(self.RAW, canister_id=canister, root_key=MAINNET_ROOT_KEY, now_ns=now_ns)
        failed = first_failure(steps)
        return None if failed is None else failed.step

    def test_holds_at_its_own_time(self) -> None:
        assert bytes.fromhex(self.FACTS["root_key_der_hex"]) == MAINNET_ROOT_KEY
        assert self.failing(int(self.FACTS["time_ns"])) is None

    def test_is_too_old_since(self) -> None:
        assert self.failing(int(self.FACTS["time_ns"]) + 301 * NS_PER_S) == "time"
