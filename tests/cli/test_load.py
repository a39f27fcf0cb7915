"""`icws load`: against a lab on loopback; elsewhere only with a second naming of the host, and within limits."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from icws_explore.lab import Lab

HANG_S = 60  # a hang guard


@pytest.fixture(scope="module")
def target():
    with Lab(app="echo", seed=5) as lab:
        yield [lab.gateway_url, "--network", lab.network_url, "--canister", str(lab.canister_id)]


class TestLoad:
    def test_prints_what_became_of_the_sessions(self, icws, target):
        assert icws("load", *target, "--sessions", 3, "--rate", 4, "--for", 1).code == 0
        lines = icws.out.splitlines()
        assert lines[0] == "sessions    3: 3 opened, 0 failed"
        assert lines[2].startswith("messages    12 sent, 12 answered, in ")
        assert lines[3].startswith("round trip  p50 ")
        assert lines[-1] == "closed      3 × closed by icws load (1000)"

    def test_as_json(self, icws, target):
        icws("load", *target, "--sessions", 2, "--rate", 2, "--for", 1, "--send", '{"text": "x"}', "--json")
        told = json.loads(icws.out)
        assert (told["sessions"], told["opened"], told["sent"], told["answered"]) == (2, 2, 4, 4)
        assert told["round_trip_p50_ms"] <= told["round_trip_p99_ms"] <= told["round_trip_max_ms"]

    @pytest.mark.slow
    def test_with_processes(self, icws, target):
        assert icws("load", *target, "--sessions", 4, "--rate", 2, "--for", 1, "--workers", 2, "--json").code == 0
        told = json.loads(icws.out)
        assert (told["opened"], told["sent"], told["answered"]) == (4, 8, 8)

    def test_an_interrupt_closes_the_sessions_and_tells_what_was_measured(self, target):
        command = [sys.executable, "-m", "icws_explore.cli", "load", *target, "--sessions", "3", "--for", "3600"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            assert "3 of 3 sessions opened" in process.stderr.readline()
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=HANG_S)
        assert process.returncode == 130
        assert "closed      3 × closed by icws load (1000)" in out
        assert "Traceback" not in err

    @pytest.mark.slow
    def test_so_it_does_with_processes(self):
        """Ctrl-C goes to every process of a terminal. The others hand over what they have measured."""
        with Lab(app="echo", seed=6) as lab:
            answered = threading.Semaphore(0)
            lab.listen(lambda event: answered.release() if event.text.startswith("ws_message") else None)
            arguments = [lab.gateway_url, "--network", lab.network_url, "--canister", str(lab.canister_id)]
            command = [sys.executable, "-m", "icws_explore.cli", "load", *arguments, "--sessions", "4", "--for", "3600"]
            with subprocess.Popen(
                [*command, "--workers", "2", "--json"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            ) as process:  # fmt: skip
                try:
                    for _ in range(20):
                        assert answered.acquire(timeout=HANG_S)
                    os.killpg(process.pid, signal.SIGINT)
                    out, err = process.communicate(timeout=HANG_S)
                finally:
                    process.kill()
        assert process.returncode == 130
        assert err.splitlines()[1].startswith("closing the sessions …")
        assert "Traceback" not in err
        told = json.loads(out)
        assert (told["opened"], told["ended"]) == (4, {"closed by icws load (1000)": 4})
        assert told["answered"] > 0
        assert told["round_trip_p50_ms"] > 0

    def test_sessions_that_do_not_open_are_bad(self, icws, target):
        assert icws("load", "ws://127.0.0.1:1", *target[1:], "--sessions", 2, "--for", 1).code == 1
        assert "failed      2 × nobody listens at ws://127.0.0.1:1" in icws.out


class TestElsewhere:
    @pytest.mark.parametrize("extra", [[], ["--target", "example"]])
    def test_a_host_must_be_named_again(self, icws, target, extra):
        line = icws.fails(3, "load", "wss://gateway.example", *target[1:], *extra)
        assert "name it again with --target gateway.example" in line

    def test_has_limits(self, icws, target):
        line = icws.fails(3, "load", "wss://gateway.example", *target[1:], "--target", "gateway.example", "--for", 900)
        assert "the limits are 20 sessions, 2 openings and 20 messages a second in all, for 300 s" in line
