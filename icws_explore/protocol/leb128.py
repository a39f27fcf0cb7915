"""LEB128, the variable-length integers of Candid and of the state tree.

Sources: Candid specification, "Binary Format" (LEB128 and its signed form); interface specification,
"The system state tree" (``time`` is a natural number in LEB128). Candid's decoder reads LEB128 out of
a longer buffer (`candid.reader`); here is the reading of a whole value.
"""

from __future__ import annotations

from typing import Final

from .errors import DecodeError, count_of

MAX_SIZE: Final = 10  # bytes of a 64-bit number


def decode_unsigned(data: bytes, *, what: str = "LEB128") -> int:
    """The number that ``data`` is, at most 64 bits. Raises DecodeError, also if bytes follow the number."""
    number = 0
    for index, byte in enumerate(data[:MAX_SIZE]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if index + 1 != len(data):
                raise DecodeError(
                    what, f"{count_of(len(data) - index - 1, 'byte')} too many after the number", index + 1
                )
            if number.bit_length() > 64:
                raise DecodeError(what, "the number has more than 64 bits", index)
            return number
    if len(data) < MAX_SIZE:
        raise DecodeError(what, "the number does not end", len(data))
    raise DecodeError(what, "the number has more than 64 bits", MAX_SIZE)


def encode_unsigned(value: int) -> bytes:
    """``value`` (not negative) in as few bytes as possible."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_signed(value: int) -> bytes:
    """``value`` in signed LEB128 (two's complement), in as few bytes as possible."""
    encoded = bytearray()
    while not -0x40 <= value <= 0x3F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)
