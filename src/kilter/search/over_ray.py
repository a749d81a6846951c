"""Trials trained on the nodes of a Ray cluster: a fleet is a task, and a lost one is sent again."""

import importlib.util
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import Any
from uuid import uuid4

from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.search import cluster
from kilter.search.fleets import Ended, Group, Members, trained
from kilter.search.parcels import homeward
from kilter.search.runner import Crew, Over, Runner
from kilter.search.trial import Trial
from kilter.train.foresight import Company, Foresight

# In a worker: of the search that it works for.
_FORESEEN: dict[str, Foresight] = {}
# Seconds between looks at Ctrl-C and the time while nothing comes back.
_LOOK = 0.25


@dataclass(frozen=True)
class Ray(Runner):
    """Trains the trials of a search on the nodes of a Ray cluster: ``kl.search(..., runner=kl.search.Ray())``.

    Trials that may share a program are split into fleets, small enough to keep all nodes busy; each is one Ray task, and
    what comes back is recorded at once. The trials are those of a search in one process; scores differ in rounding at most,
    where fleets have other sizes. A worker or a node that is lost costs the fleets that it trained: these are sent again,
    and after so many retries their trials are recorded as failed. Ctrl-C and ``time_limit`` give up the fleets that are
    out; with ``storage`` the next call trains them.

    A strategy asks for a batch and waits for all of it, so that at most as many trials as its `batch` train at a time.
    Each node needs Kilter and whatever defines parts of your own, in the versions of this process.

    Args:
        address: of the cluster, such as ``"10.0.0.1:6379"``, ``"ray://10.0.0.1:10001"`` or ``"auto"``. Left open, what Ray
            itself takes: the cluster that this process is connected to, the one in ``RAY_ADDRESS``, one that runs on this
            machine, or else a new one of this machine's cores for the time of the search.
        fleet_size: most trials in one task. Each worker compiles a structure once; the more trials share that, the better.
        retries: times that a fleet is sent again after its worker was lost, from 0.
        cpus: cores of one task; JAX gets one device on each. A node of n cores trains n / cpus fleets side by side.
        gpus: of one task, 0 to train on CPUs; a share such as 0.5 lets tasks share one.

    Raises:
        InputError: settings out of range. When the search begins: Ray is not installed, or the cluster cannot be reached.

    >>> import kilter as kl
    >>> kl.search.Ray("10.0.0.1:6379", fleet_size=64)
    Ray(address='10.0.0.1:6379', fleet_size=64, retries=2, cpus=1, gpus=0)
    """

    address: str | None = None
    _: KW_ONLY
    fleet_size: int = 32
    retries: int = 2
    cpus: int = 1
    gpus: float = 0

    def __post_init__(self) -> None:
        for name, least in (("fleet_size", 1), ("retries", 0), ("cpus", 1)):
            given = getattr(self, name)
            if isinstance(given, bool) or not isinstance(given, int) or given < least:
                raise InputError(f"Ray({name}={given!r}): {name} must be a whole number of at least {least}")
        if self.address is not None and not (isinstance(self.address, str) and self.address):
            raise InputError(
                f"Ray(address={self.address!r}): address must be text such as '10.0.0.1:6379', or left out"
            )
        number = isinstance(self.gpus, int | float) and not isinstance(self.gpus, bool)
        if not number or not (0 <= self.gpus <= 1 or (self.gpus > 1 and self.gpus % 1 == 0)):
            raise InputError(f"Ray(gpus={self.gpus!r}): gpus must be a share from 0 to 1, or a whole number")

    @property
    def needs(self) -> dict[str, float]:
        """What a task takes of its node, in Ray's words."""
        return {"CPU": self.cpus, "GPU": self.gpus}

    @contextmanager
    def crew(self, data: Dataset, seeds: tuple[int, ...], company: Company) -> Iterator[Crew]:
        if importlib.util.find_spec("ray") is None:
            raise InputError("kl.search.Ray needs the package ray: pip install 'kilter[ray]'")
        with cluster.joined(self.address, self.needs) as ray:
            tasks = _Tasks(self, ray, data, seeds, company)
            try:
                yield tasks.train
            finally:
                tasks.cancel()


