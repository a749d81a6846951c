"""Laws of fleets: where a member stands, beside whom, in how wide a stack and on how many devices changes nothing."""

import tracemalloc
from importlib import import_module

import jax
import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.train import fleet as engine
from kilter.train import layout, regrouping
from kilter.train.program import held

plan = import_module("kilter.train.plan")  # the package has a function of that name
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(50, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] ** 2 + 0.3 * DRAW.normal(size=50) > 0.5).astype(int) + (X[:, 2] > 1)
DATA = kl.data.from_arrays(X, Y, seed=0)  # 40 rows to train on, 10 to validate
NET = nn.Chain(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))
# The same sums in another order, over some dozens of updates in float32.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
# Compiles of the program in this process, whether or not the result came from the disk.
COMPILED: list[str] = []


def _note(event: str, seconds: float, **told: object) -> None:
    if event.endswith("backend_compile_duration") and "run_epochs" in str(told.get("fun_name")):
        COMPILED.append(event)


jax.monitoring.register_event_duration_secs_listener(_note)


def recipe(lr=0.05, patience=50, epochs=6, rate=0.2):
    net = NET.put("layers[3].rate", rate)
    optimizer, stopping = optim.SGD(optim.Cosine(lr), momentum=0.9), kl.EarlyStopping(patience)
    return kl.Recipe(
        net, losses.SoftmaxCrossEntropy(), optimizer=optimizer, epochs=epochs, batch_size=16, stopping=stopping
    )


# Of all fates: to the end of few and of many epochs, stopped early, diverged at once.
RECIPES = [
    recipe(),
    recipe(0.1, epochs=3),
    recipe(1e30),
    recipe(0.2, patience=1, epochs=8),
    recipe(0.02, epochs=1, rate=0.0),
    recipe(0.03, epochs=8),
    recipe(0.04, epochs=0),
]
SEEDS = (0, 3)


def fleet(recipes, seeds=SEEDS, data=DATA):
    return kl.train_fleet(recipes, data, seeds=seeds, progress=False)


@pytest.fixture(scope="module")
def solos():
    return [kl.train(each, DATA, seed=seed, progress=False) for each in RECIPES for seed in SEEDS]


def assert_same_run(a, b):
    """Equal decisions; equal within rounding, but for the weights of what diverged."""
    assert (a.recipe, a.seed, a.outcome, a.epoch) == (b.recipe, b.seed, b.outcome, b.epoch)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **CLOSE), a.history, b.history)
    if a.outcome is not kl.Outcome.DIVERGED:
        np.testing.assert_allclose(a.score, b.score, **CLOSE)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **CLOSE), (a.params, a.state), (b.params, b.state))


def assert_all_same(runs, solos):
    assert len(runs) == len(solos)
    for run, solo in zip(runs, solos, strict=True):
        assert_same_run(run, solo)


def test_the_members_have_all_fates(solos):
    fates = {run.outcome for run in solos}
    assert fates == {kl.Outcome.FINISHED, kl.Outcome.STOPPED_EARLY, kl.Outcome.DIVERGED}
    assert {len(run.history["loss"]) for run in solos} >= {0, 1, 3, 6, 8}


def test_a_schedule_left_open_spans_the_epochs_of_its_member(solos):
    for run in solos:
        if run.outcome is kl.Outcome.FINISHED and run.recipe.epochs:
            steps = 3 * run.recipe.epochs
            expected = run.recipe.optimizer.lr.lr * 0.5 * (1 + np.cos(np.pi * (steps - 1) / steps))
            np.testing.assert_allclose(run.history["lr"][-1], expected, rtol=1e-4)


def test_recipes_that_differ_in_epochs_share_a_program(solos):
    before = len(COMPILED)
    assert_all_same(fleet(RECIPES), solos)
    assert len(COMPILED) == before + 1  # compiled ahead of the call, and not again by it
    other = [each.put("optimizer.lr.lr", 0.07).put("stopping.patience", 3) for each in RECIPES]
    fleet(other, (5, 6))
    assert len(COMPILED) == before + 1


