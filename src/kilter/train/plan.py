"""What training recipes together would take: groups, stacks, memory and, where known, time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax

from kilter.core.checks import check_seed
from kilter.core.devices import check_devices, free_memory
from kilter.core.errors import InputError
from kilter.core.job import least
from kilter.data.dataset import Dataset
from kilter.train import pace
from kilter.train.brevity import brief
from kilter.train.check import check_all
from kilter.train.cost import Cost, cost_of, row_bytes, scoring_bytes
from kilter.train.foresight import Foresight
from kilter.train.grouping import by, grouped
from kilter.train.layout import Layout, arrange, at_least, width_for
from kilter.train.mold import Mold
from kilter.train.recipe import Recipe, structure

# Share of the free memory that a fleet may take; the rest is for what the estimate does not see.
_SHARE = 0.8
# Where devices are cores: what the first training of a process takes whatever its size, 4 to 20 MiB measured; much of it is
# probably what one thread has freed and another cannot have.
_ONCE = 16 << 20
# Members on each device where their number must not decide.
_STEADY = 8


@dataclass(frozen=True)
class Group:
    """Members that share one compiled program.

    Attributes:
        members: their places among all members: all seeds of the first recipe, then of the second, and so on.
        mold: that they are cast in where their structures differ; None: they have one structure.
        layout: slots of a stack: devices, and members that each takes at once.
        together: members held in memory at once; the others wait.
        cost: bytes of one member.
        rows: bytes of the rows, on all devices.
        scoring: bytes that the metrics of a run take, on the host.
        seconds: expected for training, from the last time that such stacks trained in this process; else None.
    """

    members: tuple[int, ...]
    mold: Mold | None
    layout: Layout
    together: int
    cost: Cost
    rows: int
    scoring: int
    seconds: float | None

    @property
    def bytes(self) -> int:
        """Needed at once, compiling apart."""
        slots = -(-self.together // self.layout.size) * self.layout.size
        held, working = _held(self.cost, self.layout), self.layout.size * _working(self.cost, self.layout)
        # Members are scored when none is at work any more.
        return slots * held + self.rows + (max(working, self.scoring) + _ONCE if _on_host() else working)

    def __str__(self) -> str:
        width, devices = self.layout.width, self.layout.devices * self.layout.batch
        stacks = -(-len(self.members) // self.layout.size)
        waits = f", {self.together} at a time" if self.together < len(self.members) else ""
        time = "time not known yet" if self.seconds is None else f"about {self.seconds:.3g} s"
        padded = "" if self.mold is None else f" padded to {self.mold}"
        shards = ", its optimizer's state in shards" if self.layout.sharded else ""
        each = f", each batch spread over {self.layout.batch} of them{shards}" if self.layout.batch > 1 else ""
        return (
            f"{_count(len(self.members), 'member')}{padded}{waits}: {_count(stacks, 'stack')} of {width} on "
            f"{_count(devices, 'device')}{each}; {_size(self.cost.all)} a member, {_size(self.bytes)} in all; {time}"
        )


@dataclass(frozen=True)
class Plan:
    """What `plan` tells: how `train_fleet` would train these recipes.

    Attributes:
        groups: one for each structure.
        free: bytes of memory that are free now, or None where nothing tells.
    """

    groups: tuple[Group, ...]
    free: int | None

    @property
    def members(self) -> int:
        """Number of networks."""
        return sum(len(group.members) for group in self.groups)

    @property
    def bytes(self) -> int:
        """Most memory needed at once; groups train one after the other."""
        return max(group.bytes for group in self.groups)

    @property
    def seconds(self) -> float | None:
        """Expected for training, without compiling; None where it is not known for all groups."""
        known = [group.seconds for group in self.groups if group.seconds is not None]
        return sum(known) if len(known) == len(self.groups) else None

    def __repr__(self) -> str:
        free = "" if self.free is None else f" of {_size(self.free)} free"
        title = f"{_count(self.members, 'network')}, {_count(len(self.groups), 'program')}, {_size(self.bytes)}{free}"
        return "\n".join((f"Plan({title})", *(f"  {group}" for group in self.groups)))


def plan(
    recipes: Sequence[Recipe],
    data: Dataset,
    *,
    seeds: Sequence[int] = (0,),
    devices: int | str | None = None,
    shard: bool | None = None,
) -> Plan:
    """How `train_fleet` would train every recipe with every seed; nothing is compiled, drawn or trained.

    The bytes of a member are those of its weights and state, the optimizer's state and the copy of the best epoch; the same
    as they were before the epoch, the gradient and what one batch leaves behind for the chain rule, while it is at work;
    and, where devices are cores, all that a run is made of at the end, and what metrics take while it is scored. The rows
    are shared by all members of a device. What compiling takes is not counted.

    Args:
        recipes: any.
        data: shared by all.
        seeds: one member a recipe and seed.
        devices: that each batch is spread over, or ``"all"``, as `train_fleet` takes it.
        shard: whether these keep the optimizer's state in shards; left open, where memory asks for it.

    Raises:
        InputError: a recipe does not fit the data, there are fewer devices, or one member alone needs more memory than is
            free.

    >>> import kilter as kl
    >>> from kilter import nn, optim, losses
    >>> recipe = kl.Recipe(nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dense(3)), losses.SoftmaxCrossEntropy(),
    ...     optimizer=optim.Adam(0.01))
    >>> kl.plan([recipe.put("optimizer.lr", lr) for lr in (0.1, 0.01)], kl.data.iris(), seeds=range(4)).members
    8
    """
    check_all(recipes, data)
    ways = check_devices(devices)
    return plan_of([(recipe, check_seed(seed)) for recipe in recipes for seed in seeds], data, ways=ways, shard=shard)


def plan_of(
    members: Sequence[tuple[Recipe, int]],
    data: Dataset,
    foresight: Foresight | None = None,
    *,
    cast: bool = True,
    free: int | None = None,
    ways: int = 1,
    shard: bool | None = None,
) -> Plan:
    """The plan for members that have been checked.

    Args:
        members: that train.
        data: shared by all.
        foresight: whose programs they train in, which later members find compiled.
        cast: whether without foresight structures may share a mold.
        free: bytes of memory to plan with; None: those that are free now.
        ways: devices that each batch is spread over.
        shard: whether these keep the optimizer's state in shards; None: where memory asks for it.
    """
    free, steady = least(free_memory() if free is None else free), foresight is not None

    def group(indices: list[int], mold: Mold | None) -> Group:
        try:
            return _group(indices, mold, members, data, free, steady, ways, bool(shard))
        except InputError:  # whole on each device they are too large
            if ways == 1 or shard is not None:
                raise
            return _group(indices, mold, members, data, free, steady, ways, True)

    found: list[Group] = []
    for indices, mold in grouped(members, data, cast=cast) if foresight is None else foresight.grouped(members):
        try:
            found.append(group(indices, mold))
        except InputError:  # padded they are too large
            if mold is None:
                raise
            own = by(indices, lambda index: structure(members[index][0])).values()
            found += [group(each, None) for each in own]
    return Plan(tuple(found), free)


def _group(
    indices: list[int],
    mold: Mold | None,
    members: Sequence[tuple[Recipe, int]],
    data: Dataset,
    free: int | None,
    steady: bool,
    ways: int,
    sharded: bool,
) -> Group:
    recipe = members[indices[0]][0]
    longest = max((members[index][0] for index in indices), key=lambda each: each.epochs)
    cost, rows = cost_of(longest if mold is None else mold.blank(longest), data), row_bytes(data)
    together, width = len(indices), least(width_for(cost.spread(ways, sharded)))
    assert width is not None
    # A program that is to be found again always takes as many, whatever the number of members.
    alone = not steady and mold is None
    layout = (
        replace(
            arrange(together, width, batch=ways, sharded=sharded),
            quickly=brief([members[index][0] for index in indices], data, cost),
        )
        if alone
        else Layout(jax.device_count() // ways, min(_STEADY, width), batch=ways, sharded=sharded)
    )
    if free is not None:
        layout, together = _fitted(layout, together, cost, rows, _SHARE * free)
    epochs = sorted((members[index][0].epochs for index in indices), reverse=True)
    each = pace.recall(mold or structure(recipe), data.rows, layout)
    seconds = None if each is None else each * sum(epochs[:: layout.size])
    rows *= layout.devices * _copies(layout)
    return Group(tuple(indices), mold, layout, together, cost, rows, scoring_bytes(data), seconds)


def _fitted(layout: Layout, members: int, cost: Cost, rows: int, room: float) -> tuple[Layout, int]:
    """The layout narrowed, and the members that are held at once, so that all fits in the room."""
    held, working = _held(cost, layout), _working(cost, layout)
    each, rows = held + working, rows * _copies(layout)
    if rows + each > room:
        raise InputError(
            f"one member needs {_size(rows + each)} of memory ({_size(rows)} for the rows, {_size(each)} for the network "
            f"and its training), but {_size(room)} can be used; take a smaller net, batch_size or fewer rows"
        )
    fewest = at_least(1, layout.batch)
    while layout.size > fewest and layout.devices * rows + layout.size * each > room:
        narrow = layout.width > 1
        smaller = {"width": layout.width // 2} if narrow else {"devices": max(layout.devices // 2, fewest)}
        layout = replace(layout, **smaller)
    left = room - layout.devices * rows - layout.size * working
    stacks = max(1, int(left // max(1, layout.size * held)))
    return layout, min(members, stacks * layout.size)


def _held(cost: Cost, layout: Layout) -> int:
    """Bytes of a member to the end; where its device has the host's own memory, with those that it takes there."""
    kept = cost.spread(layout.batch, layout.sharded).kept * _copies(layout)
    return kept + (cost.host if _on_host() else 0)


def _working(cost: Cost, layout: Layout) -> int:
    """Bytes of a member while it is at work."""
    return cost.spread(layout.batch, layout.sharded).working * _copies(layout)


def _copies(layout: Layout) -> int:
    """Devices of one memory that stand in the place of one."""
    return -(-layout.batch // jax.process_count()) if _on_host() else 1


def _on_host() -> bool:
    return jax.default_backend() == "cpu"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.3g} {unit}" if count < 1000 else f"{count:.0f} {unit}"
        count /= 1024
    raise AssertionError
