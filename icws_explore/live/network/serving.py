"""HTTP servers on this machine that outlast slow and greedy clients: the tap's network side, and a lab's replica.

Four things make a client cheap:

- A connection that sends no complete head, or no further request, is closed after `IDLE_S`.
- A request's body must be complete within `BODY_S`. All bodies that are read at the same time, and those that the tap
  passes on, share a budget of bytes, and the first `SMALL` bytes of each are free of it. So clients that send large
  bodies slowly hold up only other large bodies; a gateway's polls and calls are small.
- At most `TURN` bytes of a connection are read before the others have their turn. A body in chunks of one byte takes a
  second for each 5 MB to take apart.
- Packed bodies (``Content-Encoding``) stay packed. They pass the tap unchanged, and a replica refuses what is no CBOR.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from icws_explore.protocol.budgets import HTTP_BODIES as MOST
from icws_explore.protocol.budgets import HTTP_BODY_S as BODY_S
from icws_explore.protocol.budgets import HTTP_IDLE_S as IDLE_S
from icws_explore.protocol.budgets import HTTP_SMALL_BODY as SMALL

TURN: Final = 16 * 1024  # bytes, at most 2,700 chunks of a body


def runner_of(application: web.Application, logger: logging.Logger, *, shutdown_s: float) -> web.AppRunner:
    """Return what runs ``application``. ``shutdown_s`` is real seconds for the requests in progress at the end."""
    return _Runner(
        application,
        access_log=None,
        logger=logger,
        handle_signals=False,
        handler_cancellation=True,
        shutdown_timeout=shutdown_s,
        keepalive_timeout=IDLE_S,
        auto_decompress=False,
    )


class _Runner(web.AppRunner):
    """Makes servers that read each connection in turns."""

    async def setup(self) -> None:
        await super().setup()
        server = self.server
        assert server is not None
        made = server.connection_made

        def connection_made(handler: web.RequestHandler, transport: asyncio.Transport) -> None:
            transport.max_size = TURN  # type: ignore[attr-defined]  # asyncio reads 256 KiB at once without it
            made(handler, transport)

        server.connection_made = connection_made  # type: ignore[method-assign]


class BodyError(Exception):
    """A body that is not read. ``status`` and ``text`` are the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Bodies:
    """Reads the bodies of all requests of one server."""

    def __init__(self) -> None:
        self._held = 0  # bytes of all bodies beyond the first SMALL of each

    @asynccontextmanager
    async def of(self, request: web.Request, most: int) -> AsyncIterator[bytes]:
        """Read a body of at most ``most`` bytes; it counts until the context is left. Raises BodyError."""
        body = bytearray()
        held = 0
        try:
            try:
                async with asyncio.timeout(BODY_S):
                    async for part in request.content.iter_any():
                        body += part
                        more = max(0, len(body) - SMALL) - held
                        if len(body) > most:
                            raise BodyError(413, f"The request body is bigger than {most} bytes.")
                        if self._held + more > MOST:
                            raise BodyError(503, "too many large requests are in progress")
                        held += more
                        self._held += more
            except TimeoutError:
                raise BodyError(408, f"the request's body was not complete after {BODY_S:g} s") from None
            yield bytes(body)
        finally:
            self._held -= held