@pytest.mark.parametrize("width", [1, 2, 3])
def test_in_stacks_of_any_width(solos, monkeypatch, width):
    monkeypatch.setattr(plan, "width_for", lambda cost: width)
    assert_all_same(fleet(RECIPES), solos)


def test_on_one_device(solos, monkeypatch):
    monkeypatch.setattr(layout.jax, "local_device_count", lambda: 1)
    assert_all_same(fleet(RECIPES), solos)


def test_more_devices_are_used_where_there_are_any():
    if jax.local_device_count() > 1:
        assert layout.arrange(8, 32).devices > 1
    assert layout.arrange(9, 4, devices=2) == layout.Layout(2, 3)  # two stacks of six rather than of eight and one


def test_in_another_place_and_company(solos):
    runs = fleet(RECIPES[::-1], (3,))
    assert_all_same(runs, [solos[2 * place + 1] for place in reversed(range(len(RECIPES)))])
    assert_all_same(fleet(RECIPES[3:6]), solos[6:12])


def test_those_that_are_left_move_to_smaller_stacks(solos, monkeypatch):
    sizes = []
    gather = regrouping.gather

    def noted(fleet, running, smaller):
        sizes.append((len(running), smaller.size))
        return gather(fleet, running, smaller)

    monkeypatch.setattr(regrouping, "gather", noted)
    monkeypatch.setattr(regrouping, "_PAYS", 0.0)  # always compile
    monkeypatch.setattr(engine, "_LOOK", 1e-9)  # look after every epoch
    assert_all_same(fleet(RECIPES), solos)
    assert len(sizes) > 1
    assert all(size < 14 for running, size in sizes if running)


def test_members_that_ended_leave_room_in_the_stacks_of_others(solos, monkeypatch):
    stacks = []
    chunk = engine.Fleet._chunk

    def noted(self, mesh, first, count):
        stacks.append(len(self.stacks))
        return chunk(self, mesh, first, count)

    monkeypatch.setattr(engine.Fleet, "_chunk", noted)
    monkeypatch.setattr(plan, "width_for", lambda cost: 1)
    monkeypatch.setattr(engine, "_LOOK", 1e-9)
    monkeypatch.setattr(regrouping, "_PAYS", np.inf)  # never compile
    assert_all_same(fleet(RECIPES), solos)
    assert stacks[-1] < max(stacks)


def test_in_turns_where_memory_is_short(solos, monkeypatch):
    whole = kl.plan(RECIPES, DATA, seeds=SEEDS).groups[0]
    monkeypatch.setattr(plan, "width_for", lambda cost: 1)
    monkeypatch.setattr(plan, "free_memory", lambda: int((whole.rows * 2 + 4 * whole.cost.all) / 0.8))
    assert kl.plan(RECIPES, DATA, seeds=SEEDS).groups[0].together < len(solos)
    assert_all_same(fleet(RECIPES), solos)


def test_groups_of_other_structure_compile_beside_each_other(solos):
    other = kl.Recipe(
        nn.Chain(nn.Dense(5), nn.Dense(3)), losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(), epochs=2
    )
    runs = fleet([RECIPES[0], other, RECIPES[1]], (0,))
    assert_same_run(runs[0], solos[0])
    assert_same_run(runs[1], kl.train(other, DATA, progress=False))
    assert_same_run(runs[2], solos[2])


def test_other_numbers_of_members_in_full_stacks_need_no_compile(monkeypatch):
    monkeypatch.setattr(plan, "width_for", lambda cost: 2)
    fleet(RECIPES[:2])
    before = held()
    fleet(RECIPES[2:6])
    assert held() == before


def test_a_network_that_memory_cannot_hold_is_refused(monkeypatch):
    monkeypatch.setattr(plan, "free_memory", lambda: 1000)
    with pytest.raises(InputError, match=r"one member needs .* KiB of memory .* but 800 B can be used"):
        fleet(RECIPES)


