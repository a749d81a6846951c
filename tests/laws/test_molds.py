"""Laws of molds: nets of other widths, depths, activations and optimizers in one program compute what each does alone."""

import itertools

import jax
import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.train import grouping, pattern
from kilter.train.foresight import Company, Foresight
from kilter.train.interrupt import Interrupt
from kilter.train.launch import fleets
from kilter.train.program import held
from kilter.train.task import Task

DRAW = np.random.default_rng(1)
X = DRAW.normal(size=(60, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
DATA = kl.data.from_arrays(X, Y, validation=0.2, test=0.1, seed=0)
# The same sums in another order, over some dozens of updates in float32.
CLOSE = {"rtol": 2e-4, "atol": 2e-4}
ACTIVATIONS = (nn.ReLU(), nn.Sigmoid(), nn.GELU(), nn.LeakyReLU(0.2))
OPTIMIZERS = (
    optim.Adam(0.01),
    optim.SGD(optim.Cosine(0.05), momentum=0.9),
    optim.ClipByGlobalNorm(optim.RMSProp(0.003), 0.5),
)
WIDTHS = ((3, 7), (40,), (16, 33, 5))


def net(widths, activation, rate=0.2, **given):
    hidden = ([nn.Dense(units, **given), nn.BatchNorm(), activation, nn.Dropout(rate)] for units in widths)
    return nn.Chain(*itertools.chain(*hidden), nn.Dense(3, **given))


def recipe(net, optimizer, epochs=4, **given):
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optimizer, epochs=epochs, batch_size=16, **given)


# Every width with every activation and optimizer at least once.
RECIPES = [
    recipe(
        net(WIDTHS[place % 3], ACTIVATIONS[place % 4], 0.1 * (place % 3)), OPTIMIZERS[(place // 2) % 3], 3 + place % 2
    )
    for place in range(12)
]


@pytest.fixture(scope="module")
def molded():
    plan = kl.plan(RECIPES, DATA, seeds=(0, 3))
    assert [group.mold is not None for group in plan.groups] == [True]
    return kl.train_fleet(RECIPES, DATA, seeds=(0, 3), progress=False)


def assert_same(run, solo):
    assert (run.recipe, run.seed, run.outcome, run.epoch) == (solo.recipe, solo.seed, solo.outcome, solo.epoch)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **CLOSE), run.history, solo.history)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **CLOSE), (run.params, run.state), (solo.params, solo.state)
    )
    np.testing.assert_allclose(run.predict_proba(X), solo.predict_proba(X), **CLOSE)
    assert run.metrics.keys() == solo.metrics.keys()
    np.testing.assert_allclose(list(run.metrics.values()), list(solo.metrics.values()), **CLOSE)


@pytest.mark.parametrize("place", range(0, 12, 3))
def test_a_member_of_a_mold_equals_its_solo_run(molded, place):
    assert_same(molded[2 * place + 1], kl.train(RECIPES[place], DATA, seed=3, progress=False))


def test_members_have_their_own_shapes(molded):
    for run in molded:
        own = jax.eval_shape(lambda key, net=run.recipe.net: net.init(key, DATA.shape), jax.random.key(0))
        assert jax.tree.map(np.shape, (run.params, run.state)) == jax.tree.map(lambda leaf: leaf.shape, own)


def test_members_that_pause_leave_their_mold_and_go_on_in_another(molded):
    pairs, stop = [(each.replace(epochs=4), 3) for each in RECIPES], Interrupt()
    ((_, first),) = fleets(Task(pairs, DATA, until=2))
    first.run(False, stop)
    chosen = [7, 1, 4]
    kept = first.paused()
    ((_, second),) = fleets(Task([pairs[index] for index in chosen], DATA, paused=[kept[index] for index in chosen]))
    for index, run in zip(chosen, second.run(False, stop), strict=True):
        assert_same(run, kl.train(RECIPES[index].replace(epochs=4), DATA, seed=3, progress=False))


def test_images_are_flattened_in_front_of_the_mold():
    data = kl.data.from_arrays(DRAW.normal(size=(40, 3, 4, 2)), Y[:40], seed=0)
    recipes = [
        recipe(
            nn.Chain(nn.Conv(2, 2), nn.ReLU(), nn.Flatten(), nn.Dense(units), activation, nn.Dense(3)), OPTIMIZERS[0]
        )
        for units, activation in ((5, nn.ReLU()), (9, nn.Tanh()))
    ]
    assert kl.plan(recipes, data).groups[0].mold is not None
    for run, each in zip(kl.train_fleet(recipes, data, progress=False), recipes, strict=True):
        solo = kl.train(each, data, progress=False)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **CLOSE), run.params, solo.params)


def test_one_structure_keeps_its_own_program():
    alike = [RECIPES[0].put("optimizer.lr", lr) for lr in (0.1, 0.01)]
    assert [group.mold for group in kl.plan(alike, DATA).groups] == [None]


