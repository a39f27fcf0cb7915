"""`icws open`: wrong input is a line that says what to do."""

import subprocess
import sys

import pytest

from icws_explore.lab import Lab
from icws_explore.live.tap import Tap
from support.servers import free_port

CANISTER = "bkyz2-fmaaa-aaaaa-qaaaq-cai"
BRIEF_APP = """
MESSAGE_TYPE = "text"


def on_message(context, client, message):
    context.close(client)
"""


@pytest.fixture(scope="module")
def lab():
    with Lab(app="echo", seed=6) as running:
        yield running


class TestWrongInput:
    def test_gateway_url(self, icws, lab):
        assert "write ws://" in icws.fails(3, "open", "http://x", "--network", lab.network_url, "--canister", CANISTER)

    def test_no_listener(self, icws, lab):
        url = f"ws://127.0.0.1:{free_port()}"
        known = ["--network", lab.network_url, "--canister", lab.canister_id]
        assert "nobody listens" in icws.fails(3, "open", url, *known)

    def test_not_a_gateway(self, icws, lab):
        url = lab.network_url.replace("http", "ws")
        known = ["--network", lab.network_url, "--canister", lab.canister_id]
        assert "not a WebSocket" in icws.fails(3, "open", url, *known)

    def test_no_such_canister(self, icws, lab):
        known = ["--network", lab.network_url, "--canister", CANISTER]
        assert f"canister {CANISTER} does not exist" in icws.fails(3, "open", lab.gateway_url, *known)

    def test_broken_did(self, icws, lab, tmp_path):
        did = tmp_path / "broken.did"
        did.write_text("type A = record {")
        known = ["--network", lab.network_url, "--canister", lab.canister_id, "--app-type", did]
        assert "broken.did" in icws.fails(3, "open", lab.gateway_url, *known)

    def test_no_key_in_the_file(self, icws, lab, tmp_path):
        key = tmp_path / "key.pem"
        key.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        known = ["--network", lab.network_url, "--canister", lab.canister_id, "--identity", key]
        line = icws.fails(3, "open", lab.gateway_url, *known)
        assert "AAAA" not in line

    def test_root_key(self, icws, lab):
        icws.fails(2, "open", lab.gateway_url, "--canister", CANISTER, "--root-key", "xyz")

    def test_a_message_of_another_type(self, icws, lab):
        known = [
            "--network",
            lab.network_url,
            "--canister",
            lab.canister_id,
            "--app-type",
            "record { a : nat; b : nat }",
        ]
        assert "JSON of type" in icws.fails(3, "open", lab.gateway_url, *known, "--send", "hello")


class Relayed:
    """A lab's gateway behind a tap whose sessions can be cut, and `icws open` as a process before it."""

    def __init__(self, lab):
        self.lab = lab

    def run(self, then, *more):
        """Open, wait for the OpenMessage, do ``then`` with the tap; exit code and stderr."""
        with Tap(self.lab.gateway_url) as tap:
            known = ["--network", self.lab.network_url, "--canister", self.lab.canister_id]
            command = [sys.executable, "-m", "icws_explore.cli", "open", tap.url, *map(str, known), *more]
            pipe = subprocess.PIPE
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as process:
                while "◁ open" not in process.stdout.readline():
                    assert process.poll() is None
                then(tap)
                _, err = process.communicate(timeout=60)
            return process.returncode, err


class TestExitCode:
    def test_closed_here(self, lab):
        code, err = Relayed(lab).run(lambda _: None, "--duration", "1")
        assert (code, err) == (0, "connecting …\n")

    def test_a_lost_connection(self, lab):
        code, err = Relayed(lab).run(lambda tap: tap.stop(), "--duration", "20")
        assert code == 1
        assert "neither you nor the canister closed the session: the connection was lost (1006)" in err

    def test_the_canisters_application_closes(self, tmp_path):
        app = tmp_path / "brief.py"
        app.write_text(BRIEF_APP)
        with Lab(app=app, seed=7) as lab:
            code, err = Relayed(lab).run(lambda _: None, "--send", "hello", "--duration", "20")
        assert (code, err) == (0, "connecting …\n")
