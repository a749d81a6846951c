"""Pages for large arrays, used again as soon as nothing refers to the array that lay in them."""

import math
import mmap
import weakref
from typing import Any

import numpy as np


class Pages:
    """Room for arrays that come and go.

    Pages that the system has just given are cleared when they are first touched, which takes as long as filling them. Here
    they are kept; and as they begin where pages begin, devices that are cores take them as they are, without a copy.

    >>> pages = Pages()
    >>> pages.room((2, 3), np.float32).shape
    (2, 3)
    """

    def __init__(self) -> None:
        self._free: dict[int, list[mmap.mmap]] = {}

    def room(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """An array of this shape that holds anything."""
        size = np.dtype(dtype).itemsize * math.prod(shape)
        free = self._free.setdefault(size, [])
        try:
            pages = free.pop()
        except IndexError:  # asked for by several threads, perhaps
            pages = mmap.mmap(-1, size)
        whole = np.frombuffer(pages, dtype)
        # Views of it refer to it, so that it goes when the last of them has gone, on the devices too.
        weakref.finalize(whole, free.append, pages).atexit = False
        return whole.reshape(shape)
