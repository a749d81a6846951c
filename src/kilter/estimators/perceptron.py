"""Rosenblatt's perceptron: the first rule that learned, and the one that every course begins with."""

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from kilter import nn, optim
from kilter.core.errors import InputError
from kilter.data import Part, Target, arrays
from kilter.estimators.base import Array, KilterEstimator, seed_of
from kilter.losses import Hinge
from kilter.train import Recipe


class PerceptronClassifier(ClassifierMixin, KilterEstimator):
    """A line between two classes, moved at each mistake: w = w + lr y x, b = b + lr y wherever y (w x + b) <= 0.

    One example at a time, y = 1 or -1, from w = 0 and b = 0. Several classes: each against the rest, with weights of its
    own. Where a line with margin g parts the classes, at most (R / g)^2 mistakes are made in all, with R the length of
    the longest row, an added 1 included (Novikoff 1962); where none does, the mistakes never end. Inputs are taken as they
    are, as float32. Since w begins at zero, ``learning_rate`` scales it and changes no prediction.

    Rosenblatt 1958. As scikit-learn's ``Perceptron`` with ``tol=None``: the same weights, where rows come in the same
    order; here each epoch has an order of its own, drawn from ``random_state``.

    Args:
        learning_rate: length of a step.
        max_epochs: passes over the rows; all are made, though nothing changes once one is without a mistake.
        fit_intercept: whether b is learned.
        random_state: seed of the order of rows.
        verbose: show a progress line, where standard error is a terminal.

    Attributes:
        coef_: w, ``(1, features)``, of several classes ``(classes, features)``.
        intercept_: b, ``(1,)`` or ``(classes,)``.
        mistakes_: steps made in each epoch, ``(epochs,)``; of several classes those of all.
        classes_: values of the classes, sorted; y = 1 stands for the second of two.
        run_: the `kilter.Run`: its recipe says how the rule is a setting of the engine.
        n_iter_: epochs that were run.
        n_features_in_, feature_names_in_: of the inputs, as everywhere in scikit-learn.

    >>> x, logical_and = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
    >>> perceptron = PerceptronClassifier(random_state=0).fit(x, logical_and)
    >>> perceptron.predict(x).tolist(), int(perceptron.mistakes_[-1])
    ([0, 0, 0, 1], 0)
    """

    classes_: Array
    coef_: Array
    intercept_: Array
    mistakes_: Array

    def __init__(
        self,
        learning_rate: float = 1.0,
        *,
        max_epochs: int = 100,
        fit_intercept: bool = True,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.fit_intercept = fit_intercept
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from zero.

        Args:
            X: inputs ``(rows, features)``: an array or a table of numbers.
            y: class values ``(rows,)``.

        Raises:
            InputError: a parameter or data that cannot be used, in one sentence; a `ValueError`.
        """
        x, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(f"y holds one class only, {self.classes_.tolist()}; at least two are needed to learn from")
        rows = Part(arrays.features(x, "X"), indices.astype(np.int32))
        target = Target("classes", tuple(self.classes_.tolist()))
        self._keep(self._train(self._recipe(), rows, None, target, seed_of(self.random_state), None))
        weights = self.run_.params[0]
        self.coef_ = weights["kernel"].T
        self.intercept_ = weights.get("bias", np.zeros(len(self.coef_), np.float32))
        self.mistakes_ = np.rint(self.run_.history["loss"].astype(np.float64) * len(x)).astype(int)
        return self

    def decision_function(self, X: Any) -> Array:
        """W x + b: ``(rows,)``, above zero for the second class, or of several classes ``(rows, classes)``."""
        scores = self._inputs(X) @ self.coef_.T + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> Array:
        """The class of the highest score, ``(rows,)``."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)]

    def _recipe(self) -> Recipe:
        loss = Hinge(0.0, rest=True, counted=True)
        (outputs, *_) = loss.outputs(np.arange(len(self.classes_)), len(self.classes_))
        dense = nn.Dense(outputs, bias=bool(self.fit_intercept), initializer=nn.initializers.Zeros())
        return Recipe(
            nn.Chain(dense), loss, optimizer=optim.SGD(self.learning_rate), batch_size=1, epochs=self.max_epochs
        )
