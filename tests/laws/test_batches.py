"""Laws of batch sizes: members whose batches differ compute in one program what each computes alone."""

from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kilter as kl
from kilter import data, losses, nn, optim
from kilter.train import grouping, pattern, regrouping
from kilter.train.fleet import Fleet
from kilter.train.interrupt import Interrupt
from kilter.train.launch import fleets
from kilter.train.program import held
from kilter.train.rows import loader
from kilter.train.task import Task

plan = import_module("kilter.train.plan")  # the package has a function of that name
DRAW = np.random.default_rng(2)
X = DRAW.normal(size=(60, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
# 47 rows to train on, a prime number: no batch divides them.
DATA = kl.data.from_arrays(X, Y, weights=DRAW.uniform(0.5, 2.0, 60), validation=0.22, seed=0)
# The same sums in another order, over some dozens of updates in float32.
CLOSE = {"rtol": 2e-4, "atol": 2e-4}
SGD = optim.SGD(optim.Cosine(0.05), momentum=0.9)


def recipe(size, units=8, optimizer=SGD, layer=None, epochs=4, **given):
    between = (layer,) if layer else ()
    net = nn.Chain(nn.Dense(units), *between, nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))
    # Weighted accuracies of few rows tie but for rounding; the log loss does not.
    given = {"metric": kl.metrics.LogLoss(), **given}
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optimizer, epochs=epochs, batch_size=size, **given)


# One of them larger than the rows, one that stops early, and one of another width and optimizer.
RECIPES = [
    recipe(5, stopping=kl.EarlyStopping(1)),
    recipe(16, stopping=kl.EarlyStopping(50)),
    recipe(20, stopping=kl.EarlyStopping(50), epochs=3),
    recipe(64, stopping=kl.EarlyStopping(50)),
    recipe(7, 40, optim.Adam(0.01), stopping=kl.EarlyStopping(50)),
]


def train(recipes, seeds=(3,), **given):
    return kl.train_fleet(recipes, DATA, seeds=seeds, progress=False, **given)


@pytest.fixture(scope="module")
def mixed():
    (group,) = kl.plan(RECIPES, DATA, seeds=(0, 3)).groups
    assert group.mold is not None
    assert group.mold.mixed
    assert group.mold.batch == len(DATA.train) == 47
    return train(RECIPES, (0, 3))


@pytest.fixture(scope="module")
def solos():
    return [kl.train(each, DATA, seed=3, progress=False) for each in RECIPES]


def assert_same(run, solo):
    assert (run.recipe, run.seed, run.outcome, run.epoch) == (solo.recipe, solo.seed, solo.outcome, solo.epoch)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **CLOSE),
        (run.history, run.params, run.state, run.metrics),
        (solo.history, solo.params, solo.state, solo.metrics),
    )


def assert_all_same(runs, solos):
    for run, solo in zip(runs, solos, strict=True):
        assert_same(run, solo)


def test_a_member_equals_its_solo_run(mixed, solos):
    assert kl.Outcome.STOPPED_EARLY in {run.outcome for run in solos}
    assert_all_same(mixed[1::2], solos)


def test_an_open_schedule_spans_the_updates_of_its_member(mixed):
    for run, updates in zip(mixed[::2], (10, 3, 3, 1), strict=False):
        made = updates * len(run.history["lr"]) - 1
        share = made / (updates * run.recipe.epochs)
        np.testing.assert_allclose(run.history["lr"][-1], 0.05 * 0.5 * (1 + np.cos(np.pi * share)), rtol=1e-4)


def test_one_by_one(solos, monkeypatch):
    monkeypatch.setattr(plan, "width_for", lambda cost: 1)
    assert_all_same(train(RECIPES), solos)


def test_members_that_pause_go_on_beside_other_batch_sizes(mixed):
    pairs, stop = [(each.replace(epochs=4), 3) for each in RECIPES], Interrupt()
    ((_, first),) = fleets(Task(pairs, DATA, until=2))
    first.run(False, stop)
    kept, chosen = first.paused(), [4, 2]
    ((_, second),) = fleets(Task([pairs[index] for index in chosen], DATA, paused=[kept[index] for index in chosen]))
    for index, run in zip(chosen, second.run(False, stop), strict=True):
        assert_same(run, kl.train(pairs[index][0], DATA, seed=3, progress=False))


