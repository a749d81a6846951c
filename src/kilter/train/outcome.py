"""How a run ended; the value of each outcome is the sentence that a user reads."""

from enum import Enum


class Outcome(Enum):
    """How a run ended."""

    FINISHED = "finished: all epochs were run"
    STOPPED_EARLY = "stopped early: the score had not improved for as long as patience allows"
    DIVERGED = "diverged: the loss or a weight became infinite or not a number"
    INTERRUPTED = "interrupted: stopped by hand before all epochs were run"
    PAUSED = "paused: to be trained on where it is among the best"

    @property
    def code(self) -> int:
        """Number of the outcome in the compiled program, where 0 means that the run goes on."""
        return 1 + list(Outcome).index(self)

    @classmethod
    def of(cls, code: int, otherwise: "Outcome") -> "Outcome":
        """The outcome with that number; ``otherwise`` for a run that was still going on."""
        return otherwise if code == 0 else list(cls)[code - 1]

    def __str__(self) -> str:
        return self.value
