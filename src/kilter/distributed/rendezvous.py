"""The processes of a job meet at one port, and from then on each knows at once when another is lost."""

import atexit
import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

from kilter.core.errors import InputError
from kilter.distributed import tunnel
from kilter.distributed.cluster import Place

# Seconds between signs of life, for the last words of an ended job, and that a process which is done waits for others.
_BEAT, _LAST, _PATIENCE = 1.0, 2.0, 300.0


class Line:
    """One connection as lines of text; silence for too long reads as its end."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, words: str) -> None:
        """Send a line; an end that is gone hears nothing."""
        with contextlib.suppress(OSError):
            self.connection.sendall(f"{words}\n".encode())

    def heard(self, within: float) -> Iterator[str]:
        """Lines as they come, to the end of the connection or to a silence of so many seconds."""
        left = b""
        with contextlib.suppress(OSError):
            self.connection.settimeout(max(within, 0.01))
            while piece := self.connection.recv(4096):
                *lines, left = (left + piece).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)


class Watch:
    """Sees to it that the processes of a job end together.

    Args:
        place: of this process.
        lines: to the others, by their numbers; all but the first process have one, to the first.
        silence: seconds without a sign of life after which a process is lost.
    """

    def __init__(self, place: Place, lines: dict[int, Line], silence: float) -> None:
        self._place, self._lines, self._silence = place, lines, silence
        self._done: set[int] = set()
        self._over, self._lock = threading.Event(), threading.Lock()
        for other in lines:
            threading.Thread(target=self._listen, args=(other,), daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    def end_together(self) -> None:
        """Have this process wait for the others at its end; after JAX has asked to be cleaned up, so before it is."""
        atexit.register(self._end)

    def leave(self, code: int) -> None:
        """End now, without the others: to them this process is lost."""
        self._over.set()
        for line in self._lines.values():
            line.say(f"lost process {self._place.process} of {self._place.processes} has failed")
        if self._place.process == 0:
            time.sleep(_LAST / 2)
        _exit(code)

    def _end(self) -> None:
        if getattr(sys, "last_value", None) is not None:  # an error has been shown
            self.leave(1)
        self._finished(self._place.process)
        for line in self._lines.values():
            line.say("done")
        if not self._over.wait(_PATIENCE):
            self._lost(f"another process still works {_PATIENCE:.0f} s after this one was done")

    def _finished(self, process: int) -> None:
        with self._lock:
            self._done.add(process)
            if self._place.process == 0 and len(self._done) == self._place.processes:
                for line in self._lines.values():
                    line.say("end")
                self._over.set()

    def _beat(self) -> None:
        while not self._over.wait(_BEAT):
            for line in self._lines.values():
                line.say("alive")

    def _listen(self, other: int) -> None:
        for words in self._lines[other].heard(self._silence):
            if words == "done" and self._place.process == 0:
                self._finished(other)
            elif words == "end":
                self._over.set()
            elif words.startswith("lost ") and not self._over.is_set():
                self._lost(words.removeprefix("lost "))
        if not self._over.is_set():
            self._lost(f"process {other} of {self._place.processes} was lost")

    def _lost(self, reason: str) -> None:
        """End this process with a sentence, after the others have been told."""
        with self._lock:
            for line in self._lines.values():
                line.say(f"lost {reason}")
            _tell(
                f"{reason}, which ends the job; begin it again, on any number of devices: with a checkpoint it goes on"
            )
            # The others end first: JAX takes the end of this process for a fault of theirs.
            time.sleep(_BEAT / 2 if self._place.process == 0 else 0)
            _exit(1)


def gather(place: Place, service: tunnel.Address, until: float, silence: float) -> Watch:
    """As the first process: listen at the coordinator's port until all others have come.

    Args:
        place: of this process.
        service: where JAX's own coordinator listens, to which tunnels lead.
        until: the time at which to give up.
        silence: as of a `Watch`.

    Raises:
        InputError: the port cannot be had, or not all have come in time.
    """
    try:
        server = _server(place.address[1])
    except OSError as error:
        raise InputError(
            f"the coordinator cannot listen on port {place.address[1]}: {error.strerror or error}"
        ) from None
    lines: dict[int, Line] = {}
    all_here = threading.Event()

    def greet(connection: socket.socket) -> None:
        greeting = _first_line(connection)
        if greeting == tunnel.GREETING:
            tunnel.join(connection, socket.create_connection(service), hold=False)
            return
        line, number = Line(connection), _number(greeting, place, lines)
        if isinstance(number, str):
            line.say(f"lost {number}")
            connection.close()
            return
        lines[number] = line
        if len(lines) == place.processes - 1:
            all_here.set()

    def accept() -> None:
        while server.fileno() >= 0:
            try:
                connection, _ = server.accept()
            except OSError:  # closed
                return
            threading.Thread(target=greet, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    if not all_here.wait(max(until - time.monotonic(), 0)):
        missing = ", ".join(str(number) for number in range(1, place.processes) if number not in lines)
        reason = f"of {place.processes} processes these did not come to {_named(place)} in time: {missing}"
        for line in lines.values():
            line.say(f"lost {reason}")
            line.connection.close()
        server.close()
        raise InputError(f"distributed.start: {reason}; start them too, or wait longer (timeout)")
    for line in lines.values():
        line.say("go")
    return Watch(place, lines, silence)


def come(place: Place, until: float, silence: float) -> Watch:
    """As one of the others: meet the first process.

    Raises:
        InputError: the coordinator cannot be reached, or not all processes have come in time.
    """
    line = Line(_reached(place, until))
    line.say(f"kilter watch {place.process} {place.processes}")
    for words in line.heard(until - time.monotonic() + _LAST):
        if words == "go":
            return Watch(place, {0: line}, silence)
        if words.startswith("lost "):
            line.connection.close()
            raise InputError(f"distributed.start: {words.removeprefix('lost ')}")
        break
    line.connection.close()
    raise InputError(f"distributed.start: what listens at {_named(place)} is no coordinator of Kilter, or it has ended")


def _reached(place: Place, until: float) -> socket.socket:
    while True:
        left = until - time.monotonic()
        try:
            return socket.create_connection(place.address, timeout=max(left, 0.01))
        except OSError as error:
            if left < _BEAT / 5:
                raise InputError(
                    f"distributed.start: the coordinator at {_named(place)} cannot be reached ({error.strerror or error}); "
                    "is process 0 running there, and its port open? Else wait longer (timeout)"
                ) from None
            time.sleep(_BEAT / 5)


def _server(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _first_line(connection: socket.socket) -> bytes:
    """Byte by byte, since what follows is not ours to read."""
    line = b""
    with contextlib.suppress(OSError):
        connection.settimeout(10 * _BEAT)
        while len(line) < 64 and not line.endswith(b"\n") and (byte := connection.recv(1)):
            line += byte
        connection.settimeout(None)
    return line


def _number(greeting: bytes, place: Place, lines: dict[int, Line]) -> int | str:
    """Number of a process that has come, or why it cannot be one of the job."""
    words = greeting.decode(errors="replace").split()
    if len(words) != 4 or words[:2] != ["kilter", "watch"] or not (words[2].isdigit() and words[3].isdigit()):
        return "this is the coordinator of a job of Kilter"
    number, processes = int(words[2]), int(words[3])
    if processes != place.processes:
        return f"process {number} says that there are {processes} processes, process 0 says {place.processes}"
    return f"there are two processes of number {number}" if number in lines or number == 0 else number


def _named(place: Place) -> str:
    return f"{place.address[0]}:{place.address[1]}"


def _tell(sentence: str) -> None:
    os.write(2, f"kilter: {sentence}\n".encode())


def _exit(code: int) -> None:
    """End at once, with what has been printed: threads of JAX may wait for ever."""
    flushing = threading.Thread(target=lambda: (sys.stdout.flush(), sys.stderr.flush()), daemon=True)
    flushing.start()
    flushing.join(_LAST / 2)
    os._exit(code)
