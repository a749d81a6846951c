"""What optimizers and schedules share: a length that may be left open, and the texts of the catalog."""

from typing import ClassVar, Self

from kilter.core.values import Value


class Timed(Value, abstract=True):
    """Base of what runs on the clock of updates.

    Class attributes:
        formula: what it computes, in the names of its fields.
        source: paper and year.
        choose: when to choose it, in one line.
    """

    home: ClassVar[str] = "optim"
    formula: ClassVar[str] = ""
    source: ClassVar[str] = ""
    choose: ClassVar[str] = ""

    def over(self, steps: int) -> Self:
        """A copy in which every schedule whose ``steps`` were left open spans ``steps`` updates."""
        changes = {name: getattr(self, name).over(steps) for name in self._specs if _timed(getattr(self, name))}
        if getattr(self, "steps", steps) is None:
            changes["steps"] = max(steps, 1)
        return self.replace(**changes) if changes else self


def _timed(value: object) -> bool:
    return isinstance(value, Timed)
