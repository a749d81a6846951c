"""JAX's messages to its coordinator through the one port of the job, by a connection that outlives the coordinator.

JAX's client ends its process from C++, with a stack trace, as soon as the coordinator's end closes. Its near end stays open
here, so that the watch may end the process with a sentence.
"""

import contextlib
import socket
import threading

Address = tuple[str, int]
GREETING = b"kilter tunnel\n"


def to_coordinator(coordinator: Address) -> Address:
    """Open a near end of the tunnel, and return where it listens."""
    server = socket.create_server(("localhost", 0))

    def accept() -> None:
        while True:
            near, _ = server.accept()
            try:
                far = socket.create_connection(coordinator)
                far.sendall(GREETING)
            except OSError:
                continue
            join(near, far, hold=True)

    threading.Thread(target=accept, daemon=True).start()
    return "localhost", server.getsockname()[1]


def join(near: socket.socket, far: socket.socket, *, hold: bool) -> None:
    """Carry all bytes between two connections; with ``hold`` the near one stays open when the far one ends."""
    for source, target, closes in ((near, far, True), (far, near, not hold)):
        threading.Thread(target=_carry, args=(source, target, closes), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket, closes: bool) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    if closes:
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
