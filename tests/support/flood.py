"""A gateway that takes all and says nothing, and clients that send without end: blocking sockets, in threads."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.frames import Frame, Opcode

from .raw_tcp import ASK, UPGRADE

ONE = Frame(Opcode.BINARY, b"x").serialize(mask=True)  # 7 bytes


class Sink:
    """Counts the bytes behind the upgrade. ``url`` is where it listens."""

    def __init__(self) -> None:
        self.received = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._server.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._changed = threading.Condition()
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._server.accept()
                self._threads.append(threading.Thread(target=self._take, args=(connection,), daemon=True))
                self._threads[-1].start()

    def _take(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            head = b""
            while b"\r\n\r\n" not in head:
                byte = connection.recv(1)
                if not byte:
                    return
                head += byte
            connection.sendall(UPGRADE)
            while data := connection.recv(2**16):
                with self._changed:
                    self.received += len(data)
                    self._changed.notify_all()

    def wait_for(self, size: int) -> None:
        """Until so many bytes have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.received >= size, 60)

    def close(self) -> None:
        """Wait for what is under way."""
        with contextlib.suppress(OSError):  # closed already
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(60)


@contextmanager
def sink() -> Iterator[Sink]:
    server = Sink()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def flood(url: str, data: bytes = ONE) -> Iterator[None]:
    """Send frames to ``url`` until the other end has had enough, or this is left."""
    host, _, port = url.removeprefix("ws://").partition("/")[0].rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(ASK)
        connection.recv(2**16)

        def send() -> None:
            many = data * (2**20 // len(data) + 1)
            with contextlib.suppress(OSError):
                while True:
                    connection.sendall(many)

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(60)