def test_where_padding_costs_more_than_a_program_nothing_is_padded():
    wide = [recipe(net(widths, nn.ReLU()), optim.Adam(), epochs=10**6) for widths in ((2, 2), (1024, 1024))]
    assert [group.mold for group in kl.plan(wide, DATA).groups] == [None, None]


@pytest.mark.parametrize(
    "other",
    [
        recipe(nn.Chain(nn.Dense(8), nn.LayerNorm(), nn.ReLU(), nn.Dense(3)), OPTIMIZERS[0]),
        recipe(net((8, 8), nn.ReLU(), initializer=nn.initializers.Orthogonal()), OPTIMIZERS[0]),
        recipe(net((8, 8), nn.ReLU()), optim.LBFGS()),
        recipe(nn.Chain(nn.Dense(4), nn.Residual(nn.Dense(4)), nn.Dense(3)), OPTIMIZERS[0]),
        recipe(nn.Chain(nn.ReLU()), OPTIMIZERS[0]),
        recipe(net((8, 8), nn.ReLU()), optim.Adam(epsilon=0.0)),
    ],
    ids=["layer norm", "orthogonal", "line search", "nested", "no dense layer", "no epsilon"],
)
def test_what_padding_would_change_fits_in_no_mold(other):
    assert pattern.pattern(other, DATA) is None


def test_other_outputs_and_other_layers_are_other_patterns():
    own = pattern.pattern(RECIPES[0], DATA)
    assert own == pattern.pattern(RECIPES[5], DATA) == pattern.pattern(RECIPES[1], DATA)
    assert own != pattern.pattern(recipe(nn.Chain(nn.Dense(3)), OPTIMIZERS[0]), DATA)
    assert own != pattern.pattern(recipe(nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3)), OPTIMIZERS[0]), DATA)
    assert own != pattern.pattern(recipe(net((3, 7), nn.ReLU(), bias=False), OPTIMIZERS[0]), DATA)
    assert own != pattern.pattern(RECIPES[0].replace(batch_size=8), DATA)


def test_blocks_are_the_shortest_that_repeat():
    one, two = nn.Dense(4), nn.Dense(5)
    norm, relu = nn.BatchNorm(), nn.ReLU()
    assert pattern.blocks(nn.Chain(nn.Flatten(), one, relu, two, relu, one)) == (1, 2, 2)
    assert pattern.blocks(nn.Chain(one, norm, relu, two, relu, one, norm, relu, two, relu, one)) == (0, 5, 2)
    assert pattern.blocks(nn.Chain(one, norm, relu, two, relu, one)) == (0, 5, 1)
    assert pattern.blocks(nn.Chain(relu, one, relu)) == (1, 0, 1)


def test_blocks_of_two_dense_layers():
    def deep(repeats, *widths):
        block = [nn.Dense(widths[0]), nn.BatchNorm(), nn.Dense(widths[1]), nn.ReLU()]
        return nn.Chain(*repeats * block, nn.Dense(3))

    recipes = [recipe(deep(1, 6, 9), OPTIMIZERS[0]), recipe(deep(2, 11, 4), OPTIMIZERS[0])]
    assert kl.plan(recipes, DATA).groups[0].mold.depth == 2
    for run, each in zip(kl.train_fleet(recipes, DATA, progress=False), recipes, strict=True):
        assert_same(run, kl.train(each, DATA, progress=False))


def test_what_is_foreseen_finds_its_program_compiled():
    foresight = Foresight.of(Company(RECIPES, 1.0), DATA)

    def trained(*recipes):
        ((_, fleet),) = fleets(Task([(each, 5) for each in recipes], DATA, foresight=foresight))
        return fleet.run(False, Interrupt())

    trained(*RECIPES[:2])
    before = held()
    # Others in other numbers, one alone, and one that was not foreseen but fits in.
    trained(RECIPES[4].put("net.layers[3].rate", 0.4))
    (run,) = trained(RECIPES[1].put("net.layers[0].units", 21))
    assert held() == before
    assert_same(run, kl.train(run.recipe, DATA, seed=5, progress=False))
    wide = RECIPES[1].put("net.layers[0].units", 300)
    assert foresight.grouped([(wide, 0)]) == [([0], None)]


def test_initial_weights_have_the_standard_deviation_of_their_own_net():
    wide, narrow = (recipe(net((units, units), nn.Tanh()), OPTIMIZERS[0], epochs=0) for units in (300, 60))
    runs = kl.train_fleet([wide, narrow], DATA, progress=False)
    for run, units in zip(runs, (300, 60), strict=True):
        promised = nn.initializers.Matched(nn.Tanh()).std((units, units))
        np.testing.assert_allclose(run.params[4]["kernel"].std(), promised, rtol=0.05)
    assert grouping.grouped([(wide, 0), (narrow, 0)], DATA)[0][1] is not None
