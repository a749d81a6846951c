"""Warnings that name the line of the caller, however deep inside they arise."""

import sys
import warnings

from kilter.core.errors import DoubtWarning

# Modules that frames of ours are called through.
_OURS = frozenset({__name__.partition(".")[0], "contextlib", "functools"})


def warn(words: str, category: type[Warning] = DoubtWarning) -> None:
    """Warn at the line outside of the library that called into it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame, level = frame.f_back, level + 1
    warnings.warn(words, category, stacklevel=level)
