"""The sections of a WebAssembly module, as far as the lab reads and changes them before it is compiled.

A canister's code is rolled back when a message traps, so the lab must read and write its whole state from outside. A
module exports only what its author needs, so `prepared` adds exports of its memory and its table, copies of its mutable
globals, and two functions that copy all of these at once: a call costs as much as reading one global from outside.
Its start function becomes an export, too: it runs after the memory has what an upgrade keeps, and never again.
It also reads the Candid interface from the custom sections and refuses what a replica refuses for its size.

The bytes are a stranger's: every read is checked, and the cost is linear in their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from icws_explore.protocol.errors import LabError

MAX_CODE_BYTES: Final = 12 * 1024 * 1024  # the replica's limits on a module
MAX_FUNCTIONS: Final = 50_000
MAX_GLOBALS: Final = 1_000
MEMORY: Final = "icws:memory"
TABLE: Final = "icws:table"
GLOBAL: Final = "icws:global:"
START: Final = "icws:start"

KEEP: Final = "icws:keep"
PUT_BACK: Final = "icws:put_back"

_MAGIC: Final = b"\0asm\x01\0\0\0"
_CUSTOM, _TYPE, _IMPORT, _FUNCTION, _TABLE, _MEMORY, _GLOBAL, _EXPORT, _START, _CODE = 0, 1, 2, 3, 4, 5, 6, 7, 8, 10
_ORDER: Final = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)  # of the sections; 13 are tags, 12 counts data
_CANDID: Final = (b"icp:public candid:service", b"icp:private candid:service")
_PERSISTENT: Final = b"enhanced-orthogonal-persistence"  # of Motoko; after "icp:private " or "icp:public "
_CONSTANTS: Final = {0x41: "leb", 0x42: "leb", 0x23: "leb", 0xD2: "leb", 0xD0: "leb", 0x43: 4, 0x44: 8, 0xFD: "v128"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """``wasm`` is the module with further exports. ``candid`` is its Candid interface; None: it has none in it.

    ``keeps_memory``: it was compiled for upgrades that keep its memory, as Motoko does.
    """

    wasm: bytes
    candid: str | None
    has_memory: bool
    has_table: bool
    keeps_memory: bool
    globals: int  # mutable ones; their copies are exported as GLOBAL + "0" and so on


class _Reader:
    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]  # IndexError: it ends too early

    def leb(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 70:
                raise ValueError("a number of more than 64 bits")

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise ValueError("it ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def name(self) -> bytes:
        return self.take(self.leb())

    def limits(self) -> None:
        flags = self.byte()
        self.leb()
        if flags & 1:
            self.leb()
        if flags & 8:
            self.leb()  # a custom page size

    def value_type(self) -> None:
        if self.byte() in {0x63, 0x64}:  # a reference to a heap type
            self.leb()

    def constant(self) -> None:
        """Skip a constant expression."""
        while (code := self.byte()) != 0x0B:
            follows = _CONSTANTS.get(code, 0)
            if follows == "leb":
                self.leb()
            elif follows == "v128":
                self.leb()
                self.take(16)
            else:
                assert isinstance(follows, int)
                self.take(follows)


def prepared(wasm: bytes) -> Prepared:
    """Read a module and add the exports. Raises LabError: the reason, for a line that begins with the file."""
    try:
        return _prepared(wasm)
    except (ValueError, IndexError) as error:
        why = str(error) if isinstance(error, ValueError) else "it ends too early"
        raise LabError(f"is not a WebAssembly module: {why}") from error


def _prepared(wasm: bytes) -> Prepared:
    if not wasm.startswith(_MAGIC):
        raise ValueError("it does not begin with the magic bytes of one; give the .wasm file that your build makes")
    parts: list[tuple[int, bytes]] = []
    candid: dict[bytes, bytes] = {}
    found = _Found()
    keeps_memory = False
    for number, content in _sections(wasm):
        if number == _CUSTOM:
            reader = _Reader(content)
            name = reader.name()
            keeps_memory = keeps_memory or name.partition(b" ")[2] == _PERSISTENT
            if name in _CANDID:
                candid.setdefault(name, content[reader.at :])
        else:
            found.look(number, content)
        if number != _START:
            parts.append((number, content))
    for number, entries in found.additions().items():
        parts = _with(parts, number, entries)
    text = next((candid[name] for name in _CANDID if name in candid), None)
    return Prepared(
        wasm=_MAGIC + b"".join(bytes([number]) + _leb(len(content)) + content for number, content in parts),
        candid=None if text is None else text.decode("utf-8", "replace"),
        has_memory=found.memories > 0,
        has_table=found.tables > 0,
        keeps_memory=keeps_memory,
        globals=len(found.mutable),
    )


def _sections(wasm: bytes) -> Iterator[tuple[int, bytes]]:
    reader = _Reader(wasm, len(_MAGIC))
    while reader.at < len(wasm):
        number = reader.byte()
        yield number, reader.take(reader.leb())


class _Found:
    """What the sections of a module define."""

    def __init__(self) -> None:
        self.types = self.functions = self.memories = self.tables = self.globals = 0
        self.mutable: list[int] = []
        self.copies: list[bytes] = []  # further globals, like the mutable ones
        self.start: int | None = None

    def look(self, number: int, content: bytes) -> None:
        reader = _Reader(content)
        if number == _CODE and len(content) > MAX_CODE_BYTES:
            size, limit = len(content) / 2**20, MAX_CODE_BYTES // 2**20
            raise LabError(f"has {size:.0f} MiB of code; a replica accepts at most {limit} MiB")
        if number == _TYPE:
            self.types += reader.leb()
        elif number == _IMPORT:
            self._imports(reader)
        elif number == _FUNCTION:
            self._functions(reader.leb())
        elif number == _START:
            self.start = reader.leb()
        elif number == _TABLE:
            self.tables += reader.leb()
        elif number == _MEMORY:
            self.memories += reader.leb()
        elif number == _GLOBAL:
            count = reader.leb()
            if count > MAX_GLOBALS:
                raise LabError(f"has {count:,} globals; a replica accepts at most {MAX_GLOBALS:,}")
            for _ in range(count):
                start = reader.at
                is_mutable = self._add_global(reader)
                reader.constant()
                if is_mutable:
                    self.copies.append(content[start : reader.at])

    def additions(self) -> dict[int, list[bytes]]:
        """The entries that are added, by section.

        Each mutable global gets a copy. One function copies the globals into their copies, one copies them back.
        """
        if not self.mutable:
            return {_EXPORT: self._exports()}
        pairs = [(index, self.globals + number) for number, index in enumerate(self.mutable)]
        return {
            _TYPE: [b"\x60\0\0"],  # () -> ()
            _FUNCTION: [_leb(self.types)] * 2,
            _GLOBAL: self.copies,
            _CODE: [_copying(pairs), _copying([(to, source) for source, to in pairs])],
            _EXPORT: [*self._exports(), _entry(KEEP, 0, self.functions), _entry(PUT_BACK, 0, self.functions + 1)],
        }

    def _exports(self) -> list[bytes]:
        entries = [_entry(f"{GLOBAL}{number}", 3, self.globals + number) for number in range(len(self.mutable))]
        if self.memories:
            entries.append(_entry(MEMORY, 2, 0))
        if self.tables:
            entries.append(_entry(TABLE, 1, 0))
        if self.start is not None:
            entries.append(_entry(START, 0, self.start))
        return entries

    def _imports(self, reader: _Reader) -> None:
        for _ in range(reader.leb()):
            module, name = reader.name(), reader.name()
            kind = reader.byte()
            if kind != 0:
                what = {1: "table", 2: "memory", 3: "global", 4: "tag"}.get(kind, "thing of an unknown kind")
                where = f"{module.decode('utf-8', 'replace')}.{name.decode('utf-8', 'replace')}"
                raise LabError(f"imports the {what} {where}; a canister can import only functions")
            reader.leb()
            self.functions += 1

    def _functions(self, count: int) -> None:
        if count > MAX_FUNCTIONS:
            raise LabError(f"has {count:,} functions; a replica accepts at most {MAX_FUNCTIONS:,}")
        self.functions += count

    def _add_global(self, reader: _Reader) -> bool:
        """Whether it is mutable."""
        reader.value_type()
        if is_mutable := reader.byte() == 1:
            self.mutable.append(self.globals)
        self.globals += 1
        return is_mutable


def _with(parts: list[tuple[int, bytes]], wanted: int, entries: list[bytes]) -> list[tuple[int, bytes]]:
    """Add entries to a section, which is made if it is not there."""
    for at, (number, content) in enumerate(parts):
        if number == wanted:
            reader = _Reader(content)
            count = reader.leb()
            changed = _leb(count + len(entries)) + content[reader.at :] + b"".join(entries)
            return [*parts[:at], (wanted, changed), *parts[at + 1 :]]
    before = _ORDER[: _ORDER.index(wanted)]
    at = max((at + 1 for at, (number, _) in enumerate(parts) if number in before), default=0)
    return [*parts[:at], (wanted, _leb(len(entries)) + b"".join(entries)), *parts[at:]]


def _copying(pairs: list[tuple[int, int]]) -> bytes:
    """The code of a function that copies globals: global.get, global.set for each pair."""
    body = b"\0" + b"".join(b"\x23" + _leb(source) + b"\x24" + _leb(to) for source, to in pairs) + b"\x0b"
    return _leb(len(body)) + body


def _entry(name: str, kind: int, index: int) -> bytes:
    raw = name.encode()
    return _leb(len(raw)) + raw + bytes([kind]) + _leb(index)


def _leb(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
