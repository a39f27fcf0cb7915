"""What several commands' options have in common."""

from __future__ import annotations

import click


def parse_hex(text: str, option: str) -> bytes:
    """The bytes of a hexadecimal option. Raises click.BadParameter."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise click.BadParameter("not hexadecimal", param_hint=option) from error
