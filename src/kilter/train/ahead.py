"""Work ahead: a thread makes the next item while the last one is used."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kilter.core import job
from kilter.core.errors import FileError

_END = object()


@contextmanager
def ahead(items: Iterator[Any]) -> Iterator[Iterator[Any]]:
    """The same items, of which one waits while the next is being made; what goes wrong in the thread is raised here.

    Processes of a job take them together: where one of them has none, since something went wrong, the others raise, too.
    When the block is left, the thread ends after the item that it is making.

    >>> with ahead(iter(range(3))) as numbers:
    ...     list(numbers)
    [0, 1, 2]
    """
    waiting: queue.Queue[Any] = queue.Queue(1)
    over = threading.Event()

    def put(item: Any) -> bool:
        while not over.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
        except BaseException as error:
            put((_END, error))
        else:
            put((_END, None))

    def given() -> Iterator[Any]:
        while True:
            item, error = waiting.get()
            (failed,) = job.most(error is not None)
            if error is not None:
                raise error
            if failed:
                raise FileError("another process of the job could not read its next rows; it says why")
            if item is _END:
                return
            yield item

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield given()
    finally:
        over.set()
        thread.join()
