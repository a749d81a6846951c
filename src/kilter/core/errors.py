"""Errors are one sentence: where, what was given, what is accepted, what to do."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType


class InputError(ValueError):
    """Something the user handed over cannot be used; the message is one sentence that says why.

    Attributes:
        place: path of the part that is wrong, such as ``net.layers[3]``; empty where there is none.
        message: the sentence without its place.
    """

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place

    def __str__(self) -> str:
        return f"{self.place} {self.message}" if self.place else self.message

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.message, self.place)


class FileError(InputError):
    """A file or folder cannot be read or written."""


class DoubtWarning(UserWarning):
    """A choice that is possible, but rarely meant; training goes on."""


@contextmanager
def within(place: str, words: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Prefix the place of any `InputError` raised inside with ``place``, and put its parts in the user's ``words``."""
    try:
        yield
    except InputError as error:
        for ours, theirs in words.items():
            error.message = error.message.replace(ours, theirs)
        error.place = join(place, error.place)
        raise


def join(outer: str, inner: str) -> str:
    """Join two paths: ``net`` and ``layers[3]`` make ``net.layers[3]``, ``layers`` and ``[3]`` make ``layers[3]``."""
    if not outer or not inner or inner.startswith("["):
        return outer + inner
    return f"{outer}.{inner}"
