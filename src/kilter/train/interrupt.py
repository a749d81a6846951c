"""Ctrl-C asks a training to end after the epochs in flight; a second one ends it at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether the user has asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Catch SIGINT while the block runs; outside the main thread, where Python delivers none, nothing is changed."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, interrupt._ask)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
