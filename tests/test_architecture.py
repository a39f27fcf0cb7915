"""The rooms keep their doors: who may import whom, what stays pure, what every module owes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from support.machine import ROOT

PACKAGE = ROOT / "icws_explore"
MODULES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
MAX_MODULES = 20  # in one folder: more than a newcomer can take in at a glance

# From the top down: a room imports from itself and from rooms below.
ROOMS = (("cli",), ("notebook", "testing"), ("views",), ("lab",), ("live",), ("analysis",), ("capture",), ("protocol",))
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}

# The errors are one tree for the whole package, credentials are taken out in one place; nothing else of the
# protocol is known to a capture.
CAPTURE_MAY_IMPORT = (
    "icws_explore.protocol.budgets",
    "icws_explore.protocol.close_codes",
    "icws_explore.protocol.credentials",
    "icws_explore.protocol.errors",
    "icws_explore.protocol.type_checks",
)

IMPURE = {
    "aiohttp", "asyncio", "concurrent", "http", "httpx", "logging", "matplotlib", "numpy", "pandas", "random",
    "requests", "select", "socket", "ssl", "subprocess", "threading", "time", "urllib", "websockets",
}  # fmt: skip
CLOCK_READS = {"now", "utcnow", "today"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(module: str) -> str | None:
    """The room of a dotted name within the package; None for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of every import, those inside functions and for types included."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*base, *([node.module] if node.module else [])])
            # `from package import room` names a room as well as `from package.room import thing` does.
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
class TestRooms:
    def test_stands_in_a_known_room(self, path: Path) -> None:
        room = room_of(dotted(path))
        assert room is None or room in RANK or room in ("__main__", "errors")

    def test_imports_go_down(self, path: Path) -> None:
        room = room_of(dotted(path))
        if room is None or room not in RANK:
            return
        upward = [
            f"line {line}: {name}"
            for line, name in imports(path)
            if name.startswith("icws_explore.") and RANK.get(room_of(name) or "", -1) < RANK[room]
        ]
        assert upward == []

    def test_capture_does_not_know_the_protocol(self, path: Path) -> None:
        if room_of(dotted(path)) != "capture":
            return
        known = [
            f"line {line}: {name}"
            for line, name in imports(path)
            if name.startswith("icws_explore.protocol") and not name.startswith(CAPTURE_MAY_IMPORT)
        ]
        assert known == []


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(dotted(path)) == "protocol"], ids=name_of)
class TestProtocolIsPure:
    def test_imports_nothing_that_acts_or_waits(self, path: Path) -> None:
        assert [f"line {line}: {name}" for line, name in imports(path) if name.partition(".")[0] in IMPURE] == []

    def test_reads_no_clock(self, path: Path) -> None:
        calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
        reads = [
            f"line {call.lineno}: {ast.unparse(call.func)}"
            for call in calls
            if isinstance(call.func, ast.Attribute)
            and call.func.attr in CLOCK_READS
            and re.search(r"\bdate(time)?\b", ast.unparse(call.func.value))
        ]
        assert reads == []


FOLDERS = sorted({path.parent for path in MODULES})


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
class TestFolders:
    def test_can_be_taken_in_at_a_glance(self, folder: Path) -> None:
        assert len(list(folder.glob("*.py"))) <= MAX_MODULES

    def test_have_their_tests_in_the_folder_of_the_same_name(self, folder: Path) -> None:
        assert list((ROOT / "tests" / folder.relative_to(PACKAGE)).glob("test_*.py"))


class TestNames:
    @pytest.mark.parametrize("folder", ["bench", "docs", "icws_explore", "tests"])
    def test_say_what_a_thing_is(self, folder: str) -> None:
        """Not just ``it``, which says so little that readers have to look for its meaning."""
        nameless = [
            f"{name_of(path)}, line {node.lineno}"
            for path in sorted((ROOT / folder).rglob("*.py"))
            if "node_modules" not in path.parts
            for node in ast.walk(tree_of(path))
            if (isinstance(node, ast.arg) and node.arg == "it")
            or (isinstance(node, ast.Name) and node.id == "it" and isinstance(node.ctx, ast.Store))
        ]
        assert nameless == []


class TestNothingLeftOpen:
    # ruff looks at the comments in Python files.
    OTHER_SOURCES = (".css", ".did", ".html", ".ipynb", ".j2", ".js", ".lark", ".md", ".mjs", ".toml", ".yml")
    OPEN = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b")

    def test_in_other_files(self) -> None:
        left_out = {".git", ".venv", ".venv-lowest", "node_modules", "out", "target"}
        paths = [path for path in ROOT.rglob("*") if path.suffix in self.OTHER_SOURCES and path.is_file()]
        sources = [path for path in paths if not left_out & set(path.relative_to(ROOT).parts)]
        assert sources
        assert [name_of(path) for path in sources if self.OPEN.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
class TestNotebooks:
    def test_store_no_outputs(self, path: Path) -> None:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert [cell["source"] for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
        assert "widgets" not in notebook["metadata"]
