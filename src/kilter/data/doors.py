"""Doors by kind, as they stand in saved runs."""

from typing import Any

from kilter.core.errors import InputError
from kilter.data.dataset import Door


def door_from_dict(facts: dict[str, Any]) -> Door:
    """The door that `Door.to_dict` described."""
    raise InputError(f"unknown kind of door {facts.get('kind')!r}")
