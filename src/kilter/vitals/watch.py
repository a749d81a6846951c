"""What of a training is watched, where, and how often."""

import math
import re
from dataclasses import KW_ONLY
from typing import Any, Self

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.core.values import Value
from kilter.vitals.measure import Vitals, Weights, Whole
from kilter.vitals.signal import Signal
from kilter.vitals.taps import Places

GROUPS = ("activations", "gradients", "weights", "run")
# Most records of a trace.
RECORDS = 64
# Share of the work on training rows that probing may cost; the work on a probed row in that on a training row, which is
# three passes of as many products as forward; and what a probe takes beside, 4 ms of a core, in products. Measured: 1.6
# rows for 784-512-512-512-10, 2.6 for two convolutions; 5 ms a probe of 64-128-128-10, of which 1 are products.
_SHARE, _ROW, _PASSES, _PROBE = 0.03, 4.0, 3.0, 2e8


class Watch(Value):
    """What is measured while a network trains: every so many epochs, on the same rows of the training part.

    Training itself is not touched: a program of its own measures between epochs, and the weights are bit for bit those of
    a training that is not watched. Batch norms follow the probed rows, as in training; dropout and other layers that draw
    are off, so that records differ by the weights alone. Rows are not augmented.

    The weights before the first epoch and those of the last epoch are measured in any case. Left open, ``every`` is chosen
    so that there are R = floor(0.03 epochs trained work / (4 rows work + 2e8)) records, but at least these two and at most
    the 64 of a `Trace`: ceil(epochs / (R - 1)), with ``trained`` the number of training rows and ``work`` the
    multiplications of training on one. Probing a row costs up to 4 times what training on it does and a probe some
    milliseconds beside, and that shall be 3 % of the work. Short trainings are recorded at both ends alone: there say
    ``every=1``.

    Args:
        what: any of ``"activations"``, ``"gradients"``, ``"weights"`` and ``"run"`` (loss, gradient norm, penalty).
        where: regular expression that is looked for in the paths of layers and parameters; left open, all of them.
        every: epochs from record to record; where 64 records are not enough it doubles on the way.
        rows: of the training part, the same ones at every record, drawn once by a fixed permutation.

    Raises:
        InputError: nothing or something unknown is to be watched, or ``where`` is no regular expression.

    >>> Watch(every=1, where="layers.[02]").stride(epochs=500, trained=1000, products=1e6)
    1
    >>> Watch().stride(epochs=20, trained=8000, products=1e6)
    7
    """

    home = "kl"

    _: KW_ONLY
    what: str | tuple[str, ...] = option(default=GROUPS, kinds=(str, tuple))
    where: str | None = option(default=None, kinds=str, optional=True)
    every: int | None = option(default=None, kinds=int, range="[1, inf)", unit="epochs", optional=True)
    rows: int = option(default=256, kinds=int, range="[2, inf)", unit="rows")

    def _fill(self, given: dict[str, Any]) -> None:
        what = given.get("what", GROUPS)
        super()._fill(given | {"what": (what,) if isinstance(what, str) else what})
        for unknown in set(self.what) - set(GROUPS):
            raise InputError(f"Watch(what={unknown!r}): what must be any of {', '.join(map(repr, GROUPS))}")
        try:
            re.compile(self.where or "")
        except re.error as error:
            raise InputError(f"Watch(where={self.where!r}): where must be a regular expression, {error}") from None

    @classmethod
    def default(cls) -> Self:
        """All there is, at most 3 % of the work."""
        return cls()

    def stride(self, *, epochs: int, trained: int, products: float) -> int:
        """Epochs from record to record.

        Args:
            epochs: of the training.
            trained: training rows.
            products: multiplications of one row, forward.
        """
        if self.every is not None:
            return self.every
        row = _PASSES * products
        afforded = int(_SHARE * trained * epochs * row / (_ROW * min(self.rows, trained) * row + _PROBE))
        return max(1, math.ceil(epochs / (min(max(afforded, 2), RECORDS) - 1)))

    def chosen(self, paths: tuple[str, ...]) -> tuple[int, ...]:
        """Which of the paths are watched."""
        return tuple(place for place, path in enumerate(paths) if re.search(self.where or "", path))

    def check(self, found: Places) -> None:
        """Refuse to watch a network that has nothing where this is told to look."""
        paths = found.signals + found.weights
        if not self.chosen(paths):
            raise InputError(
                f"Watch(where={self.where!r}): finds nothing in this network, which has {', '.join(paths)}"
            )


def taken(what: tuple[str, ...], vitals: Vitals, layers: Any, arrays: Any) -> Vitals:
    """Of what was measured, that of these layers and parameter arrays which is watched; the rest is None."""

    def kept(group: str, values: Any, chosen: Any) -> Any:
        return values[chosen] if group in what else None

    signals = [
        kept("gradients" if name == "backward" else "activations", values, layers)
        for name, values in vitals.signals._asdict().items()
    ]
    weights = [
        kept("gradients" if name == "gradient" else "weights", values, arrays)
        for name, values in vitals.weights._asdict().items()
    ]
    return Vitals(Signal(*signals), Weights(*weights), Whole(*(kept("run", value, ...) for value in vitals.whole)))


def watch_of(given: Watch | str | None) -> Watch | None:
    """What a user gave for ``watch``: a `Watch`, or ``"default"``, or None.

    Raises:
        InputError: it is something else.
    """
    if given is None or isinstance(given, Watch):
        return given
    if given == "default":
        return Watch.default()
    raise InputError(f"watch={given!r}: watch must be None, 'default' or a kl.Watch(...)")
