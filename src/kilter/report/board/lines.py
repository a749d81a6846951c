"""The lines of a journal as they stand in the file: whole ones alone, and none longer than a journal writes."""

import json
from collections.abc import Iterator
from typing import IO, Any

# A head names all members of a fleet; nothing else comes near.
LONGEST = 1 << 24


def parsed(line: bytes) -> dict[str, Any] | None:
    """A line as an object of JSON, or None where it is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def head_of(stream: IO[bytes]) -> dict[str, Any] | None:
    """The first line of a journal; None where this is no journal."""
    found = parsed(stream.readline(LONGEST))
    return found if found is not None and "kilter" in found else None


def whole(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines from here to the last one that has an end; in a file without ends of lines there are none."""
    while (line := stream.readline(LONGEST)).endswith(b"\n"):
        yield line


def last(stream: IO[bytes], start: int, size: int, length: int) -> list[dict[str, Any]]:
    """The lines that lie whole in the last bytes of a file, not before ``start``."""
    begin = max(start, size - length)
    stream.seek(begin)
    rest = stream.read(size - begin)
    if begin > start:
        rest = rest.partition(b"\n")[2]
    return [found for found in map(parsed, rest.split(b"\n")) if found is not None]
