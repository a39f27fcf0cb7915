"""`icws doctor`: exit 1 with errors, 0 without, 3 for what cannot be read."""

import json
from dataclasses import replace

from icws_explore.capture import Capture, load, save
from icws_explore.protocol.keys import Ed25519Identity
from support.doctor_cases import FOLDER
from support.doctor_scenarios import SCENARIOS

DID = """
type Key = record { client_principal : principal; client_nonce : nat64 };
type Message = record {
  client_key : Key; sequence_num : nat64; timestamp : nat64; is_service_message : bool; content : blob
};
type Polled = record { client_key : Key; key : text; content : blob };
type Polls = record { messages : vec Polled; cert : blob; tree : blob };
service : {
  ws_open : (record { client_nonce : nat64; gateway_principal : principal }) -> ();
  ws_message : (record { msg : Message }) -> ();
  ws_close : (record { client_key : Key }) -> ();
  ws_get_messages : (record { nonce : nat64 }) -> (variant { Ok : Polls; Err : text }) query;
}
"""


def written(rule_id, tmp_path):
    return save(SCENARIOS[rule_id](), tmp_path / "s.icws")


class TestRecording:
    def test_a_healthy_one(self, icws, recorded):
        assert icws("doctor", recorded).code == 0
        assert icws.out.splitlines() == ["nothing is wrong"]

    def test_an_error(self, icws, tmp_path):
        assert icws("doctor", written("NO_KEEPALIVE", tmp_path)).code == 1
        assert "✗ NO_KEEPALIVE  error  frames 4, 5, 6" in icws.out
        assert "60.0 s after the ack the canister closed" in icws.out
        assert "fix: Answer each AckMessage" in icws.out
        assert icws.out.splitlines()[-1] == "1 error"

    def test_a_warning_and_an_info_are_no_errors(self, icws, tmp_path):
        assert icws("doctor", written("SLOW_CLIENT_STALL", tmp_path)).code == 0
        assert icws.out.splitlines()[-1] == "1 warning"
        assert icws("doctor", written("CLOSED_BY_APPLICATION", tmp_path)).code == 0
        assert icws.out.splitlines()[-1] == "nothing is wrong"

    def test_json_is_as_documented(self, icws, tmp_path):
        assert icws("doctor", written("BODY_HASH", tmp_path), "--json").code == 1
        (finding,) = json.loads(icws.out)["findings"]
        assert finding["id"] == "BODY_HASH"
        assert set(finding) == {
            "id", "severity", "frames", "sessions", "explanation", "sdk_behaviour", "fix", "source"
        }  # fmt: skip
        assert set(finding["sessions"]) <= {frame.session for frame in load(tmp_path / "s.icws").frames}

    def test_what_the_real_sdk_would_have_done(self, icws, tmp_path, recorded):
        path = written("BODY_HASH", tmp_path)
        told = [line for line in icws("doctor", path).out.splitlines() if line.startswith("replay: ")]
        assert len(told) == 1
        assert 'ic-websocket-js 0.5.0 makes close(4000, "Error receiving message") at frame' in told[0]
        (replayed,) = json.loads(icws("doctor", path, "--json").out)["replay"]
        assert (replayed["agrees"], replayed["predicted_close"]["step"]) == (True, "body")
        (replayed,) = json.loads(icws("doctor", recorded, "--json").out)["replay"]
        assert (replayed["agrees"], replayed["predicted_close"]) == (True, None)

    def test_without_a_frame_nothing_is_called_fine(self, icws, recorded, tmp_path):
        path = save(Capture(load(recorded).info, []), tmp_path / "nobody_came.icws")
        assert "nobody_came.icws contains no frames: there is nothing to examine" in icws.fails(3, "doctor", path)

    def test_says_when_no_proof_is_judged(self, icws, recorded, tmp_path):
        capture = load(recorded)
        path = save(Capture(replace(capture.info, root_key=None), capture.frames), tmp_path / "k.icws")
        assert icws("doctor", path).code == 0
        assert "? not checked: signatures" in icws.out
        assert icws.out.splitlines()[-1] == "nothing wrong was found, but 1 check could not be made"
        assert icws("doctor", path, "--root-key", "mainnet").code == 1
        assert "BAD_CERTIFICATE" in icws.out
        stand_in = save(Capture(replace(capture.info, crypto="stand-in"), capture.frames), tmp_path / "i.icws")
        assert icws("doctor", stand_in).code == 0
        assert "stand-in" in icws.err

    def test_the_canister_that_was_meant(self, icws, recorded):
        assert icws("doctor", recorded, "--canister", "bkyz2-fmaaa-aaaaa-qaaaq-cai").code == 1
        assert "WRONG_CANISTER" in icws.out

    def test_unreadable(self, icws, tmp_path):
        icws.fails(3, "doctor", tmp_path / "none.icws")
        icws.fails(2, "doctor", tmp_path / "none.icws", "--root-key", "xyz")


class TestChoosing:
    def test_one_session(self, icws, tmp_path):
        path = written("STALE_NONCE", tmp_path)
        assert icws("doctor", path, "--session", "1").code == 1
        assert "STALE_NONCE" not in icws.out
        assert "its sessions are 1, 2, 3" in icws.fails(3, "doctor", path, "--session", "9")

    def test_sockets_by_their_url(self, icws):
        har = FOLDER / "har_vite_hmr.har"
        assert icws("doctor", har, "--url", "gw.example").code == 0
        assert "left out" not in icws.out
        assert "no WebSocket whose URL contains 'x.example'" in icws.fails(3, "doctor", har, "--url", "x.example")

    def test_needs_a_file(self, icws):
        icws.fails(2, "doctor", "--gateway", "wss://gw.example", "--session", "1")


