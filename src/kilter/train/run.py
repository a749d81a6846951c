"""A run: a trained network with all that is needed to use it and to repeat it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import jax
import numpy as np

from kilter.core import trees
from kilter.core.errors import InputError
from kilter.core.paths import walk
from kilter.core.plotted import Plotted
from kilter.data import arrays
from kilter.data.dataset import Dataset, Door, Part
from kilter.data.targets import Target
from kilter.metrics import Metric, describe
from kilter.nn.compose import unneeded_biases
from kilter.nn.fold import fold
from kilter.nn.layer import Layer
from kilter.nn.norm import BatchNorm
from kilter.nn.populations import exact_statistics
from kilter.train import scores
from kilter.train.check import deciding_metric
from kilter.train.epoch import Member
from kilter.train.monte_carlo import sampled
from kilter.train.outcome import Outcome
from kilter.train.predict import Form, Told, predictions
from kilter.train.prediction import Prediction
from kilter.train.recipe import Recipe
from kilter.train.rows import Scaling
from kilter.vitals.trace import Trace

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Run(Plotted):
    """What `kilter.train` returns.

    Attributes:
        recipe: that was trained.
        seed: of the run.
        metric: that decides.
        score: its value on the validation rows at the best epoch, or on the training rows where there is no validation;
            NaN for a run that diverged.
        metrics: all metrics by name: of the rows that decide plain (``"accuracy"``), of the others with their part in
            front (``"train_accuracy"``, ``"test_accuracy"``).
        history: arrays by name, one number an epoch: ``loss`` (training), ``lr`` and, with validation rows, ``val_loss``
            and the deciding metric (``"val_accuracy"``).
        outcome: how the run ended.
        epoch: the epoch whose weights are kept, from 1; 0 where none was run.
        seconds: that its fleet spent on compiling (``"compile"``) and on training (``"train"``), and its own share of the
            latter (``"member"``).
        params: weights; ``state``: moving averages and the like.
        vitals: what was measured of layers, gradients and weights on the way, where it was watched; else None.
    """

    recipe: Recipe
    seed: int
    metric: Metric
    score: float
    metrics: dict[str, float]
    history: dict[str, Array]
    outcome: Outcome
    epoch: int
    seconds: dict[str, float]
    params: Any
    state: Any
    inputs: Scaling
    targets: Scaling
    target: Target
    door: Door | None
    shape: tuple[int, ...]
    names: tuple[str, ...] = ()
    title: str = ""
    vitals: Trace | None = None

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        seed: int,
        data: Dataset,
        scaling: tuple[Scaling, Scaling],
        member: Member,
        history: dict[str, Array],
        outcome: Outcome,
        seconds: dict[str, float],
        told: Callable[[Part], Told] | None = None,
        vitals: Trace | None = None,
    ) -> "Run":
        """Make a run of a member that has ended; ``told`` is what it says of the rows of a part, where that is known."""
        judged = member.best is not None and int(member.best_epoch) >= 0
        learner = member.learner
        last = (recipe.optimizer.averaged(learner.moments, learner.params), learner.state)
        params, state = member.best or last if judged else last
        measurable = outcome is not Outcome.DIVERGED and len(data.train) > 1
        if measurable and _reestimated(recipe, averaged=last[0] is not learner.params):
            state = jax.device_get(exact_statistics(recipe.net, params, state, scaling[0].apply(data.train.x)))
            told = None
        metric = deciding_metric(recipe, data)
        kept = int(member.best_epoch) + 1 if judged else len(history["loss"])
        return cls(
            recipe, seed, metric, float("nan"), {}, history, outcome, kept, seconds, params, state,
            *scaling, data.target, data.door, data.shape, data.names, data.title, vitals,
        ).measured(data, told)  # fmt: skip

    def measured(self, data: Dataset, told: Callable[[Part], Told] | None = None) -> "Run":
        """A copy with the metrics and the score on a dataset; ``told`` is what the network says of the rows of a part."""
        metrics = scores.by_part(data, lambda part: self._measure(part, None if told is None else told(part)))
        score = float("nan") if self.outcome is Outcome.DIVERGED else metrics[self.metric.key]
        return replace(self, metrics=metrics, score=score)

    @overload
    def predict(self, x: Any, *, samples: None = None, seed: int = 0) -> Array: ...

    @overload
    def predict(self, x: Any, *, samples: int, seed: int = 0) -> Prediction: ...

    def predict(self, x: Any, *, samples: int | None = None, seed: int = 0) -> Array | Prediction:
        """Predictions for new rows: class values, 0 and 1 for labels, or numbers in the target's own unit.

        With ``samples`` the mean and the spread of so many passes with dropout on (Monte-Carlo dropout, Gal and
        Ghahramani 2016), as a `kilter.train.Prediction`. Each sample is one thinned network that all rows go through, so
        a row's result does not depend on the rows beside it; the same seed gives the same samples.

        Args:
            x: arrays shaped like the training inputs, a table with the columns of the training table (a frame or a
                path), or a part of a dataset such as ``data.test``.
            samples: number of passes with dropout, at least 2; left open, one pass without.
            seed: of the samples.

        Raises:
            InputError: rows of another shape, missing columns, values that are not finite; samples of a network that has
                no dropout.
        """
        inputs = self._enter(x)
        if samples is None:
            return self.target.decode(self._read(inputs).read)

        def one_pass(net: Any, key: Any) -> tuple[Array, Array | None]:
            return self._read(inputs, net=net, key=key)[:2]

        return sampled(self.recipe.net, self.target, one_pass, samples, seed)

    def moments(self, x: Any) -> tuple[Array, Array | None]:
        """What one pass tells of each row: the mean and, where the loss learns it, the variance of the target.

        Args:
            x: as for `predict`.

        Returns:
            Probabilities ``(rows, k)``, or numbers in the target's own unit; and the variance of the target around them,
            shaped alike, for losses such as `losses.GaussianLikelihood`, else None.
        """
        return self._read(self._enter(x))[:2]

    def predict_proba(self, x: Any) -> Array:
        """Probabilities ``(rows, classes)`` in the order of `classes`, or ``(rows, labels)``.

        Raises:
            InputError: the target is a number; otherwise as for `predict`.
        """
        if self.target.task == "numbers":
            raise InputError("predict_proba is for classes, but this run predicts numbers; use predict")
        return self._read(self._enter(x)).read

    @property
    def classes(self) -> tuple[Any, ...]:
        """Class values in the order of the columns of `predict_proba`."""
        return self.target.classes

    def evaluate(self, x: Any, y: Any) -> dict[str, float]:
        """Loss and all metrics on rows of one's own."""
        inputs = self._enter(x)
        arrays.same_length(inputs, y)
        return self._measure(Part(inputs, self.target.encode(y)))

    def save(self, folder: str | Path) -> Path:
        """Write the run to a folder, whole or not at all, and return its path; `kilter.load` reads it back.

        Raises:
            FileError: the folder cannot be written, or holds something else.
        """
        from kilter.train.store import save  # the store builds runs, and a run must be able to save itself

        return save(self, Path(folder))

    def __repr__(self) -> str:
        numbers = f"{trees.size(self.params):,} parameters"
        told = {key: value for key, value in self.metrics.items() if key.endswith((self.metric.key, "loss"))}
        metrics = ", ".join(f"{key} {describe(value)}" for key, value in told.items() if "log" not in key)
        epochs = len(self.history["loss"])
        biases = unneeded_biases(self.recipe.net, "net")
        left = f"\n  biases left out, as the next layer takes means off: {', '.join(biases)}" if biases else ""
        seconds = f"{self.seconds.get('train', 0.0):.1f} s + {self.seconds.get('compile', 0.0):.1f} s to compile"
        return (
            f"Run({self.title}, seed {self.seed}: {self.metric.key} {describe(self.score)})\n"
            f"  {self.outcome}; {epochs} epochs, best {self.epoch}; {numbers}; {seconds}\n"
            f"  {metrics}{left}"
        )

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{key}</td><td>{describe(value)}</td></tr>" for key, value in self.metrics.items())
        return f"<p><b>{self.metric.key} {describe(self.score)}</b>: {self.outcome}</p><table>{rows}</table>"

    def _enter(self, x: Any) -> Array:
        """New rows as the raw inputs of the network."""
        inputs = x.x if isinstance(x, Part) else self._through_door(x)
        if inputs.shape[1:] != self.shape:
            raise InputError(f"x has examples of shape {inputs.shape[1:]}, this run was trained on {self.shape}")
        return inputs

    def _through_door(self, x: Any) -> Array:
        return arrays.features(x) if self.door is None else self.door.enter(x)

    def _read(self, x: Array, y: Array | None = None, *, net: Layer | None = None, key: Any = None) -> Told:
        """What the network, or another form of it, says of raw inputs, in the target's own unit."""
        form = self._form if net is None else self._formed(net, self.params, self.state)
        scaled = None if y is None else self.targets.apply(y)
        return self._in_own_unit(predictions(form, self.inputs.apply(x), scaled, key))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_form"}  # which is of this process

    @cached_property
    def _form(self) -> Form:
        return self._formed(*self._folded)

    def _formed(self, net: Layer, params: Any, state: Any) -> Form:
        return Form.of(net, self.recipe.loss, params, state, bool(self.target.classes))

    def _in_own_unit(self, told: Told) -> Told:
        noise = None if told.noise is None else told.noise * self.targets.unit**2
        return Told(self.targets.invert(told.read), noise, told.losses)

    @cached_property
    def _folded(self) -> tuple[Layer, Any, Any]:
        """Network, parameters and state with batch norms folded into the layers in front of them."""
        return jax.device_get(_fold(self.recipe.net, self.params, self.state))

    def _measure(self, part: Part, told: Told | None = None) -> dict[str, float]:
        read, _, losses = self._read(part.x, part.y) if told is None else self._in_own_unit(told)
        weights = scores.weights_of(part)
        loss = {"loss": float(np.average(losses, weights=weights))}
        return loss | scores.scores(read, part.y, weights, self.target.task, self.metric)


_fold = jax.jit(fold)  # in one program rather than one an operation


def _reestimated(recipe: Recipe, *, averaged: bool) -> bool:
    """Whether batch norms get the moments of all training rows: where asked for, and behind averaged weights.

    Moving averages are of the signals that the weights in training gave, not of those that their average gives.
    """
    norms = [value for _, value in walk(recipe.net) if isinstance(value, BatchNorm)]
    return any(averaged or norm.exact for norm in norms)
