"""A fleet on its way as arrays and plain data, and the same fleet again, bit for bit."""

import math
from collections.abc import Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from kilter.core import trees
from kilter.train.check import deciding_metric
from kilter.train.checkpoints import Saved
from kilter.train.epoch import Member
from kilter.train.layout import Layout, at_least
from kilter.train.placing import fetched
from kilter.train.predict import Told
from kilter.train.regrouping import gather
from kilter.train.stack import Stack

if TYPE_CHECKING:
    from kilter.train.fleet import Fleet


def taken(fleet: "Fleet") -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and plain data of a fleet between two chunks of epochs."""
    standing = [index for stack in fleet.stacks for index in map(int, stack.indices)]
    ended = sorted(fleet.ended.keys() - set(standing))
    state: dict[str, Any] = {
        "stacks": [fetched(stack.members) for stack in fleet.stacks],
        "ended": _stacked([fleet.ended[index] for index in ended]),
        "told": _stacked([fleet.told[index] for index in ended]),
        "history": {name: column[:, : fleet.done] for name, column in fleet.history.items()},
    }
    vitals, watched = fleet.watcher.taken()
    meta = {
        "done": fleet.done,
        "layout": list(astuple(fleet.layout)),
        "stacks": [stack.indices.tolist() for stack in fleet.stacks],
        "ended": ended,
        "watched": watched,
        "epochs": fleet.stack_epochs,
        "seconds": fleet.spent,
    }
    return state | {"vitals": vitals}, meta


def score(fleet: "Fleet") -> float | None:
    """The last score of the best member, the higher the better; None where all have diverged."""
    metric = deciding_metric(fleet.task.members[0][0], fleet.data)
    line = fleet.history.get(f"val_{metric.key}")
    sign = 1.0 if line is not None and metric.higher_is_better else -1.0
    last = sign * (fleet.history["loss"] if line is None else line)[:, fleet.done - 1]
    found = float(np.max(last, initial=-math.inf, where=np.isfinite(last)))
    return found if fleet.done and math.isfinite(found) else None


def layout_of(saved: Saved | None, layout: Layout) -> Layout:
    """The layout that a fleet was in, where there are devices for it and no others are asked for; else the one given."""
    before = layout if saved is None else Layout(*saved.meta["layout"])
    alike = (before.batch, before.sharded) == (layout.batch, layout.sharded)
    fits = at_least(1, before.batch) <= before.devices <= jax.device_count() // before.batch
    return before if alike and fits else layout


def put_back(fleet: "Fleet", saved: Saved, like: Member) -> None:
    """Fill a fleet that was launched with all that was taken of it; stacked members look ``like`` this."""
    arrays, meta = saved.state, saved.meta
    fleet.done, fleet.stack_epochs = meta["done"], meta["epochs"]
    fleet.seconds = {name: seconds + fleet.seconds.get(name, 0.0) for name, seconds in meta["seconds"].items()}
    for name, column in under("history", arrays).items():
        fleet.column(name)[:, : fleet.done] = column
    told = under("told", arrays)
    ended = shaped(under("ended", arrays), like) if meta["ended"] else None
    for place, index in enumerate(meta["ended"]):
        fleet.ended[index] = trees.take(ended, place)
        fleet.told[index] = {
            name: Told(
                *(told[f"{name}.{field}"][place] if f"{name}.{field}" in told else None for field in Told._fields)
            )
            for name in fleet.data.parts
        }
    fleet.watcher.put_back(under("vitals", arrays), meta["watched"], like.learner.params)
    stacks = [shaped(under(f"stacks.{place}", arrays), like) for place in range(len(meta["stacks"]))]
    _stand(fleet, meta["stacks"], stacks, Layout(*meta["layout"]))


def _stand(fleet: "Fleet", indices: Sequence[Sequence[int]], stacks: Sequence[Member], before: Layout) -> None:
    """Members in the slots that they had; where devices are lacking, in those that there are."""
    if fleet.layout != before:
        for own, members in zip(indices, stacks, strict=True):
            fleet.ended |= {index: trees.take(members, slot) for slot, index in enumerate(own)}
        return gather(fleet, [index for own in indices for index in own], fleet.layout)
    fleet.stacks += [
        Stack.of(own, fleet.roster, lambda _, members=members: members, before)
        for own, members in zip(indices, stacks, strict=True)
    ]


def _stacked(members: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *members) if members else None


def under(prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """The arrays below a path, by the rest of theirs."""
    head = f"{prefix}."
    return {path.removeprefix(head): array for path, array in arrays.items() if path.startswith(head)}


def shaped(arrays: dict[str, Any], like: Any) -> Any:
    """Arrays by path as a tree that looks ``like`` this."""
    return jax.tree.unflatten(jax.tree.structure(like), [arrays[name] for name in trees.named(like)])
