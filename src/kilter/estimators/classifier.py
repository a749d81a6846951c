"""The classifier."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from kilter.core.errors import InputError
from kilter.data import Dataset, Part, Target, arrays
from kilter.estimators import weights
from kilter.estimators.base import Array, KilterEstimator, float32, pair
from kilter.losses import SoftmaxCrossEntropy
from kilter.train import Recipe


class KilterClassifier(ClassifierMixin, KilterEstimator):
    """A network that tells classes apart, for tables of numbers; inputs are standardized inside.

    Args:
        hidden_layer_sizes: units of the hidden layers; ``()`` for logistic regression.
        activation: behind each: ``"relu"``, ``"tanh"``, ``"sigmoid"``, ``"identity"``, ..., or a value of `kilter.nn`.
        initializer: of the kernels: ``"he_normal"``, ``"glorot_uniform"``, ..., or a value of `kilter.nn.initializers`;
            ``None`` matches it to the activation.
        normalization: in front of the activations: ``None``, ``"batch"`` or a layer.
        dropout: probability to drop a hidden unit in a step, in [0, 1).
        optimizer: ``"adam"``, ``"sgd"`` (with momentum 0.9) or a value of `kilter.optim`, taken as it is.
        learning_rate: at the start, or a schedule of `kilter.optim`; ``"auto"``: 0.01 for Adam, 0.05 for SGD.
        schedule: ``"cosine"``, down to zero over the training, or ``"constant"``.
        weight_decay: decoupled decay of the kernels by Adam, times the learning rate each step; ``"auto"``: 3 for Adam, and
            80 / sqrt(rows) where that is less.
        batch_size: rows an update; ``"auto"``: a hundredth of the rows, from 64 to 512.
        max_epochs: passes over the rows; ``"auto"``: twenty, or as many as make two thousand updates.
        early_stopping: hold out rows, end when their score no longer improves, and keep the best epoch's weights.
        validation_fraction: share of the rows held out.
        patience: epochs without improvement that are let pass; ``"auto"``: a tenth of all, at least ten.
        random_state: seed of weights, order of rows, dropout and held-out rows.
        verbose: show a progress line, where standard error is a terminal.
        warm_start: go on from the weights of the last fit, and on the scale of its inputs, where shapes and classes agree.
        recipe: a whole `kilter.Recipe`, or a function that makes one of data, such as `kilter.recipes.tabular`; it
            overrides all of the above but ``early_stopping``'s held-out rows,
            ``random_state``, ``verbose`` and ``warm_start``.
        class_weight: ``None``, ``"balanced"``, or weights by class; times ``sample_weight``.

    Attributes:
        classes_: values of the classes, sorted.
        run_: the `kilter.Run`: its score, history, recipe and weights.
        loss_curve_: training loss of each epoch.
        validation_scores_: accuracy on held-out rows after each epoch, where there are such.
        n_iter_: epochs that were run.
        n_features_in_, feature_names_in_: of the inputs, as everywhere in scikit-learn.

    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> classifier = KilterClassifier(random_state=0).fit(x, y)
    >>> classifier.score(x, y) > 0.95
    True
    """

    classes_: Array

    def __init__(
        self,
        hidden_layer_sizes: Any = (256,),
        *,
        activation: Any = "relu",
        initializer: Any = None,
        normalization: Any = None,
        dropout: float = 0.0,
        optimizer: Any = "adam",
        learning_rate: Any = "auto",
        schedule: str = "cosine",
        weight_decay: Any = "auto",
        batch_size: Any = "auto",
        max_epochs: Any = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: Any = "auto",
        random_state: Any = None,
        verbose: bool = False,
        warm_start: bool = False,
        recipe: Recipe | Callable[[Dataset], Recipe] | None = None,
        class_weight: Any = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation=activation,
            initializer=initializer,
            normalization=normalization,
            dropout=dropout,
            optimizer=optimizer,
            learning_rate=learning_rate,
            schedule=schedule,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_epochs=max_epochs,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            random_state=random_state,
            verbose=verbose,
            warm_start=warm_start,
            recipe=recipe,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> Self:
        """Train from fresh weights, or with ``warm_start`` from the last ones.

        Args:
            X: inputs ``(rows, features)``: an array or a table of numbers.
            y: class values ``(rows,)``.
            sample_weight: weight of each row in the loss and in the scale of the inputs; rows of weight zero are left out.
            validation_data: a pair ``(X, y)`` to judge the epochs on; the best epoch's weights are kept.

        Raises:
            InputError: a parameter or data that cannot be used, in one sentence; a `ValueError`.
        """
        x, y = self._checked(X, y, reset=True)
        row_weights, x, y = weights.drop_zeros(weights.of_rows(sample_weight, x), x, y)
        self._learn_classes(np.unique(y))
        held = None if validation_data is None else self._held(*pair(validation_data))
        return self._fit(self._part(x, y, row_weights), held, *self._task())

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Go through the rows once, from the weights so far; the first call sets the scale of the inputs.

        Args:
            X: inputs ``(rows, features)``.
            y: class values ``(rows,)``, all of them in ``classes``.
            classes: all class values there are; needed in the first call alone.
            sample_weight: weight of each row.

        Raises:
            InputError: a class that was not named, or no classes in the first call.
        """
        first = not hasattr(self, "run_")
        x, y = self._checked(X, y, reset=first)
        if first and classes is None:
            raise InputError("classes: the first call of partial_fit needs all classes there will be")
        if first:
            self._learn_classes(np.unique(classes))
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise InputError(f"classes must stay what they were in the first call, {self.classes_.tolist()}")
        row_weights, x, y = weights.drop_zeros(weights.of_rows(sample_weight, x), x, y)
        return self._partial_fit(self._part(x, y, row_weights), *self._task(), first=first)

    def predict(self, X: Any) -> Array:
        """The likeliest class of each row, ``(rows,)``."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(1)]

    def predict_proba(self, X: Any) -> Array:
        """Probabilities ``(rows, classes)``, columns in the order of ``classes_``."""
        inputs = self._inputs(X)
        return self.run_.predict_proba(inputs)

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of `predict_proba`; minus infinity where a probability is zero."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        x, y = validate_data(self, X, y, reset=reset, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        return arrays.features(x, "X"), y

    def _learn_classes(self, classes: Array) -> None:
        if len(classes) < 2:
            raise InputError(f"y holds one class only, {classes.tolist()}; at least two are needed to learn from")
        known = getattr(self, "classes_", None)
        if known is not None and not np.array_equal(known, classes) and hasattr(self, "run_"):
            del self.run_  # its outputs stand for other classes
        self.classes_ = classes

    def _indices(self, y: Array) -> Array:
        table = {value: index for index, value in enumerate(self.classes_.tolist())}
        try:
            return np.array([table[value] for value in y.tolist()], np.int32)
        except KeyError as error:
            known = self.classes_.tolist()
            raise InputError(f"y holds the class {error.args[0]!r}, but the classes known are {known}") from None

    def _part(self, x: Array, y: Array, row_weights: Array | None) -> Part:
        indices = self._indices(y)
        return Part(x, indices, float32(weights.with_classes(self.class_weight, self.classes_, indices, row_weights)))

    def _held(self, X: Any, y: Any) -> Part:
        x, y = self._checked(X, y, reset=False)
        return Part(x, self._indices(y))

    def _task(self) -> tuple[Target, SoftmaxCrossEntropy, int]:
        return Target("classes", tuple(self.classes_.tolist())), SoftmaxCrossEntropy(), len(self.classes_)
