"""The examination of a network of another framework: the same stages and the same rules, whichever framework it is."""

import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kilter.core.errors import DoubtWarning, InputError
from kilter.data.dataset import Dataset
from kilter.doctor.anatomy import Anatomy
from kilter.doctor.chart import Chart, Course, Design, Start
from kilter.doctor.courses import course_of, trained
from kilter.doctor.examine import diagnosed, hopeless
from kilter.doctor.facts import Facts
from kilter.doctor.remedies import overhaul
from kilter.interop.advice import Advised, Terms, advised
from kilter.interop.chained import chained
from kilter.interop.judging import Judge
from kilter.interop.node import Node, anatomy
from kilter.interop.trial import Trainee, trial
from kilter.losses import Loss, Penalty
from kilter.nn.activations import LogSoftmax
from kilter.nn.embedding import Embedding
from kilter.optim import Adam, Optimizer
from kilter.train.batches import updates
from kilter.train.check import check
from kilter.train.recipe import Recipe

# Updates that a network is given to show what it can, the most epochs for it, and operations that may be spent on it.
_UPDATES, _EPOCHS, _BUDGET = 1000, 60, 6e10
# What an update of another framework takes at least, in operations.
_UPDATE = 1e7
# Fewer rows than these tell nothing.
_ROWS = 20


@dataclass(frozen=True)
class Subject:
    """A network of another framework, seen from outside.

    Attributes:
        nodes: what a signal goes through.
        first: number of the signal that goes in.
        last: number of the signal that comes out.
        loss: where Kilter has it.
        loss_name: as its framework calls it.
        optimizer: where Kilter has it.
        optimizer_name: as its framework calls it.
        penalty: on the weights.
        decay: strength of the pull on the weights.
        batch_size: rows of an update.
        epochs: passes over the rows; None where none were asked for.
        shuffle: whether rows come in a new order in every epoch.
        title: what to call it.
    """

    nodes: Sequence[Node]
    first: int
    last: int
    loss: Loss | None
    loss_name: str
    optimizer: Optimizer | None
    optimizer_name: str
    penalty: Penalty | None
    decay: float
    batch_size: int
    epochs: int | None
    shuffle: bool
    title: str

    @property
    def anatomy(self) -> Anatomy:
        """What it is made of."""
        return anatomy(self.nodes)

    def paced(self, rows: int) -> int:
        """Epochs of the trial: those asked for, or as many as make some hundred updates within the budget."""
        if self.epochs is not None:
            return self.epochs
        each = math.ceil(rows / self.batch_size)
        operations = sum(_operations(node) for node in self.nodes) * rows + _UPDATE * each
        return max(1, min(math.ceil(_UPDATES / each), _EPOCHS, int(_BUDGET / operations)))

    def recipe(self, epochs: int, *, optimizer: Optimizer | None = None) -> Recipe:
        """The network as a recipe.

        Args:
            epochs: of it.
            optimizer: in place of its own.

        Raises:
            InputError: a layer, the loss or the optimizer is not known to Kilter; names it.
        """
        net = chained(self.nodes, self.first, self.last)
        if self.loss is None:
            raise InputError(f"loss: Kilter has none like {self.loss_name}, so there is no recipe of this network")
        chosen = optimizer or self.optimizer
        if chosen is None:
            raise InputError(
                f"optimizer: Kilter has none like {self.optimizer_name}, so there is no recipe of this network"
            )
        own = {"shuffle": self.shuffle, "penalty": self.penalty}
        return Recipe(net, self.loss, optimizer=chosen, batch_size=self.batch_size, epochs=epochs, **own)

    def design(self, epochs: int, recipe: Recipe | None) -> Design:
        """What was chosen, as the rules read it."""
        return Design(
            self.anatomy, self.loss, self.optimizer, self.batch_size, epochs, self.decay, self.shuffle, recipe
        )


def without_logarithm(nodes: Sequence[Node], last: int, loss: Loss | None) -> tuple[Sequence[Node], int, Loss | None]:
    """The network without a log-softmax at its end, where the loss takes log-probabilities: both are one cross-entropy."""
    end = next((node for node in nodes if node.output == last), None)
    if end is None or not isinstance(end.layer, LogSoftmax):
        return nodes, last, None
    return [node for node in nodes if node is not end], end.inputs[0], loss


def _operations(node: Node) -> float:
    """Of a row: six a weight and position."""
    if node.kernel is None:
        return 0.0
    positions = math.prod(node.after[:-1]) if len(node.after) > 1 else 1
    return 6.0 * node.kernel.size * positions


def examined(
    subject: Subject,
    data: Dataset | None,
    start: Start,
    trainee: Trainee,
    rows: int,
    seed: int,
    terms: Terms,
    began: float,
) -> Advised:
    """Say what is wrong with it.

    Args:
        subject: the network.
        data: its rows, where they can be told.
        start: its first pass.
        trainee: a copy that may be trained.
        rows: number of training rows.
        seed: of orders, and of the reference.
        terms: words of its framework.
        began: when the examination began.
    """
    epochs = subject.paced(rows)
    recipe = translated(subject, epochs, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # what is not finite is a finding here
        chart = _chart(subject, data, start, trainee, rows, seed, epochs, recipe)
        found = diagnosed(chart, subject.title, time.perf_counter() - began)
        return advised(found, recipe, data, terms)


def _chart(
    subject: Subject, data: Dataset | None, start: Start, trainee: Trainee, rows: int, seed: int, epochs: int,
    recipe: Recipe | None,
) -> Chart:  # fmt: skip
    chart = Chart(subject.design(epochs, recipe), None if data is None else facts(data, subject.anatomy))
    if hopeless(chart) or epochs == 0:
        return chart
    chart = replace(chart, start=start)
    if rows < _ROWS:
        return chart
    judge = None if data is None else Judge(data, subject.loss)
    whole = subject.epochs is not None
    steps, course = trial(trainee, judge, rows, epochs, shuffle=subject.shuffle, seed=seed, whole=whole)
    own = replace(chart, steps=steps, course=course)
    return replace(own, reference=control(subject, data, epochs, seed))


def facts(data: Dataset, anatomy: Anatomy) -> Facts:
    """What the rows are like; codes of categories have no scale."""
    found = Facts.of(data)
    if not anatomy.organs or not isinstance(anatomy.organs[0].layer, Embedding):
        return found
    flat = np.zeros_like(found.center)
    return replace(found, center=flat, spread=np.ones_like(found.spread), size=1.0, farthest=flat)


def translated(subject: Subject, epochs: int, data: Dataset | None) -> Recipe | None:
    """The network as a recipe that trains on the rows; None where it is none."""
    try:
        recipe = subject.recipe(epochs)
        if data is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DoubtWarning)
                check(recipe, data)
    except InputError:
        return None
    return recipe


def control(subject: Subject, data: Dataset | None, epochs: int, seed: int) -> Course | None:
    """An ordinary network of the same layers on the same rows, for as many updates; None where there is no recipe."""
    if data is None:
        return None
    try:
        recipe = subject.recipe(epochs, optimizer=Adam())
        reference = overhaul(recipe, data)
        check(reference, data)
    except InputError:
        return None
    most = math.ceil(updates(recipe, len(data.train)) * epochs / max(updates(reference, len(data.train)), 1))
    until = None if subject.epochs is not None or most >= reference.epochs else most
    runs = trained([reference], data, tuple(range(seed, seed + 3)), until)
    return course_of(runs[0], data, until is None)
