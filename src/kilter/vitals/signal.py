"""What one array of signals looks like, in a few numbers: on NumPy arrays at once, on JAX arrays inside programs."""

from typing import Any, NamedTuple

import numpy as np

from kilter.core.arrays import namespace
from kilter.nn.activations import Activation
from kilter.nn.layer import Layer

# The bins of a histogram end at powers of two: all that is nearer to zero than the first one is in the middle bin, what is
# beyond the last one in the outermost two.
_FIRST, _LAST = -14, 10
_ENDS = 2.0 ** np.arange(_FIRST, _LAST + 1)
EDGES = np.concatenate([-_ENDS[::-1], _ENDS]).astype(np.float32)
BINS = len(EDGES) + 1
# Most rows and most units that go into the covariance of units, 4 million products a layer; and about how many entries of a
# feature map are looked at where all would take longer than training on them.
_ROWS, _UNITS, _ENTRIES = 256, 128, 1 << 17
# A unit whose standard deviation is below this share of the largest signal only shows how its outputs were rounded.
_ROUNDING = 1e-6


class Signal(NamedTuple):
    """What the outputs y of a layer look like on some rows; each attribute ``(layers,)``, or a number for one layer.

    Of feature maps with more than 131,072 entries, positions that are evenly spread and hold about as many stand for all in
    mean, std, rms, zero, saturated and histogram; the rest is of all entries.

    Attributes:
        mean: over the finite entries, as are std and rms; NaN where there are none.
        std: standard deviation of the entries, biased.
        rms: root of the mean square.
        zero: share of entries that are exactly zero, in [0, 1].
        saturated: share of the inputs of an element-wise activation where the derivative is below 5 % of its largest
            value (`nn.Activation.saturated`); NaN for other layers.
        dead: share of the units (channels) of a rectifier that are not active on any row and position
            (`nn.Activation.dead`); NaN for other layers.
        nans: entries that are NaN, a count.
        infs: entries that are infinite, a count.
        histogram: share of the finite entries in each of the bins between `EDGES`, ``(layers, bins)``.
        rank: effective dimensions that the units span over the rows, (tr C)^2 / tr(C^2) for their covariance C: 1 where all
            move as one, at most the number of units, 0 where nothing varies. The participation ratio of Gao et al. 2017, A
            theory of multineuronal dimensionality. At most 256 rows and 128 units, evenly spread, are looked at.
        units: mean |correlation| between two different units, of those that vary; 1 where all say the same, as after an
            initialization that gives all units the same weights. Of the same rows and units as ``rank``.
        examples: mean cosine between the outputs of two different examples; 1 where the network can no longer tell them
            apart, as in the ordered phase of deep networks (Poole et al. 2016, section 2).
        backward: rms of what is propagated back to y: of the gradient of the loss summed over the rows, which unlike that
            of the mean does not depend on how many these are. NaN for outputs that are whole numbers.
    """

    mean: Any
    std: Any
    rms: Any
    zero: Any
    saturated: Any
    dead: Any
    nans: Any
    infs: Any
    histogram: Any
    rank: Any
    units: Any
    examples: Any
    backward: Any


def summary(y: Any, *, gradient: Any = None, layer: Layer | None = None, x: Any = None) -> Signal:
    """The signal of one layer.

    Args:
        y: outputs ``(rows, ..., units)``, or ``(rows,)``.
        gradient: of the summed loss with respect to y; left open, ``backward`` is NaN.
        layer: that gave them; left open, ``saturated`` and ``dead`` are NaN.
        x: its inputs, needed where it is an element-wise activation.

    >>> import numpy as np
    >>> found = summary(np.array([[1.0, 0.0], [3.0, np.nan]], np.float32))
    >>> round(float(found.mean), 3), float(found.zero), int(found.nans)
    (1.333, 0.25, 1)
    """
    xp = namespace(y)
    y = y.astype(np.float32)
    with np.errstate(invalid="ignore"):  # what is not finite shows in the numbers
        seen = sample(y)
        mean, std, root = finite_moments(seen)
        rank, units = spread(seen)
        saturated, dead = idle(layer, x)
        return Signal(
            mean, std, root, (seen == 0).mean(), saturated, dead, xp.isnan(y).sum(), xp.isinf(y).sum(), histogram(seen),
            rank, units, likeness(y), np.nan if gradient is None else rms(gradient),
        )  # fmt: skip


