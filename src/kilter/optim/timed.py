"""What optimizers and schedules share: a length that may be left open, and the texts of the catalog."""

from typing import ClassVar, Self

from kilter.core.listed import Listed


class Timed(Listed, abstract=True):
    """Base of what runs on the clock of updates.

    Class attributes:
        formula: what it computes, in the names of its fields.
    """

    home: ClassVar[str] = "optim"

    def over(self, steps: int) -> Self:
        """A copy in which every schedule whose ``steps`` were left open spans ``steps`` updates."""
        changes = {name: getattr(self, name).over(steps) for name in self._specs if _timed(getattr(self, name))}
        if getattr(self, "steps", steps) is None:
            changes["steps"] = max(steps, 1)
        return self.replace(**changes) if changes else self


def _timed(value: object) -> bool:
    return isinstance(value, Timed)