@dataclass(frozen=True)
class _Sent:
    """A fleet that is out: what it goes on from, and how often it has been lost."""

    group: Group
    members: Members
    lost: int = 0


class _Tasks:
    """The fleets of one search on a cluster."""

    def __init__(self, runner: Ray, ray: Any, data: Dataset, seeds: tuple[int, ...], company: Company) -> None:
        self._runner, self._ray = runner, ray
        # Ray's own retries would go on for ever where a node runs out of memory.
        self._task = ray.remote(_train).options(
            num_cpus=runner.cpus,
            num_gpus=runner.gpus,
            max_retries=0,
            runtime_env={"env_vars": cluster.environment(runner.cpus, runner.gpus)},
        )
        self._data, self._sent_data, self._seeds = data, ray.put(data), seeds
        self._company, self._name = ray.put(company), uuid4().hex
        self._out: dict[Any, _Sent] = {}

    def train(self, groups: Sequence[Group], members: Members, over: Over) -> Iterator[list[Ended]]:
        """As `runner.Crew` says."""
        if over():
            return
        slots = cluster.slots(self._ray, self._runner.needs)
        size = min(self._runner.fleet_size, -(-sum(len(group.asks) for group in groups) // max(1, slots)))
        for alike in (each for group in groups for each in group.alike(self._data)):
            for part in alike.split(-(-len(alike.asks) // size)):
                parents = [ask.parent for ask in part.asks if ask.parent is not None]
                self._send(_Sent(part, {parent: members[parent] for parent in parents}))
        while self._out and not over():
            done, _ = self._ray.wait(list(self._out), timeout=_LOOK)
            for task in done:
                yield self._received(task)

    def cancel(self) -> None:
        """Give up what is out."""
        for task in self._out:
            self._ray.cancel(task)
        self._out.clear()

    def _send(self, sent: _Sent) -> None:
        task = self._task.remote(sent.group, self._sent_data, self._seeds, sent.members, self._company, self._name)
        self._out[task] = sent

    def _received(self, task: Any) -> list[Ended]:
        """Trials of a task that has ended; none where it was lost and is out again."""
        sent = self._out.pop(task)
        errors = self._ray.exceptions
        try:
            return pickle.loads(self._ray.get(task))
        except errors.RayTaskError as error:
            if isinstance(error.cause, errors.RayError):
                raise _unread(error.cause) from None
            raise error.cause from error  # what training raised, as it would be raised in this process
        except errors.RayError as error:
            lost = sent.lost + 1
            if lost <= self._runner.retries:
                self._send(_Sent(sent.group, sent.members, lost))
                return []
            times = "once" if lost == 1 else f"{lost} times"
            reason = f"its Ray worker was lost {times} ({type(error).__name__})"
            return [Ended(Trial.failed(ask, reason)) for ask in sent.group.asks]


def _unread(error: Exception) -> InputError:
    reason = str(error).strip().splitlines()[-1]
    return InputError(
        f"kl.search.Ray: a worker cannot read what it was sent ({reason}); "
        "each node needs Kilter and the modules of your parts"
    )


def _train(
    group: Group, data: Dataset, seeds: tuple[int, ...], members: Members, company: Company, search: str
) -> bytes:
    """The task. It ends in bytes, as arrays that Ray hands over lie in its store, cannot be written and die with it."""
    if search not in _FORESEEN:
        _FORESEEN.clear()
        _FORESEEN[search] = Foresight.of(company, data)
    trials = trained(group, data, seeds, members, _FORESEEN[search])
    return homeward([each for ended in trials for each in ended])