def sample(y: Any) -> Any:
    """Positions of y as rows, ``(positions, units)``: all, or if there are too many entries some, evenly spread."""
    rows = y.reshape(-1, y.shape[-1] if y.ndim > 1 else 1)
    most = max(_ROWS, _ENTRIES // rows.shape[1])
    return rows if len(rows) <= most else rows[evenly(len(rows), most)]


def rms(values: Any) -> Any:
    """Root of the mean square; NaN or Inf if one of the values is. Squares of tiny or huge values do not get lost."""
    xp = namespace(values)
    largest = xp.abs(values).max()
    scale = xp.where((largest > 0) & xp.isfinite(largest), largest, 1.0)
    return scale * xp.sqrt(xp.square(values / scale).mean())


def finite_moments(y: Any) -> tuple[Any, Any, Any]:
    """Mean, standard deviation and root mean square of the finite entries; NaN where there are none."""
    xp = namespace(y)
    finite = xp.isfinite(y)
    count = finite.sum()
    count = xp.where(count > 0, count, np.nan)
    y = xp.where(finite, y, 0.0)
    largest = xp.abs(y).max()
    scale = xp.where(largest > 0, largest, 1.0)
    y = y / scale
    mean = y.sum() / count
    variance = xp.where(finite, xp.square(y - mean), 0.0).sum() / count
    return scale * mean, scale * xp.sqrt(variance), scale * xp.sqrt(variance + xp.square(mean))


def histogram(y: Any) -> Any:
    """Share of the finite entries in each bin, ``(bins,)``: bin i holds what is between edges i - 1 and i of `EDGES`.

    Zeros where no entry is finite. The bin is read from the exponent of the number, so that nothing is searched for.
    """
    xp = namespace(y)
    bits = y.astype(np.float32).reshape(-1).view(np.int32)
    exponent = ((bits >> 23) & 0xFF) - 127
    size = xp.clip(exponent - (_FIRST - 1), 0, BINS // 2)
    places = BINS // 2 + xp.where(bits < 0, -size, size)
    places = xp.where(exponent == 128, BINS, places)  # NaN and infinities
    counts = np.bincount(places, minlength=BINS + 1) if xp is np else xp.zeros(BINS + 1).at[places].add(1.0)
    return counts[:BINS] / xp.maximum(counts[:BINS].sum(), 1)


def spread(y: Any) -> tuple[Any, Any]:
    """Effective rank of the units over the rows of y ``(rows, units)``, and their mean |correlation|.

    NaN where y is not finite.
    """
    xp = namespace(y)
    rows = y if len(y) <= _ROWS else y[evenly(len(y), _ROWS)]
    rows = rows if y.shape[1] <= _UNITS else rows[:, evenly(y.shape[1], _UNITS)]
    largest = xp.abs(rows).max()
    rows = rows / xp.where(largest > 0, largest, 1.0)
    rows = rows - rows.mean(0)
    gram = rows.T @ rows / len(rows)
    variance = xp.diagonal(gram)
    still = variance <= _ROUNDING**2
    gram = xp.where(still[:, None] | still, 0.0, gram)
    variance = xp.diagonal(gram)
    total = variance.sum()
    rank = xp.square(total) / xp.where(total > 0, xp.square(gram).sum(), 1.0)
    size = xp.sqrt(xp.where(still, 1.0, variance))
    alike = xp.abs(gram / size / size[:, None]).sum()
    count = len(gram) - still.sum()
    pairs = xp.where(count > 1, count * (count - 1.0), np.nan)
    bad = xp.where(xp.isfinite(largest), 0.0, np.nan)
    return rank + bad, (alike - count) / pairs + bad


def likeness(y: Any) -> Any:
    """Mean cosine between the outputs of two different examples; those that are all zero are left out.

    For unit vectors u_i, sum over i != j of u_i . u_j = |sum u_i|^2 - n: no pair is looked at. NaN for fewer than two.
    """
    xp = namespace(y)
    rows = y.reshape(len(y), -1)
    largest = xp.abs(rows).max(1, keepdims=True)
    rows = rows / xp.where(largest > 0, largest, 1.0)
    length = xp.sqrt(xp.square(rows).sum(1, keepdims=True))
    total = xp.square((rows / xp.where(length > 0, length, 1.0)).sum(0)).sum()
    count = (largest != 0).sum()  # NaN counts, so that it shows
    return (total - count) / xp.where(count > 1, count * (count - 1.0), np.nan)


def idle(layer: Layer | None, x: Any) -> tuple[Any, Any]:
    """Share of the inputs at which an activation is saturated, and of its units that are never active; NaN for none."""
    if not isinstance(layer, Activation) or not layer.elementwise:
        return np.nan, np.nan
    dead = layer.dead(x).all(tuple(range(x.ndim - 1))).mean() if layer.mortal else np.nan
    return layer.saturated(sample(x)).mean(), dead


def evenly(count: int, most: int) -> Any:
    """At most so many numbers below ``count``, evenly spread from 0 on; as a list, since XLA takes long over strides.

    Where some are left out the stride is odd, so that it does not fall in step with the sides of an image.
    """
    stride = -(-count // most)
    return np.arange(0, count, stride if stride == 1 else stride | 1)
