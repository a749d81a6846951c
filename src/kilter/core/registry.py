"""Names of value types, as they stand in files and in print."""

from typing import Any

_TYPES: dict[str, type] = {}


def register(kind: Any) -> None:
    """Make a type known by its name; a later definition of the same name takes its place."""
    _TYPES[kind.name()] = kind


def find(name: str) -> type | None:
    """The type of that name, if its module has been imported."""
    return _TYPES.get(name)
