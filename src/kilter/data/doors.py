"""Doors by kind, as they stand in saved runs."""

from typing import Any

from kilter.core.errors import InputError
from kilter.data.dataset import Door


def door_from_dict(facts: dict[str, Any]) -> Door:
    """The door that `Door.to_dict` described.

    Raises:
        InputError: a kind of door that there is not.
    """
    if facts.get("kind") != "table":
        raise InputError(f"unknown kind of door {facts.get('kind')!r}; update Kilter")
    from kilter.data.table_door import TableDoor  # reads by pyarrow, which only runs on tables shall wait for

    return TableDoor.from_dict(facts)
