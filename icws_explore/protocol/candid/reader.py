"""Reading bytes with a position: the primitives that table, values and annotation share.

Numbers follow the Candid specification, "Binary Format": LEB128 may be longer than needed (the
specification's own tests accept that), but here never longer than its purpose can want.
"""

from __future__ import annotations

from typing import Final, NoReturn

MAX_COUNT_BYTES: Final = 10  # LEB128 of a count, an index or a field id: 64 bits, as the Rust crate reads
MAX_NUMBER_BYTES: Final = 2000  # LEB128 of a nat or int: 14 000 bits, so that Python will still print it (4300 digits)
VALUES_PER_BYTE: Final = 4  # decoding budget: values made or skipped, for every byte of input …
VALUES_FREE: Final = 4096  # … and for any input, …
MAX_VALUES: Final = 100_000  # … but never more: that many take some 30 ms and 30 MB
MAX_TYPE_PARTS: Final = 10_000  # fields, methods, arguments and results in a type table
MAX_DEPTH: Final = 256  # nested values


class Fault(Exception):  # noqa: N818 - control flow; only CandidError leaves
    """Why reading stopped: turned into CandidError at the border. ``path`` grows on the way out."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset
        self.path: list[str | int] = []


class Mismatch(Fault):
    """A well-formed value that does not fit the expected type; an ``opt`` around it becomes None."""


class Reader:
    """A position in ``data``, and what decoding may still cost (``left``, in values)."""

    __slots__ = ("data", "end", "left", "pos", "type_parts_left")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0
        self.end = len(data)
        self.left = min(MAX_VALUES, VALUES_FREE + VALUES_PER_BYTE * len(data))
        self.type_parts_left = MAX_TYPE_PARTS

    def charge(self, values: int) -> None:
        """Pays for ``values`` values before they are read."""
        self.left -= values
        if self.left < 0:
            raise Fault(f"asks for too many values for its {self.end} bytes", self.pos)

    def charge_type(self, parts: int) -> None:
        """Pays for parts of a type before they are read: each costs far more than the bytes that ask for it."""
        self.type_parts_left -= parts
        if self.type_parts_left < 0:
            raise Fault(f"the type table has more than {MAX_TYPE_PARTS} fields and methods", self.pos)

    def short(self, what: str, need: int) -> NoReturn:
        raise Fault(f"{what} needs {need} bytes, {self.end - self.pos} are left", self.pos)

    def byte(self, what: str) -> int:
        pos = self.pos
        if pos >= self.end:
            self.short(what, 1)
        self.pos = pos + 1
        return self.data[pos]

    def take(self, size: int, what: str) -> bytes:
        pos = self.pos
        end = pos + size
        if end > self.end:
            self.short(what, size)
        self.pos = end
        return self.data[pos:end]

    def count(self, what: str) -> int:
        """An unsigned LEB128 number of at most 64 bits: a length, a count, an index, a field id."""
        pos = self.pos
        if pos >= self.end:
            self.short(what, 1)
        byte = self.data[pos]
        if byte < 0x80:
            self.pos = pos + 1
            return byte
        value = self._unsigned(MAX_COUNT_BYTES, what)
        if value >> 64:
            raise Fault(f"{what} is more than 64 bits", pos)
        return value

    def items(self, what: str, least_size: int) -> int:
        """A count of things of which each takes ``least_size`` bytes or more: never more than are left."""
        pos = self.pos
        count = self.count(what)
        if count * least_size > self.end - self.pos:
            raise Fault(f"{what} is {count}, more than the {self.end - self.pos} bytes left can hold", pos)
        return count

    def type_code(self, what: str) -> int:
        """A signed LEB128 number of at most 64 bits: an opcode or an index into the type table."""
        pos = self.pos
        if pos >= self.end:
            self.short(what, 1)
        byte = self.data[pos]
        if byte < 0x80:
            self.pos = pos + 1
            return byte - 0x80 if byte & 0x40 else byte
        return self._signed(MAX_COUNT_BYTES, what)

    def text(self, what: str) -> str:
        size = self.count(what)
        raw = self.take(size, what)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Fault(f"{what} is not UTF-8 ({error.reason})", self.pos - size + error.start) from None

    def nat(self) -> int:
        return self._unsigned(MAX_NUMBER_BYTES, "nat")

    def int_(self) -> int:
        return self._signed(MAX_NUMBER_BYTES, "int")

    def _unsigned(self, limit: int, what: str) -> int:
        size = self._leb_size(limit, what)
        return _join_sevens(self._advance(size))

    def _signed(self, limit: int, what: str) -> int:
        size = self._leb_size(limit, what)
        raw = self._advance(size)
        value = _join_sevens(raw)
        return value - (1 << 7 * size) if raw[-1] & 0x40 else value

    def _advance(self, size: int) -> bytes:
        pos = self.pos
        self.pos = pos + size
        return self.data[pos : pos + size]

    def _leb_size(self, limit: int, what: str) -> int:
        data, start, end = self.data, self.pos, self.end
        pos = start
        while pos < end:
            if data[pos] < 0x80:
                return pos + 1 - start
            pos += 1
            if pos - start >= limit:
                raise Fault(f"{what} is longer than {limit} bytes", start)
        raise Fault(f"{what} ends in the middle", start)


def _join_sevens(raw: bytes) -> int:
    """The seven low bits of each byte, least significant first; linear in the length."""
    if len(raw) <= 8:
        value = 0
        for byte in reversed(raw):
            value = value << 7 | byte & 0x7F
        return value
    # Eight groups of seven bits are seven bytes, so that int.from_bytes does the long sum.
    return int.from_bytes(
        b"".join(_join_sevens(raw[i : i + 8]).to_bytes(7, "little") for i in range(0, len(raw), 8)), "little"
    )
