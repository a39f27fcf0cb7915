"""Checks that this machine has what the notebooks need, and says what to do about what is missing."""

from __future__ import annotations

import platform
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata

from icws_explore.protocol.keys import bls
from icws_explore.views.facts import Fact
from icws_explore.views.html import View, facts_view

MINIMUM_PYTHON = (3, 11)
PACKAGES = ("jupyterlab", "ipywidgets", "matplotlib", "pandas", "websockets", "aiohttp")


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. If ``ok`` is False, ``text`` says what to do."""

    name: str
    ok: bool
    text: str


class Environment(View):
    """The results of all checks. ``ok`` is True if the notebooks will run."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        facts = [Fact(f.name, f"{'✓' if f.ok else '✗'} {f.text}", "" if f.ok else "bad") for f in findings]
        view = facts_view(facts)
        super().__init__(view.html, view.text)

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)


def check_environment() -> Environment:
    """Check Python, the packages, the signature library and the loopback interface."""
    return Environment([python(), *map(package, PACKAGES), signatures(), loopback()])


def python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Finding:
    needed = ".".join(map(str, MINIMUM_PYTHON))
    found = ".".join(map(str, version))
    if version[:2] < MINIMUM_PYTHON:
        return Finding("Python", False, f"{found}: install {needed} or later, then run make setup")
    return Finding("Python", True, f"{found} on {platform.system()}")


def package(name: str, installed: Callable[[str], str] = metadata.version) -> Finding:
    try:
        return Finding(name, True, installed(name))
    except metadata.PackageNotFoundError:
        return Finding(name, False, "missing: run make setup, and start Jupyter with make lab")


def signatures() -> Finding:
    """Sign and verify once with the BLS library that certificates need."""
    key = bls.SecretKey(b"the environment check")
    message = b"a message"
    good = bls.verify(key.public_key, message, key.sign(message))
    if good and not bls.verify(key.public_key, b"another", key.sign(message)):
        return Finding("BLS12-381", True, "signs and verifies (the signatures of the network)")
    return Finding("BLS12-381", False, "does not verify its own signature: reinstall pyblst (make clean setup)")


def loopback() -> Finding:
    """Check whether the lab may open ports on this machine."""
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            probe.listen()
    except OSError as error:
        return Finding(
            "loopback", False, f"the lab cannot run, because it cannot open a port on 127.0.0.1 ({error.strerror})"
        )
    return Finding("loopback", True, "the lab can open ports on 127.0.0.1")
