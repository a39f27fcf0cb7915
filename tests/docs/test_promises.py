"""Every row of docs/robustness.md and docs/threat-model.md names a test that exists and that the suite collects."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from support.machine import ROOT

PAGES = ("robustness.md", "threat-model.md")
NAMED = {page: re.findall(r"`([\w/]+\.py(?:::\w+)+)`", (ROOT / "docs" / page).read_text("utf-8")) for page in PAGES}
ROWS = {
    page: [
        line
        for line in (ROOT / "docs" / page).read_text("utf-8").splitlines()
        if line.startswith("|") and not line.startswith(("|---", "| promised", "| it tries", "| they try"))
    ]
    for page in PAGES
}


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """The tests of the named files, without parameters, as pytest itself lists them."""
    files = sorted({f"tests/{name.partition('::')[0]}" for names in NAMED.values() for name in names})
    assert [file for file in files if not (ROOT / file).exists()] == []
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.partition("[")[0].removeprefix("tests/") for line in found.stdout.splitlines() if "::" in line}


@pytest.mark.parametrize("page", PAGES)
class TestRows:
    def test_each_names_a_test(self, page: str) -> None:
        assert len(ROWS[page]) > 20
        assert [row for row in ROWS[page] if not re.search(r"`[\w/]+\.py(::\w+)+` \|$", row)] == []

    @pytest.mark.slow
    def test_each_of_these_is_collected(self, page: str, collected: set[str]) -> None:
        assert sorted(set(NAMED[page]) - collected) == []
