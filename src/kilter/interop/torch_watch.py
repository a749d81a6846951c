"""A watch on a PyTorch module in its user's own training loop."""

import math
import time
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch

from kilter.core.doubts import warn
from kilter.core.errors import InputError
from kilter.doctor.chart import Chart, Start, Steps
from kilter.doctor.examine import seen
from kilter.doctor.words import Severity
from kilter.interop import record, torch_losses, torch_optimizers
from kilter.interop.advice import Advised
from kilter.interop.judging import Judge
from kilter.interop.line import Line
from kilter.interop.node import Array, Node, anatomy
from kilter.interop.review import course, reviewed
from kilter.interop.subject import Subject, facts, without_logarithm
from kilter.interop.torch_hooks import Observer, weights_of
from kilter.interop.torch_kept import Kept
from kilter.interop.torch_terms import TERMS
from kilter.interop.trial import FIRST
from kilter.vitals import Vitals

_NOTHING = "nothing was seen yet: the module has not run in training mode"
# Looks over which a unit must be active once, and losses that are fetched from the device at once.
_LOOKS, _FETCHED = 32, 64


class Watch:
    """Looks at every so many updates of a training, and says what it has seen.

    Two lines are enough: ``watch = kilter.interop.torch.watch(module, optimizer, loss)`` in front of the loop and
    ``print(watch.checkup())`` behind it. Between looks a hook is one test; memory does not grow. Without a ``loss`` module
    tell losses by ``watch.loss(value)``, or the rules on them stay silent. What is surely wrong is also said at once, by a
    warning.

    Args:
        module: that is trained.
        optimizer: that trains it; without one every forward pass in training mode counts as an update.
        loss: a module that is called with outputs and targets.
        every: updates from one look to the next.
        warn: whether to warn.

    Raises:
        InputError: arguments of other kinds.

    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    >>> optimizer, loss = torch.optim.SGD(net.parameters(), 0.1), torch.nn.MSELoss()
    >>> with Watch(net, optimizer, loss) as watch:
    ...     for _ in range(20):
    ...         optimizer.zero_grad()
    ...         _ = loss(net(torch.ones(8, 3)), torch.ones(8, 1)).backward()
    ...         _ = optimizer.step()
    >>> watch.updates, watch.vitals.signals.rms.shape
    (20, (1, 3))
    """

    def __init__(
        self, module: torch.nn.Module, optimizer: Any = None, loss: Any = None, *, every: int = 50, warn: bool = True
    ) -> None:
        if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
            raise InputError(f"optimizer must be a torch.optim.Optimizer, got a {type(optimizer).__name__}")
        if not isinstance(every, int) or every < 1:
            raise InputError(f"every must be a whole number, at least 1, got {every!r}")
        self.updates, self._began = 0, time.perf_counter()
        self._module, self._optimizer, self._every, self._warns = module, optimizer, every, warn
        self._known = (
            torch_losses.Known(None, "a loss that was not given") if loss is None else torch_losses.known(loss)
        )
        self._losses = Line()
        self._first_losses: list[float] = []
        self._fetched: list[torch.Tensor] = []
        self._looks, self._looking, self._batch = 0, False, 0
        self._start: Start | None = None
        self._vitals: Vitals | None = None
        self._nodes: list[Node] = []
        self._ends, self._layout, self._kept = (0, 0), False, Kept()
        self._pair: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
        self._input: torch.Tensor | None = None
        self._alive: list[dict[str, Array]] = [{}, {}]
        self._weights: dict[str, record.Weight] = {}
        self._warned: set[str] = set()
        self._observer = Observer(module, self._due)
        self._handles = list(self._hooked(loss))

    def _hooked(self, loss: Any) -> Iterable[Any]:
        yield self._module.register_forward_pre_hook(self._entered)
        if self._optimizer is not None:
            yield self._optimizer.register_step_pre_hook(self._before_step)
            yield self._optimizer.register_step_post_hook(self._after_step)
        if isinstance(loss, torch.nn.Module):
            yield loss.register_forward_hook(self._compared)

    def close(self) -> None:
        """Take all hooks off; what was seen stays."""
        self._fetch()
        self._observer.close()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def loss(self, value: Any) -> None:
        """Tell the loss of an update, a number or a tensor with one."""
        value = value.detach() if isinstance(value, torch.Tensor) else torch.tensor(float(value))
        self._fetched.append(value.mean())
        if len(self._fetched) >= _FETCHED:
            self._fetch()

    def epoch(self) -> None:
        """Tell that an epoch has ended: a unit is dead if no row of an epoch made it active."""
        self._alive = [{}, self._alive[0] or self._alive[1]]

    @property
    def vitals(self) -> Vitals:
        """What the last look saw, ``(1, layers)``.

        Raises:
            InputError: there was none.
        """
        if self._vitals is None:
            raise InputError(_NOTHING)
        return self._vitals

    def checkup(self, *, compare: bool = True) -> Advised:
        """What the rules make of all that was seen so far.

        Args:
            compare: whether to train an ordinary network of the same layers for as many updates on rows that were
                seen, for some seconds; without it, and for layers that Kilter lacks, only what is clearly wrong is said.
        """
        self._fetch()
        if self._start is None:
            empty = Chart(self._subject().design(1, None))
            return Advised((), (), _NOTHING, empty, self._title)
        judge = self._judge()
        data, chart = None if judge is None else judge.data, self._chart(judge, self._kept.score(self._module, judge))
        settings = {"compare": compare, "terms": TERMS, "began": self._began}
        return reviewed(self._subject(), chart, data, self.updates, **settings)

    @property
    def _title(self) -> str:
        return type(self._module).__name__

    def _due(self) -> bool:
        wanted = self.updates % self._every == 0 and not self._looking
        self._looking = self._looking or (wanted and self._module.training and torch.is_grad_enabled())
        return wanted and self._looking

    def _entered(self, module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        if self._optimizer is None and module.training and torch.is_grad_enabled():
            self._after_step()
        self._input = args[0] if args and isinstance(args[0], torch.Tensor) and self._looking else None

    def _compared(self, module: torch.nn.Module, args: tuple[Any, ...], value: Any) -> None:
        if not isinstance(value, torch.Tensor) or not value.requires_grad:
            return
        self.loss(value)
        if self._looking and len(args) > 1 and self._input is not None and len(self._input) == len(args[1]):
            self._pair = self._input.detach(), args[0].detach(), args[1].detach()

    def _before_step(self, *_: Any) -> None:
        if self._looking and self._observer.nodes:
            self._nodes, self._layout = self._observer.nodes, self._observer.layout
            self._ends, self._batch = (self._observer.first, self._observer.last), self._observer.rows
            self._weights = weights_of(self._module, self._nodes)

    def _after_step(self, *_: Any) -> None:
        if self._looking and self._observer.nodes:
            if self._optimizer is None:
                self._before_step()
            self._look()
        self._looking = False
        self.updates += 1

    def _look(self) -> None:
        """Keep what one update has shown."""
        after = weights_of(self._module, self._nodes)
        weights = {
            name: record.Weight(own.value, own.gradient, after[name].value) for name, own in self._weights.items()
        }
        if self._pair is not None:
            self._kept.add(*self._pair)
            self._pair = None
        loss = float(self._fetched[-1]) if self._fetched else math.nan
        seen_now = record.start(self._nodes, anatomy(self._nodes), loss, math.nan, weights)
        self._start, self._vitals = self._start or seen_now, seen_now.vitals
        for node in self._nodes:
            if node.alive is not None:
                self._alive[0][node.place] = self._alive[0].get(node.place, False) | node.alive
        self._looks += 1
        if self._looks % _LOOKS == 0:
            self.epoch()
        self._observer.nodes = []
        if self._warns and math.log(self._looks, 4).is_integer():
            self._say()

    def _judge(self) -> Judge | None:
        return self._kept.judge(self._subject().loss, self._layout, self._title)

    def _subject(self) -> Subject:
        nodes, last, loss = self._nodes, self._ends[1], self._known.loss
        if self._known.logarithms:
            nodes, last, loss = without_logarithm(nodes, last, loss)
        none = torch_optimizers.Known(None, None, 0.0, "an optimizer that was not given")
        setting = none if self._optimizer is None else torch_optimizers.known(self._optimizer)
        return Subject(
            nodes, self._ends[0], last, loss, self._known.name, setting.optimizer, setting.name, setting.penalty,
            setting.decay, max(self._batch, 1), None, True, self._title,
        )  # fmt: skip

    def _chart(self, judge: Judge | None, score: float) -> Chart:
        subject = self._subject()
        rows = max(self.updates * subject.batch_size, 1)
        about = None if judge is None else replace(facts(judge.data, subject.anatomy), rows=rows)
        start = self._start
        if start is not None and judge is not None:
            start = replace(start, chance=judge.chance_loss)
        told = np.array([self._first_losses])
        steps = Steps(told, np.full_like(told, np.nan)) if told.size else None
        own = course(judge, {"loss": self._losses.bins}, score, self._dead())
        return Chart(subject.design(1, None), about, start, steps, course=own)

    def _dead(self) -> dict[str, float]:
        """Share of the units of each rectifier that were never active, by the layer's label."""
        seen_alive = {}
        for node in self._nodes:
            masks = [known[node.place] for known in self._alive if node.place in known]
            if masks:
                seen_alive[node.label] = 1.0 - float(np.any(masks, 0).mean())
        return seen_alive

    def _fetch(self) -> None:
        """Take losses from the device."""
        if not self._fetched:
            return
        for value in torch.stack([each.float().cpu() for each in self._fetched]).tolist():
            self._losses.add(value)
            if len(self._first_losses) < FIRST:
                self._first_losses.append(value)
            if not math.isfinite(value):
                self._say_once(
                    "diverged", "the loss is no longer finite: print(watch.checkup()) tells the likeliest cause"
                )
        self._fetched = []

    def _say(self) -> None:
        """Warn of mistakes that are surely ones, once each."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            sure = [
                f
                for rule, f in seen(self._chart(self._judge(), math.nan))
                if rule.certain and f.severity is not Severity.NOTE
            ]
        for finding in sure:
            self._say_once(finding.rule, str(finding))

    def _say_once(self, rule: str, sentence: str) -> None:
        if self._warns and rule not in self._warned:
            self._warned.add(rule)
            warn(sentence)
