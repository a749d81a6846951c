"""The door of tables: rows of a table, by the names of their columns, to inputs of a network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from kilter.data.arrays import Array
from kilter.data.encoders import Encoder, encoder_from_dict, unique
from kilter.data.reading import read


@dataclass(frozen=True)
class TableDoor:
    """How the columns of a table become features; learned on training rows, saved with a run as JSON.

    Attributes:
        encoders: one for each column that is used, in the order of the features.
    """

    encoders: tuple[Encoder, ...]
    kind: ClassVar[str] = "table"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that new rows need."""
        return tuple(encoder.name for encoder in self.encoders)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return unique(feature for encoder in self.encoders for feature in encoder.features)

    @property
    def categories(self) -> tuple[int, ...]:
        """For each feature the number of its codes, 0 where it is no code."""
        return tuple(count for encoder in self.encoders for count in encoder.categories)

    def enter(self, x: Any) -> Array:
        """New rows as float32 ``(rows, features)``.

        Args:
            x: a path, a frame or columns by name; columns may stand in any order, and further ones are ignored.

        Raises:
            InputError: no table, no rows, columns that are missing or hold values of another kind.
        """
        return self.encode(read(x, "x").columns(self.columns))

    def encode(self, columns: Mapping[str, Any]) -> Array:
        """Features of columns in canonical form."""
        blocks = [encoder.encode(columns[encoder.name]) for encoder in self.encoders]
        return np.ascontiguousarray(np.concatenate(blocks, 1))

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "encoders": [encoder.to_dict() for encoder in self.encoders]}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Self:
        return cls(tuple(encoder_from_dict(each) for each in facts["encoders"]))