def test_bootstrap_samples():
    pair = [recipe(5), recipe(20)]
    assert_all_same(train(pair, bootstrap=True), [train([each], bootstrap=True)[0] for each in pair])


def test_other_batch_sizes_need_no_compile(mixed, monkeypatch):
    # On a slow machine a smaller program for the members that are left is worth a compile.
    monkeypatch.setattr(regrouping, "_PAYS", float("inf"))
    train(RECIPES, (5, 6))  # other tests may have had it freed
    before = held()
    again = [each.replace(batch_size=size) for each, size in zip(RECIPES, (64, 33, 9, 40, 1), strict=True)]
    train(again, (5, 6))
    assert held() == before


@pytest.mark.parametrize(
    ("sizes", "batch", "mixed"), [((16, 16), 16, False), ((47, 64), 47, False), ((16, 20), 32, True)]
)
def test_where_all_have_one_batch_size_it_is_no_number(sizes, batch, mixed):
    members = [(recipe(size, units), 0) for size, units in zip(sizes, (8, 12), strict=True)]
    (group,) = plan.plan_of(members, DATA).groups
    fleet = Fleet.launch(Task(members, DATA), group.layout, loader(DATA, None), group.mold)
    assert (group.mold.batch, group.mold.mixed) == (batch, mixed)
    assert (fleet.roster.batches is not None) == mixed


def test_where_padding_costs_more_than_a_program_nothing_is_padded():
    long = [recipe(size, epochs=10**6) for size in (1, 40)]
    assert [group.mold for group in kl.plan(long, DATA).groups] == [None, None]


def test_batch_sizes_join_as_long_as_that_costs_less_than_a_program(monkeypatch):
    for name, seconds in {"COMPILE": 3.0, "UPDATE": 8e-6, "_BYTE": 3.5e-10, "PRODUCT": 6e-11}.items():
        monkeypatch.setattr(grouping, name, seconds)  # whatever they are measured to be
    epochs = 2500 * jax.local_device_count()
    many = [recipe(size, units, epochs=epochs) for size in (1, 2, 32, 40) for units in (3, 4)]
    found = sorted(group.members for group in kl.plan(many, DATA).groups)
    assert found == [(0, 1, 2, 3), (4, 5, 6, 7)]


@pytest.mark.parametrize(
    "given",
    [{"layer": nn.BatchNorm()}, {"augment": data.Augmentations(data.Noise(), data.Mixup())}],
    ids=["batch norm", "mixup"],
)
def test_where_rows_depend_on_others_batch_sizes_are_not_mixed(given):
    first, other, *whole = [recipe(size, **given) for size in (5, 16, 47, 64)]
    assert pattern.pattern(first, DATA) != pattern.pattern(other, DATA)
    assert pattern.pattern(whole[0], DATA) == pattern.pattern(whole[1], DATA)
    assert [group.mold for group in kl.plan([first, other], DATA).groups] == [None, None]


def test_convolutions_in_front_keep_the_batch_size():
    images = kl.data.from_arrays(DRAW.normal(size=(40, 3, 4, 2)), Y[:40], seed=0)
    convolved = [recipe(size).replace(net=nn.Chain(nn.Conv(2, 2), nn.Flatten(), nn.Dense(3))) for size in (5, 16)]
    flat = [recipe(size).replace(net=nn.Chain(nn.Flatten(), nn.Dense(3))) for size in (5, 16)]
    assert len({pattern.pattern(each, images) for each in convolved}) == 2
    assert len({pattern.pattern(each, images) for each in flat}) == 1


DRAWING = [kind() for kind in (*nn.dropouts.ALL, *nn.activations.ALL) if kind.draws and kind is not nn.DropConnect]


@pytest.mark.parametrize("shape", [(4,), (3, 4)], ids=str)
@pytest.mark.parametrize("layer", [*DRAWING, nn.DropConnect(nn.Dense(4))], ids=repr)
def test_what_is_drawn_for_a_row_does_not_depend_on_how_many_follow(layer, shape):
    x, key = jnp.asarray(DRAW.normal(size=(9, *shape)), jnp.float32), jax.random.key(1)
    params, state = layer.init(key, shape)
    drawn = jax.jit(lambda x: layer.apply(params, state, x, key=key)[0])
    np.testing.assert_allclose(drawn(x[:5]), drawn(x)[:5], rtol=1e-6)
