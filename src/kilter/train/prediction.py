"""A prediction that says how sure it is: mean and spread of several networks, and the noise that they have learned."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kilter.core.errors import InputError
from kilter.core.plotted import Plotted
from kilter.data.targets import Target

Array = np.ndarray[Any, Any]
# Weight of one network, its predictions ``(rows, k)``, and the variance of the targets around them, or None.
Vote = tuple[float, Array, Array | None]


@dataclass(frozen=True)
class Prediction(Plotted):
    """Mean and spread over networks: the samples of Monte-Carlo dropout, or the members of an ensemble.

    With the prediction p_i of network i, its weight w_i (equal for samples, sum 1) and entropy H in nats:

    Attributes:
        value: decoded prediction: class values, 0 and 1 for labels, or numbers in the target's own unit.
        mean: sum_i w_i p_i: probabilities ``(rows, classes)`` or ``(rows, labels)``, or numbers shaped like ``value``.
        std: (sum_i w_i (p_i - mean)^2)^(1/2), shaped like ``mean``: how far the networks are apart.
        entropy: H(mean), from 0 to log(classes), ``(rows,)``; of labels one each, ``(rows, labels)``; None for numbers.
        information: H(mean) - sum_i w_i H(p_i) >= 0, shaped like ``entropy``: the part of it that more data could
            remove, which is the mutual information of the answer and the network (BALD: Houlsby et al. 2011).
        noise: (sum_i w_i v_i)^(1/2), shaped like ``mean``, with the variances v_i that a loss such as
            `losses.GaussianLikelihood` has learned; else None.
    """

    value: Array
    mean: Array
    std: Array
    entropy: Array | None
    information: Array | None
    noise: Array | None

    @property
    def total(self) -> Array:
        """(std^2 + noise^2)^(1/2): standard deviation of a new target around the mean."""
        return self.std if self.noise is None else np.hypot(self.std, self.noise)

    @classmethod
    def of(cls, target: Target, votes: Iterable[Vote]) -> "Prediction":
        """Gather the votes of networks, one at a time, so that memory does not grow with their number.

        Raises:
            InputError: they predict different numbers of columns.
        """
        tally = _Tally(target)
        for vote in votes:
            tally.add(*vote)
        return tally.closed()

    def __repr__(self) -> str:
        names = [name for name in ("std", "entropy", "information", "noise") if getattr(self, name) is not None]
        means = ", ".join(f"{name} {float(np.mean(getattr(self, name))):.4g}" for name in names)
        return f"Prediction({len(self.value)} rows; on average {means})"


class _Tally:
    """Weighted moments by the rule of West 1979: equal votes have a spread of exactly zero."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.weight = 0.0
        self.mean: Any = None
        self.squares: Any = 0.0
        self.entropy: Any = 0.0
        self.variance: Any = 0.0

    def add(self, weight: float, read: Array, noise: Array | None) -> None:
        """One network's predictions."""
        read = read.astype(np.float64)
        if self.target.task == "classes":
            read /= read.sum(-1, keepdims=True)  # in float32 they sum to one only within 1e-7
        if self.mean is None:
            self.mean = np.zeros_like(read)
        if read.shape != self.mean.shape:
            raise InputError(f"predictions of shape {read.shape} and {self.mean.shape} have no mean")
        self.weight += weight
        share, apart = weight / self.weight, read - self.mean
        self.mean = self.mean + share * apart
        self.squares = self.squares + weight * apart * (read - self.mean)
        self.entropy = self.entropy + share * (_entropy(self.target, read) - self.entropy)
        if noise is None or self.variance is None:
            self.variance = None
        else:
            self.variance = self.variance + share * (noise - self.variance)

    def closed(self) -> Prediction:
        """The prediction of all that were added."""
        numbers = self.target.task == "numbers"
        value = self.target.decode(self.mean)
        entropy = None if numbers else _entropy(self.target, self.mean)
        return Prediction(
            value,
            value if numbers else self.mean,
            self._shaped(np.sqrt(self.squares / self.weight)),
            entropy,
            None if entropy is None else np.maximum(entropy - self.entropy, 0.0),
            None if self.variance is None else self._shaped(np.sqrt(self.variance)),
        )

    def _shaped(self, spread: Array) -> Array:
        return self.target.decode(spread) if self.target.task == "numbers" else spread


def _entropy(target: Target, probabilities: Array) -> Any:
    """Entropy in nats of each row, or of each label; what has no probability adds nothing."""
    if target.task == "numbers":
        return 0.0
    if target.task == "labels":
        return _surprise(probabilities) + _surprise(1 - probabilities)
    return _surprise(probabilities).sum(-1)


def _surprise(p: Array) -> Array:
    return -p * np.log(np.where(p > 0, p, 1.0))