def test_the_plan_counts_the_bytes_that_a_run_has(solos):
    cost = kl.plan(RECIPES[:1], DATA).groups[0].cost
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves((solos[0].params, solos[0].state)))
    kernels = sum(leaf.nbytes for leaf in jax.tree.leaves(solos[0].params))
    assert (cost.weights, cost.best, cost.gradient, cost.moments) == (weights, weights, kernels, kernels)
    # At least the inputs, what follows the first layer, and what follows the norm, of 16 rows.
    assert cost.activations >= 16 * (4 + 8 + 8) * 4
    wider = kl.plan([RECIPES[0].put("net.layers[0].units", 80)], DATA).groups[0].cost
    assert wider.all > 5 * cost.all


def test_what_a_program_takes_beside_its_members_is_in_the_plan(monkeypatch):
    programs = []
    monkeypatch.setattr(engine, "made", lambda lowered: programs.append(lowered.compile()))
    fleet([recipe(lr) for lr in np.linspace(0.01, 0.1, 16)], (0,))
    group = kl.plan([recipe()] * 16, DATA).groups[0]
    training = next(each for each in programs if "run_epochs" in each.as_text().partition(",")[0])
    epochs = training.memory_analysis()  # of one device, as XLA tells
    assert epochs.temp_size_in_bytes <= 1.2 * group.layout.width * group.cost.working
    assert epochs.output_size_in_bytes == pytest.approx(group.layout.width * group.cost.kept, rel=0.2)


def test_the_plan_covers_what_stays_on_the_host(monkeypatch):
    fleet([recipe()], (0,))
    held, run = [], engine.Fleet.run

    def traced(self, progress, stop):
        tracemalloc.start()
        runs = run(self, progress, stop)
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        return runs

    monkeypatch.setattr(engine.Fleet, "run", traced)
    for count in (64, 192):
        fleet([recipe()], range(count))
    cost = kl.plan([recipe()], DATA).groups[0].cost
    each = (held[1] - held[0]) / 128
    assert cost.weights * 3 < each <= 1.2 * cost.host


def test_a_run_holds_on_to_itself_alone(solos):
    run = fleet(RECIPES[:1])[1]
    arrays = jax.tree.leaves((run.params, run.state, run.history))
    assert all(array.base is None for array in arrays)
    assert sum(array.nbytes for array in arrays) < kl.plan(RECIPES[:1], DATA).groups[0].cost.host


def test_a_plan_prints_what_will_happen(solos):
    fleet(RECIPES[:2])
    told = kl.plan(RECIPES[:2], DATA, seeds=SEEDS)
    assert told.members == 4
    assert told.seconds is not None
    assert told.seconds > 0
    assert "4 networks, 1 program" in repr(told)
    assert "4 members: 1 stack of" in repr(told)
    longer = kl.plan([RECIPES[0].put("net.layers[0].units", 9)], DATA)
    assert longer.seconds is None
    assert "not known" in repr(longer)


def test_the_table_of_runs(solos):
    table = kl.train_fleet(RECIPES[:2], DATA, seeds=SEEDS, progress=False).frame()
    assert table[["recipe", "seed"]].to_numpy().tolist() == [[0, 0], [0, 3], [1, 0], [1, 3]]
    assert table["epochs"].tolist() == [6, 6, 3, 3]
    np.testing.assert_allclose(table["score"], [run.score for run in solos[:4]], **CLOSE)
    assert table["optimizer.lr.lr"].tolist() == [0.05, 0.05, 0.1, 0.1]
    assert list(table.columns[6:]) == ["recipe.epochs", "optimizer.lr.lr"]


def test_of_equal_scores_the_epoch_of_lower_loss_is_kept(solos):
    ties = 0
    for run in solos:
        if run.outcome is kl.Outcome.DIVERGED or not run.epoch:
            continue
        score, loss = run.history["val_accuracy"], run.history["val_loss"]
        equal = np.isclose(score, score.max(), rtol=1e-6)
        ties += equal.sum() > 1 and loss[equal].argmin() > 0
        assert loss[run.epoch - 1] == loss[equal].min()
    assert ties  # where the first of equals is the best, keeping the first would do
