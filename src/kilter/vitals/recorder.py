"""Keeps the records of one network: so few that memory is bounded, so even that they tell the whole training."""

from kilter.vitals.measure import Vitals
from kilter.vitals.trace import Trace
from kilter.vitals.watch import RECORDS


class Recorder:
    """Records every so many epochs. When there are `RECORDS`, every second one is dropped and the stride doubles.

    Args:
        layers: paths of the layers that are recorded.
        arrays: paths of the parameter arrays that are.
        stride: epochs from record to record.
        trace: what was recorded before, with the same stride at first.
    """

    def __init__(
        self, layers: tuple[str, ...], arrays: tuple[str, ...], stride: int, trace: Trace | None = None
    ) -> None:
        self.layers, self.arrays, self.stride = layers, arrays, stride
        self._epochs: list[int] = [] if trace is None else trace.epochs.tolist()
        self._records: list[Vitals] = [] if trace is None else trace.records()
        if len(self._epochs) > 1:
            self.stride = self._epochs[1] - self._epochs[0]

    def due(self, epoch: int, ended: bool) -> bool:
        """Whether a network is to be recorded that goes on, or has ended, after so many epochs."""
        fresh = not self._epochs or epoch > self._epochs[-1]
        return fresh and (ended or epoch % self.stride == 0)

    def next(self, epoch: int) -> int:
        """The next epoch after this one at which a record is due."""
        return (epoch // self.stride + 1) * self.stride

    def add(self, epoch: int, record: Vitals) -> None:
        """Record a network after so many epochs."""
        if len(self._epochs) == RECORDS:
            self._epochs, self._records, self.stride = self._epochs[::2], self._records[::2], 2 * self.stride
        self._epochs.append(epoch)
        self._records.append(record)

    @property
    def trace(self) -> Trace | None:
        """All records; None where there are none."""
        return Trace.of(self.layers, self.arrays, self._epochs, self._records) if self._records else None
