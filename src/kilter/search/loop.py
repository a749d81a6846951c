"""The search itself: the strategy asks, fleets train, the strategy is told."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from kilter.core import job
from kilter.core.checks import check_seed
from kilter.core.doubts import warn
from kilter.core.drawn import is_open
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.search.fleets import grouped
from kilter.search.gate import Gate
from kilter.search.notes import Notes, journal_of
from kilter.search.objectives import Objectives, checked
from kilter.search.offering import offering
from kilter.search.progress import SearchLine
from kilter.search.runner import Crew, Here, Over, Runner
from kilter.search.space import Space
from kilter.search.storage import Storage, known, settings
from kilter.search.strategies import PBT, TPE, Sobol, Strategy
from kilter.search.strategies.state import Ask
from kilter.search.study import Study
from kilter.search.to_optuna import Mirror
from kilter.train.check import deciding_metric
from kilter.train.foresight import Company
from kilter.train.interrupt import interruptible
from kilter.train.pattern import pattern
from kilter.train.recipe import Recipe

# Trials from which on a model of the scores has enough to learn from.
_MODELED = 30
# Most recipes from which the programs of a search are chosen.
_COMPANY = 256


@offering
def search(
    space: Recipe,
    data: Dataset,
    *,
    trials: int = 256,
    strategy: Strategy | None = None,
    objectives: Sequence[str] = ("score",),
    seeds: int | Sequence[int] = 1,
    seed: int = 0,
    time_limit: float | None = None,
    max_params: int | None = None,
    storage: str | Path | None = None,
    optuna: str | bool = False,
    keep: int = 10,
    runner: Runner | None = None,
    log: str | Path | None = None,
    progress: bool | None = None,
) -> Study:
    """Search a space of recipes for the one that scores best on the validation rows.

    Trials of one structure train side by side in one compiled program. Strategies that train trials on, such as
    `strategies.Hyperband`, take them from one fleet into the next with all that they have; nothing begins anew.
    `strategies.PBT` copies and changes them on the way: what it finds is a schedule, `Study.lineage`. A trial that cannot
    be built or that diverges is recorded with the reason, and the search goes on. Ctrl-C ends it after the trials in flight
    and returns the study so far.

    Args:
        space: a recipe with distributions in it, such as `kilter.space` makes; its metric decides, in its direction.
        data: with validation rows, made by `kilter.data`.
        trials: most asks of the strategy; one that is trained on counts anew. `strategies.PBT` ends before its last epoch
            where there are fewer than `strategies.PBT.needed`, and a warning says so.
        strategy: one of `kilter.strategies`; left open, that of the study in ``storage``, else `strategies.TPE`, below 30
            trials `strategies.Sobol`. Its epochs, where it has any, replace those of the recipe.
        objectives: ``"score"``, the deciding metric, and beside it ``"parameters"``, the fewer the better, ``"seconds"`` of
            training, the less the better, or both. Strategies then put trials first that no other beats in all of them
            (NSGA-II: Deb et al. 2002), and `Study.front` has these. Seconds are never the same twice, and neither is what
            is asked for because of them.
        seeds: of each trial, a number of them or the seeds themselves; its score is the mean.
        seed: of the strategy.
        time_limit: seconds after which no more training begins.
        max_params: trials whose network has more parameters fail before they are trained.
        storage: folder that the study is kept in after each fleet; the same call again goes on there, and ends with the
            same trials as one that was never ended.
        optuna: URL of an Optuna storage that trials are added to, or True for a SQLite file in the ``storage`` folder.
        keep: number of best trials whose runs are kept, for `Study.ensemble`.
        runner: where trials are trained: left open, in this process; ``kl.search.Ray(...)`` on the nodes of a Ray cluster,
            with the same trials.
        log: path to which ``.log.jsonl`` is added for a file that trials are noted in as they end; `kilter board` shows it.
        progress: show a progress line; left open, if standard error is a terminal.

    Raises:
        InputError: no distributions, no validation rows, settings out of range, another study in the folder.
        FileError: the folder cannot be written, is corrupt, or another process searches in it; an Optuna storage that
            cannot be reached.

    >>> import kilter as kl
    >>> from kilter import losses, nn, optim
    >>> net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
    >>> recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), epochs=3)
    >>> study = kl.search(kl.space(recipe, "optimizer.lr"), kl.data.iris(), trials=4)
    >>> len(study.trials), len(study.best.run.history["loss"])
    (4, 3)
    """
    _check_counts(trials=trials, keep=keep, max_params=max_params)
    _check_time(time_limit)
    runner = _runner(runner)
    strategy = _usual(storage, trials) if strategy is None else strategy
    study = _begun(space, data, strategy, _seeds(seeds), seed, keep, checked(objectives))
    _doubt(study.strategy, trials)
    with Storage.held(storage, study, max_params) as folder, journal_of(study, trials, log) as journal:
        if folder is not None:
            study = folder.restored(study)
            folder.write(study, trials)
        notes = Notes(trials, folder, Mirror.of(optuna, storage, study), journal)
        gate = Gate(study.space, study.data, max_params)
        runner = replace(runner, journal=journal) if isinstance(runner, Here) else runner
        crew = runner.crew(study.data, study.seeds, _company(study, gate, trials))
        with crew as train, interruptible() as stop, SearchLine(study, trials, progress) as line:

            def note(study: Study) -> None:
                notes.write(study)
                line.advance(study)

            note(study)
            deadline = math.inf if time_limit is None else time.monotonic() + time_limit
            return _searched(study, trials, gate, note, train, lambda: stop.asked or time.monotonic() > deadline)


def _runner(runner: Runner | None) -> Runner:
    """Who trains the trials: this process, where no other is named."""
    if job.processes() > 1:
        raise InputError("kl.search runs in one process; over several hosts runner=kl.search.Ray() spreads its trials")
    if runner is not None and not isinstance(runner, Runner):
        raise InputError(
            f"search(runner={runner!r}): runner must be kl.search.Ray(...), or left out to train right here"
        )
    return Here() if runner is None else runner


def _searched(
    study: Study,
    trials: int,
    gate: Gate,
    note: Callable[[Study], None],
    train: Crew,
    over: Over,
) -> Study:
    """Ask and train until the strategy or the trials are at an end, or someone or the time says so."""
    while True:
        study, asks = _asked(study, trials)
        if not asks:
            return study
        groups, refused = grouped(gate, asks, study.members)
        if refused:
            study = study.told(refused)
            note(study)
        for ended in train(groups, study.members, over):
            if ended:
                study = study.told(ended)
                note(study)
        if over():
            return study


def _company(study: Study, gate: Gate, trials: int) -> Company:
    """Recipes at points drawn from the space, which tell what programs the search will need; those that can share one."""
    drawn, recipes = min(trials, _COMPANY), []
    for point in study.space.sample(0, drawn):
        with suppress(InputError):  # that cannot be trained
            if pattern(study.space.build(point), study.data) is not None:
                recipes.append(gate.built(point))
    return Company(recipes, trials * len(study.seeds) / drawn)


def _asked(study: Study, trials: int) -> tuple[Study, list[Ask]]:
    """Trials that are still out; where there are none, a new batch."""
    state = study.state
    if not state.pending and len(state.asks) < trials:
        state, _ = study.strategy.ask(state, min(study.strategy.batch, trials - len(state.asks)))
    out = [ask for ask, score in zip(state.asks, state.scores, strict=True) if score is None]
    return study.asking(state), out


def _doubt(strategy: Strategy, trials: int) -> None:
    """Warn of a population that would end half trained."""
    if isinstance(strategy, PBT) and trials < strategy.needed:
        reached = max(1, strategy.every * (trials // strategy.population))
        warn(
            f"search(trials={trials}): {strategy!r} needs {strategy.needed} trials and will end after about epoch "
            f"{reached} of {strategy.epochs}; give trials={strategy.needed}, or a longer every"
        )


def _usual(storage: str | Path | None, trials: int) -> Strategy:
    """The strategy where the user names none."""
    if storage is not None and known(storage):
        return settings(storage)["strategy"]
    return TPE() if trials >= _MODELED else Sobol()


def _begun(
    recipe: Recipe,
    data: Dataset,
    strategy: Strategy,
    seeds: tuple[int, ...],
    seed: int,
    keep: int,
    objectives: Objectives,
) -> Study:
    """The study before its first trial."""
    space = Space.of(recipe)
    if not isinstance(data, Dataset):
        raise InputError(f"data must be made by kl.data, such as kl.data.from_arrays(x, y); got {type(data).__name__}")
    if data.validation is None:
        raise InputError("search needs data with validation rows, since training rows would choose what overfits")
    if is_open(recipe.metric):
        raise InputError("metric: a search needs one metric that decides, not a distribution of them")
    if not isinstance(strategy, Strategy):
        raise InputError(f"strategy must be one of kl.strategies, such as kl.strategies.TPE(), got {strategy!r}")
    if hasattr(strategy, "epochs"):
        space, strategy = _over_epochs(space, strategy)
    metric = deciding_metric(recipe, data)
    state = strategy.init(space.dimensions, seed)
    return Study(space, data, strategy, seeds, metric, state, keep=keep, objectives=objectives)


def _over_epochs(space: Space, strategy: Any) -> tuple[Space, Strategy]:
    """Space and strategy with the same epochs: the strategy's own, or those of the recipe where it leaves them open.

    Where the latest epoch decides who goes on, nothing else may: a member that has stopped could not be changed any more.
    """
    recipe = space.recipe
    if is_open(recipe.epochs):
        raise InputError(f"strategy: {strategy!r} decides on the epochs itself; the space must leave them as a number")
    strategy = strategy.over(recipe.epochs)
    stopping = None if strategy.latest else recipe.stopping
    return Space.of(recipe.replace(epochs=strategy.epochs, stopping=stopping)), strategy


def _seeds(seeds: Any) -> tuple[int, ...]:
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        _check_counts(seeds=seeds)
        return tuple(range(seeds))
    found = tuple(map(check_seed, seeds)) if isinstance(seeds, Sequence) and not isinstance(seeds, str) else ()
    if not found or len(set(found)) < len(found):
        raise InputError(f"search(seeds={seeds!r}): seeds must be a number of seeds, or different seeds")
    return found


def _check_time(limit: Any) -> None:
    if limit is not None and not (isinstance(limit, int | float) and limit > 0):
        raise InputError(f"search(time_limit={limit!r}): time_limit must be above 0 seconds")


def _check_counts(**counts: Any) -> None:
    for name, count in counts.items():
        if count is None and name == "max_params":
            continue
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"search({name}={count!r}): {name} must be a whole number of at least 1")
