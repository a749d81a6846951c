"""Ctrl-C asks a training to end after the epochs in flight; a second one ends it at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether the user has asked to stop; what is asked of an inner block is asked of those around it, too."""

    def __init__(self, outer: "Interrupt | None" = None) -> None:
        self.asked = False
        self._outer = outer

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        if self._outer is not None and not self._outer.asked:
            self._outer._ask(number, frame)


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Catch SIGINT while the block runs; outside the main thread, where Python delivers none, nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield Interrupt()
        return
    before = signal.getsignal(signal.SIGINT)
    around = getattr(before, "__self__", None)
    interrupt = Interrupt(around if isinstance(around, Interrupt) else None)
    signal.signal(signal.SIGINT, interrupt._ask)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
