"""What both estimators share: parameters, one training, and what is kept of it."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from kilter.core.doubts import warn
from kilter.core.errors import InputError
from kilter.data import Dataset, Part, Target, arrays
from kilter.data.split import split
from kilter.estimators import onward
from kilter.estimators.build import build
from kilter.estimators.merge import merge
from kilter.losses import Loss
from kilter.train import Outcome, Recipe, Run, train_fleet

Array = np.ndarray[Any, Any]


class KilterEstimator(BaseEstimator):
    """Base of the estimators. The constructor only stores; everything is checked when `fit` is called."""

    run_: Run
    loss_curve_: list[float]
    n_iter_: int
    n_features_in_: int

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
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.initializer = initializer
        self.normalization = normalization
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start
        self.recipe = recipe

    def _fit(self, train: Part, held: Part | None, target: Target, loss: Loss, outputs: int) -> Self:
        """Train from fresh weights, or with ``warm_start`` from the last ones where they fit."""
        seed = seed_of(self.random_state)
        if held is None and self.early_stopping:
            train, held = self._hold_out(train, target, seed)
        params = self.get_params(deep=False)
        train = merge(train, params)
        recipe = build(params, loss, outputs, self._dataset(train, held, target))
        last = self._last(recipe) if self.warm_start else None
        return self._keep(self._train(recipe, train, held, target, seed, last))

    def _partial_fit(self, train: Part, target: Target, loss: Loss, outputs: int, first: bool) -> Self:
        """One pass over the rows from the last weights."""
        data = self._dataset(train, None, target)
        recipe = onward.one_pass(build(self.get_params(deep=False), loss, outputs, data))
        last = None if first else self._last(recipe)
        if not first and last is None:
            raise InputError("partial_fit goes on from the last weights, but the network asked for has other shapes")
        past, epochs = ([], 0) if first else (self.loss_curve_, self.n_iter_)
        seed = seed_of(self.random_state) + epochs  # every pass takes the rows in an order of its own
        self._keep(self._train(recipe, train, None, target, seed, last))
        self.loss_curve_, self.n_iter_ = past + self.loss_curve_, epochs + self.n_iter_
        return self

    def _train(self, recipe: Recipe, rows: Part, held: Part | None, target: Target, seed: int, last: Run | None) -> Run:
        data = self._dataset(rows, held, target)
        return train_fleet([recipe], data, seeds=[seed], start=last, progress=bool(self.verbose))[0]

    def _dataset(self, rows: Part, held: Part | None, target: Target) -> Dataset:
        names = tuple(map(str, getattr(self, "feature_names_in_", ())))
        return Dataset(rows, held, None, target, names=names, title="arrays")

    def _hold_out(self, rows: Part, target: Target, seed: int) -> tuple[Part, Part]:
        classes = rows.y if target.task == "classes" else None
        parts = split(len(rows), {"validation_fraction": self.validation_fraction}, seed, classes)
        if not len(parts["validation_fraction"]):
            raise InputError("early_stopping needs a validation_fraction above 0, or validation_data of one's own")
        return rows.take(parts["train"]), rows.take(parts["validation_fraction"])

    def _last(self, recipe: Recipe) -> Run | None:
        """The last run, where its weights fit the recipe and what it predicts is the same."""
        run = getattr(self, "run_", None)
        same = run is not None and run.shape == (self.n_features_in_,) and onward.fits(recipe, run)
        return run if same else None

    def _keep(self, run: Run) -> Self:
        self.run_ = run
        self.loss_curve_ = run.history["loss"].tolist()
        self.n_iter_ = len(self.loss_curve_)
        scores = run.history.get(f"val_{run.metric.key}")
        if scores is not None:
            self.validation_scores_ = scores.tolist()
        elif hasattr(self, "validation_scores_"):
            del self.validation_scores_
        if run.outcome is Outcome.DIVERGED:
            warn(
                f"{type(self).__name__}: the training diverged in epoch {self.n_iter_}; lower learning_rate",
                ConvergenceWarning,
            )
        return self

    def _inputs(self, X: Any) -> Array:
        """New rows, checked against those of the fit, as float32."""
        check_is_fitted(self, "run_")
        return arrays.features(validate_data(self, X, reset=False, dtype=[np.float64, np.float32]), "X")


def pair(given: Any) -> tuple[Any, Any]:
    """Validation data as the pair that it must be."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise InputError(f"validation_data must be a pair (X, y), got {type(given).__name__}")
    return given[0], given[1]


def float32(weights: Array | None) -> Array | None:
    """Weights as a part of a dataset holds them."""
    return None if weights is None else weights.astype(np.float32)


def seed_of(random_state: Any) -> int:
    """A whole number is the seed itself; a generator, or None for NumPy's own, draws one."""
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        if not 0 <= random_state < 2**32:
            raise InputError(f"random_state must be from 0 to 2**32 - 1, got {random_state}")
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
