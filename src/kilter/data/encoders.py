"""How one column becomes features: what was learned of it, as plain data that goes through JSON."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from pyarrow import compute

from kilter.data import arrow, cells
from kilter.data.arrays import Array
from kilter.data.times import times

pc: Any = compute  # its functions are made at import, where type checkers do not see them

_DAY = 86_400_000_000


@dataclass(frozen=True)
class Encoder:
    """What was learned of a column.

    Attributes:
        name: of the column.
        gaps: whether values were missing among the training rows; a feature then says where they are.
    """

    name: str
    gaps: bool
    kind: ClassVar[str] = ""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, one for each column of `encode`."""
        return (*self._own(), f"{self.name} is missing") if self.gaps else self._own()

    def encode(self, column: Any) -> Array:
        """Features ``(rows, len(features))`` float32 of a canonical column.

        Raises:
            InputError: values of another kind than the training rows had.
        """
        values = self._values(column)
        if self.gaps:
            values = np.column_stack([values, self._missing(column)])
        return values.astype(np.float32)

    @property
    def categories(self) -> tuple[int, ...]:
        """For each feature the number of its codes, 0 where it is no code."""
        return (0,) * len(self.features)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Self:
        given: dict[str, Any] = {name: value for name, value in facts.items() if name != "kind"}
        lists: dict[str, Any] = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        return cls(**(given | lists))

    def _own(self) -> tuple[str, ...]:
        raise NotImplementedError

    def _values(self, column: Any) -> Array:
        raise NotImplementedError

    def _missing(self, column: Any) -> Array:
        raise NotImplementedError


@dataclass(frozen=True)
class Number(Encoder):
    """A number as it is; ``fill``, the median of the training rows, where it is missing."""

    fill: float
    kind: ClassVar[str] = "number"

    def _own(self) -> tuple[str, ...]:
        return (self.name,)

    def _values(self, column: Any) -> Array:
        values = cells.numbers(column, self.name)
        return np.where(np.isnan(values), self.fill, values)[:, None]

    def _missing(self, column: Any) -> Array:
        return np.isnan(cells.numbers(column, self.name))


@dataclass(frozen=True)
class Category(Encoder):
    """A feature of zeros and ones for each of the ``levels``; where ``rest``, one more for all other values."""

    levels: tuple[str, ...]
    rest: bool
    kind: ClassVar[str] = "category"

    def _own(self) -> tuple[str, ...]:
        own = tuple(f"{self.name}={level}" for level in self.levels)
        return (*own, f"{self.name}=(other)") if self.rest else own

    def _values(self, column: Any) -> Array:
        return self._index(column)[:, None] == np.arange(len(self.levels) + self.rest)

    def _missing(self, column: Any) -> Array:
        return arrow.missing(cells.texts(column, self.name))

    def _index(self, column: Any) -> Array:
        """Number of each value's level, that of all levels for other values, -1 where it is missing."""
        texts = cells.texts(column, self.name)
        found = arrow.floats(pc.index_in(texts, value_set=arrow.words(self.levels)))
        other = np.where(arrow.missing(texts), -1, len(self.levels))
        return np.where(np.isnan(found), other, found).astype(np.int32)


@dataclass(frozen=True)
class Code(Category):
    """One feature: the number of the value's level, then one for all others where ``rest``, then one for ``gaps``.

    What the training rows did not have, an unknown value or a missing one, is -1.
    """

    kind: ClassVar[str] = "code"

    @property
    def features(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def categories(self) -> tuple[int, ...]:
        return (len(self.levels) + self.rest + self.gaps,)

    def encode(self, column: Any) -> Array:
        index, levels = self._index(column), len(self.levels)
        other, missing = levels if self.rest else -1, levels + self.rest if self.gaps else -1
        codes = np.where(index == levels, other, np.where(index < 0, missing, index))
        return codes[:, None].astype(np.float32)


@dataclass(frozen=True)
class Text(Encoder):
    """Text with many values: its pieces of three and four letters, hashed into ``width`` features of joint length 1."""

    width: int
    kind: ClassVar[str] = "text"

    def _own(self) -> tuple[str, ...]:
        return tuple(f"{self.name}#{index}" for index in range(self.width))

    def _values(self, column: Any) -> Array:
        from sklearn.feature_extraction.text import HashingVectorizer  # takes a second to import, few tables need it

        hashing = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), n_features=self.width)
        words = pc.fill_null(cells.texts(column, self.name), "").to_pylist()
        hashed: Any = hashing.transform(words)
        return hashed.toarray()

    def _missing(self, column: Any) -> Array:
        return arrow.missing(cells.texts(column, self.name))


@dataclass(frozen=True)
class Time(Encoder):
    """Those ``parts`` of a date that differed among the training rows; ``fill``, their median, where it is missing.

    Months, weekdays and hours are given as sine and cosine of their place in the year, the week and the day, so that
    the last is near the first. ``form`` is the one in which text is read; ``fill`` counts microseconds since 1970.
    """

    form: str | None
    fill: int
    parts: tuple[str, ...]
    kind: ClassVar[str] = "time"

    def _own(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{part}" for part in self.parts)

    def _values(self, column: Any) -> Array:
        moments = times(column, self.name, self.form)
        moments[np.isnat(moments)] = np.datetime64(self.fill, "us")
        found = parts_of(moments)
        return np.column_stack([found[part] for part in self.parts])

    def _missing(self, column: Any) -> Array:
        return np.isnat(times(column, self.name, self.form))


def parts_of(moments: Array) -> dict[str, Array]:
    """Parts of datetime64[us] by name; ``days`` counts from 1970."""
    months, days = moments.astype("datetime64[M]"), moments.astype("datetime64[D]")
    found = {
        "days": moments.astype(np.int64) / _DAY,
        "year": moments.astype("datetime64[Y]").astype(np.int64) + 1970,
        "day": (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
    }
    circles = {
        "month": months.astype(np.int64) % 12 / 12,
        "weekday": (days.astype(np.int64) + 3) % 7 / 7,
        "hour": moments.astype(np.int64) % _DAY / _DAY,
    }
    for name, turn in circles.items():
        found |= {f"{name} sin": np.sin(2 * np.pi * turn), f"{name} cos": np.cos(2 * np.pi * turn)}
    return found


ALL: tuple[type[Encoder], ...] = (Number, Category, Code, Text, Time)


def encoder_from_dict(facts: dict[str, Any]) -> Encoder:
    """The encoder that `Encoder.to_dict` described; a `KeyError` for a kind that there is not."""
    return {kind.kind: kind for kind in ALL}[facts["kind"]].from_dict(facts)


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Names with a number behind those that were there before."""
    seen: dict[str, None] = {}
    for name in names:
        fresh, count = name, 2
        while fresh in seen:
            fresh, count = f"{name} ({count})", count + 1
        seen[fresh] = None
    return tuple(seen)
