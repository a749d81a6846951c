"""The regressor."""

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from kilter.core.errors import InputError
from kilter.data import Part, Target, arrays
from kilter.estimators import weights
from kilter.estimators.base import Array, KilterEstimator, float32, pair
from kilter.losses import SquaredError


class KilterRegressor(RegressorMixin, KilterEstimator):
    """A network that predicts one number or several, for tables of numbers; inputs and targets are standardized inside.

    Parameters are those of `KilterClassifier`, without ``class_weight``; the loss is the squared error of standardized
    targets. Predictions of floating-point targets have their type, all others are float32.

    Attributes:
        run_: the `kilter.Run`: its score, history, recipe and weights.
        loss_curve_: training loss of each epoch, in units of the targets' variance.
        validation_scores_: R2 on held-out rows after each epoch, where there are such.
        n_iter_: epochs that were run.
        n_features_in_, feature_names_in_: of the inputs, as everywhere in scikit-learn.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> regressor = KilterRegressor(random_state=0).fit(x, np.abs(x[:, 0]))
    >>> regressor.score(x, np.abs(x[:, 0])) > 0.9
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> Self:
        """Train from fresh weights, or with ``warm_start`` from the last ones.

        Args:
            X: inputs ``(rows, features)``: an array or a table of numbers.
            y: targets ``(rows,)`` or ``(rows, outputs)``.
            sample_weight: weight of each row in the loss and in the scales; rows of weight zero are left out.
            validation_data: a pair ``(X, y)`` to judge the epochs on; the best epoch's weights are kept.

        Raises:
            InputError: a parameter or data that cannot be used, in one sentence; a `ValueError`.
        """
        x, y = self._checked(X, y, reset=True)
        row_weights, x, y = weights.drop_zeros(weights.of_rows(sample_weight, x), x, y)
        self._dtype, self._flat = _dtype(y), y.ndim == 1
        held = None if validation_data is None else self._held(*pair(validation_data), _outputs(y))
        return self._fit(_part(x, y, row_weights), held, *self._task(y))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go through the rows once, from the weights so far; the first call sets the scales of inputs and targets.

        Args:
            X: inputs ``(rows, features)``.
            y: targets ``(rows,)`` or ``(rows, outputs)``.
            sample_weight: weight of each row.
        """
        first = not hasattr(self, "run_")
        x, y = self._checked(X, y, reset=first)
        row_weights, x, y = weights.drop_zeros(weights.of_rows(sample_weight, x), x, y)
        if first:
            self._dtype, self._flat = _dtype(y), y.ndim == 1
        elif (y.ndim == 1) != self._flat or _outputs(y) != self._count():
            raise InputError(f"y has shape {y.shape}, but so far the targets had {self._count()} outputs a row")
        return self._partial_fit(_part(x, y, row_weights), *self._task(y), first=first)

    def predict(self, X: Any) -> Array:
        """Predicted numbers, shaped like the targets: ``(rows,)`` or ``(rows, outputs)``."""
        inputs = self._inputs(X)
        return self.run_.predict(inputs).astype(self._dtype)

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        numeric = [np.float64, np.float32]
        x, y = validate_data(self, X, y, reset=reset, dtype=numeric, multi_output=True, y_numeric=True)
        return arrays.features(x, "X"), y

    def _held(self, X: Any, y: Any, outputs: int) -> Part:
        x, y = self._checked(X, y, reset=False)
        if _outputs(y) != outputs:
            raise InputError(f"validation_data: y has shape {y.shape}, but the targets have {outputs} outputs a row")
        return _part(x, y, None)

    def _count(self) -> int:
        return len(self.run_.params[-1]["bias"])

    def _task(self, y: Array) -> tuple[Target, SquaredError, int]:
        return Target("numbers", flat=self._flat), SquaredError(), _outputs(y)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _part(x: Array, y: Array, row_weights: Array | None) -> Part:
    return Part(x, arrays.numbers(y, "y"), float32(row_weights))


def _outputs(y: Array) -> int:
    return 1 if y.ndim == 1 else y.shape[1]


def _dtype(y: Array) -> Any:
    """Type of the predictions: that of floating-point targets, or what the network computes in."""
    return y.dtype if y.dtype.kind == "f" else np.dtype(np.float32)