class TestStates:
    def test_json_says_what_was_not_checked_and_left_out(self, icws):
        assert icws("doctor", FOLDER / "har_vite_hmr.har", "--json").code == 0
        told = json.loads(icws.out)
        assert (told["state"], told["findings"]) == ("not checked", [])
        assert told["left_out"] == [{"session": "1", "protocol": "Vite's hot reloading"}]
        assert {"what", "why", "how", "sessions"} == set(told["not_checked"][0])

    def test_a_did_beside_a_recording_gives_the_messages_type(self, icws, tmp_path):
        did = tmp_path / "c.did"
        did.write_text(DID.replace("record { msg : Message })", "record { msg : Message }, opt record { text : nat })"))
        assert icws("doctor", FOLDER / "har_vite_hmr.har", "--did", did).code == 1
        assert "STALE_DECLARATIONS" in icws.out
        assert "declared type" not in [line for line in icws.out.splitlines() if line.startswith("?")]


class TestConfiguration:
    def test_a_did(self, icws, tmp_path):
        path = tmp_path / "c.did"
        path.write_text(DID)
        assert icws("doctor", "--did", path).code == 1
        assert "WS_MESSAGE_ARITY" in icws.out
        path.write_text(DID.replace("record { msg : Message })", "record { msg : Message }, opt text)"))
        assert icws("doctor", "--did", path, "--json").code == 0
        assert json.loads(icws.out) == {"state": "passed", "findings": [], "not_checked": [], "left_out": []}

    def test_a_file_that_is_not_a_did(self, icws, tmp_path):
        path = tmp_path / "c.did"
        path.write_bytes(b"\xff\xfe")
        assert "UTF-8" in icws.fails(3, "doctor", "--did", path)
        path.write_text("service : {")
        assert f"(in {path})" in icws.fails(3, "doctor", "--did", path)
        icws.fails(3, "doctor", "--did", tmp_path / "none.did")

    def test_intervals(self, icws):
        assert icws("doctor", "--canister-ack-ms", 60_000).code == 1
        assert "ACK_INTERVAL_TOO_SHORT" in icws.out
        assert icws("doctor", "--client-ack-ms", 300_000).code == 0

    def test_an_identity(self, icws, tmp_path):
        path = tmp_path / "me.json"
        path.write_text(json.dumps([Ed25519Identity.from_secret(b"\x05" * 32).public_key_der.hex(), "05" * 32]))
        assert icws("doctor", "--identity", path).code == 0
        path.write_text("{}")
        assert icws("doctor", "--identity", path).code == 1
        assert "IDENTITY_TYPE" in icws.out
        assert icws("doctor", "--identity", "anonymous", "--json").code == 1
        assert json.loads(icws.out)["findings"][0]["id"] == "IDENTITY_TYPE"
        icws.fails(3, "doctor", "--identity", tmp_path / "none.pem")

    def test_an_identity_file_without_end(self, icws):
        icws.fails(3, "doctor", "--identity", "/dev/zero")
        assert "more than 1048576 bytes" in icws.err

    def test_a_policy(self, icws):
        gateway = ("--gateway", "wss://gateway.example")
        assert icws("doctor", "--csp", "connect-src wss:", *gateway).code == 0
        assert icws("doctor", "--csp", "connect-src wss:", *gateway, "--network", "https://icp-api.io").code == 1
        assert "CSP_BLOCK" in icws.out
        assert icws("doctor", "--csp", "connect-src 'self'", *gateway, "--page", "https://gateway.example").code == 0

    def test_half_a_policy(self, icws):
        assert "--gateway URL" in icws.fails(2, "doctor", "--csp", "connect-src wss:")
        assert "--gateway URL" in icws.fails(2, "doctor", "--page", "https://dapp.example")
        icws.fails(3, "doctor", "--csp", "connect-src wss:", "--gateway", "https://gateway.example")
        icws.fails(3, "doctor", "--csp", "connect-src wss:", "--gateway", "wss://g", "--page", "dapp")

    def test_nothing_named(self, icws):
        assert "--did" in icws.fails(2, "doctor")


class TestSimulatedFaults:
    def test_a_fault_is_simulated_and_named(self, icws, tmp_path):
        path = tmp_path / "f.icws"
        assert icws("simulate", "--fault", "ON_MESSAGE_TRAP", "-o", path).code == 0
        assert icws("doctor", path, "--json").code == 1
        assert [finding["id"] for finding in json.loads(icws.out)["findings"]] == ["ON_MESSAGE_TRAP"]

    def test_they_are_listed(self, icws):
        assert icws("simulate", "--list-faults").code == 0
        assert "STALE_NONCE" in icws.out

    def test_they_bring_their_own_settings(self, icws, tmp_path):
        assert "--sessions" in icws.fails(
            2, "simulate", "--fault", "POLLER_DEAD", "--sessions", 2, "-o", tmp_path / "f"
        )
        assert "STALE_NONCE" in icws.fails(2, "simulate", "--fault", "STALENONCE", "-o", tmp_path / "f")
