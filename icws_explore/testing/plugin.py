"""The pytest plugin: fixtures with a lab and a client for tests of a dapp's canister.

pytest loads this module in every run of a project that has icws_explore installed, so it imports nothing but pytest.
The rest is imported when a test uses a fixture::

    def test_echo(icws_lab, icws_client):
        icws_client.send({"text": "hello"})
        assert icws_client.receive() == {"text": "hello"}
        icws_lab.advance("5m")
        assert icws_client.acks == 1

A test that fails leaves its recording as a file, and pytest's report has the doctor's words.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from .bench import CanisterLab, LabClient, Record

_OPTIONS: Final = {
    "wasm": ("FILE", "the compiled canister that the tests run (.wasm, .wasm.gz, .wat)"),
    "app": ("FILE", "in place of a compiled canister: a Python app, or the name of an example"),
    "did": ("FILE", "the canister's .did file, if its interface is not in the module"),
    "init": ("CANDID", "the argument of the canister's init, such as '(record { limit = 5 })'"),
    "time": ("KIND", "how time passes: virtual (default), paused or scaled"),
    "time_scale": ("N", "protocol seconds in a real second, for paused and scaled (default 60)"),
    "ack_interval_ms": ("N", "the canister's ack interval in milliseconds (default 300000)"),
    "keep_alive_timeout_ms": ("N", "its keep-alive time-out in milliseconds (default 60000)"),
    "seed": ("N", "makes keys and latencies reproducible (default 1)"),
}
_RECORD: Final = ("failed", "always", "never")
_FOLDER: Final = "icws-recordings"
_LAB: Final = pytest.StashKey["CanisterLab"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, each also as a setting of the configuration file (--icws-wasm: icws_wasm)."""
    group = parser.getgroup("icws", "IC WebSocket canisters (icws_explore)")
    for name, (value, text) in _OPTIONS.items():
        group.addoption(f"--icws-{name.replace('_', '-')}", dest=f"icws_{name}", metavar=value, help=text)
        parser.addini(f"icws_{name}", text)
    group.addoption(
        "--icws-record", dest="icws_record", choices=_RECORD, help="whose recordings are kept: failed (default) tests'"
    )
    parser.addini("icws_record", "whose recordings are kept: failed, always or never")
    where = f"the folder of the recordings (default {_FOLDER})"
    group.addoption("--icws-record-dir", dest="icws_record_dir", metavar="DIR", help=where)
    parser.addini("icws_record_dir", where)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "icws(wasm=, app=, time=, ack_interval_ms=, …): what the icws fixtures of this test run, and how"
    )


@pytest.fixture
def icws_lab(request: pytest.FixtureRequest) -> Iterator[CanisterLab]:
    """The canister under test, a gateway, and a clock that the test moves: advance, connect, upgrade, fault."""
    lab = _start(request)
    request.node.stash[_LAB] = lab
    yield lab
    lab.stop()


@pytest.fixture
def icws_client(icws_lab: CanisterLab) -> LabClient:
    """An open session with the canister under test: send, receive, acks, closed. `icws_lab.connect` opens more."""
    return icws_lab.connect()


@pytest.fixture
def icws_record(icws_lab: CanisterLab) -> Record:
    """The recording of the test so far: recording, findings, assert_healthy, save."""
    from .bench import Record

    return Record(icws_lab)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Add the recording's path and the doctor's words to the report of a test that failed."""
    report = yield
    lab = item.stash.get(_LAB, None)
    kept = _setting(item.config, "record") or "failed"
    if lab is None or call.when == "teardown" or kept == "never":
        return report
    if report.failed or (kept == "always" and call.when == "call"):
        _add_sections(item, report, lab)
    return report


def _add_sections(item: pytest.Item, report: pytest.TestReport, lab: CanisterLab) -> None:
    from icws_explore.protocol.errors import IcwsError

    from .failure import path_of, sections

    folder = item.config.rootpath / (_setting(item.config, "record_dir") or _FOLDER)
    try:
        report.sections.extend(sections(lab, path_of(folder, item.nodeid)))
    except (IcwsError, OSError) as error:
        report.sections.append(("icws recording", f"it could not be written: {error}"))


def _start(request: pytest.FixtureRequest) -> CanisterLab:
    from icws_explore.protocol.errors import IcwsError

    from .settings import BenchSettings

    config = request.config
    try:
        settings = BenchSettings()
        for texts, base in (
            (_texts(config.getini), (config.inipath or config.rootpath / "x").parent),
            (_texts(config.getoption), config.invocation_params.dir),
        ):
            settings = settings.with_texts(texts, base)
        for marker in reversed(list(request.node.iter_markers("icws"))):
            settings = settings.changed(marker.kwargs, Path(request.node.path).parent)
        if settings.time == "virtual":
            from .virtual import VirtualLab

            return VirtualLab(settings)
        from .sockets import SocketLab

        return SocketLab(settings)
    except IcwsError as error:
        pytest.fail(str(error), pytrace=False)


def _texts(read: Any) -> dict[str, str]:
    return {name: text for name in _OPTIONS if (text := read(f"icws_{name}"))}


def _setting(config: pytest.Config, name: str) -> str | None:
    return config.getoption(f"icws_{name}") or config.getini(f"icws_{name}") or None
