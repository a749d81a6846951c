"""What all members of a stack say of all rows, or of some on their way, in one program."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from kilter.core.compiling import QUICKLY, TRAINING
from kilter.core.kept import Program
from kilter.train import step
from kilter.train.epoch import Member
from kilter.train.predict import Told
from kilter.train.program import over_members, spread
from kilter.train.step import Batch, Parts


def kept(optimizer: Any, member: Member) -> tuple[Any, Any]:
    """Parameters and state to use a member with: of its best epoch, or of its last where none was judged."""
    learner = member.learner
    last = (optimizer.averaged(learner.moments, learner.params), learner.state)
    if member.best is None:
        return last
    return jax.tree.map(lambda best, last: jnp.where(member.best_epoch >= 0, best, last), member.best, last)


def judge(
    parts: Parts, members: Member, rows: dict[str, Batch], classes: bool, mesh: Mesh | None = None
) -> dict[str, Told]:
    """What each member says of the rows of each part.

    Args:
        parts: of the recipes, numbers stacked.
        members: stacked.
        rows: by part, preprocessed; shared by all.
        classes: whether predictions are probabilities of classes.
        mesh: the devices that the members are spread over; None: one device.

    Returns:
        By part, stacked.
    """

    def weights(parts: Parts, member: Member) -> tuple[Any, Any]:
        return kept(parts.optimizer, member)

    return _asked(weights, parts, members, rows, classes, mesh)


def glance(
    parts: Parts,
    members: Member,
    rows: dict[str, Batch],
    chosen: dict[str, jax.Array],
    classes: bool,
    mesh: Mesh | None = None,
) -> dict[str, Told]:
    """What each member says of some rows with the weights that it has now; as `judge`.

    Args:
        parts: of the recipes, numbers stacked.
        members: stacked.
        rows: by part.
        chosen: numbers of the rows of a part that are asked; left out, all of them.
        classes: whether predictions are probabilities of classes.
        mesh: the devices.
    """

    def weights(_: Parts, member: Member) -> tuple[Any, Any]:
        return member.learner.params, member.learner.state

    some = {name: jax.tree.map(lambda leaf, own=own: leaf[own], rows[name]) for name, own in chosen.items()}
    return _asked(weights, parts, members, rows | some, classes, mesh)


@cache
def judging(quickly: bool) -> Program:
    """`judge` as a program: compiled as quickly as the training before it, or to run as fast."""
    return Program(judge, static=("classes", "mesh"), options=QUICKLY if quickly else TRAINING)


@cache
def glancing(quickly: bool) -> Program:
    """`glance` as a program."""
    return Program(glance, static=("classes", "mesh"), options=QUICKLY if quickly else TRAINING)


def _asked(
    weights: Callable[[Parts, Member], tuple[Any, Any]],
    parts: Parts,
    members: Member,
    rows: dict[str, Batch],
    classes: bool,
    mesh: Mesh | None,
) -> dict[str, Told]:
    """What all members say of rows, with weights of theirs."""

    def share(parts: Parts, members: Member, rows: dict[str, Batch]) -> dict[str, Told]:
        def one(parts: Parts, member: Member, _: Any) -> dict[str, Told]:
            own = weights(parts, member)
            return {name: _told(parts, own, batch, classes) for name, batch in rows.items()}

        count = len(members.outcome)
        return over_members(one, count)(parts, members, jnp.zeros(count, jnp.int32), jnp.zeros(1))

    return spread(share, mesh, shared=1)(parts, members, rows)


def _told(parts: Parts, weights: tuple[Any, Any], batch: Batch, classes: bool) -> Told:
    outputs = step.outputs(parts.net, *weights, batch.x)
    return Told(parts.loss.read(outputs, classes), parts.loss.noise(outputs), parts.loss(outputs, batch.y))
