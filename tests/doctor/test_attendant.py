"""The attendant: what it sees on its way is what a training that pauses there would tell."""

from dataclasses import replace

import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.doctor.courses import chance_score, course_of
from kilter.doctor.glimpse import glimpse_of
from kilter.train import launch
from kilter.train.interrupt import interruptible
from kilter.train.outcome import Outcome
from kilter.train.task import Task

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(900, 4)).astype(np.float32)
RARE = (X[:, 0] + X[:, 1] > 1.6).astype(int)
SUM = X[:, 0] + X[:, 1] * X[:, 2]
NET = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dropout(0.1), nn.Dense(2))
CLASSES = kl.Recipe(NET, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), epochs=11)
NUMBERS = CLASSES.replace(
    net=nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(1)), loss=losses.SquaredError(), targets=kl.data.Standardize()
)
CASES = {
    "classes": (CLASSES, kl.data.from_arrays(X, RARE, seed=0)),
    "all rows train": (CLASSES, kl.data.from_arrays(X, RARE, validation=0)),
    "numbers": (NUMBERS, kl.data.from_arrays(X, SUM, seed=0)),
    "few rows": (CLASSES, kl.data.from_arrays(X[:60], RARE[:60] | (X[:60, 3] > 1), seed=0)),
}


def run(task):
    ((_, fleet),) = launch.fleets(task)
    with interruptible() as stop:
        (found,) = fleet.run(False, stop)
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_glimpse_is_the_course_of_a_training_that_pauses_there(case):
    recipe, data = CASES[case]
    seen = {}

    def look(fleet):
        seen[fleet.done] = glimpse_of(fleet, chance_score(recipe, data)), fleet.asked
        return False

    whole = run(Task([(recipe, 0)], data, visitor=look))
    assert list(seen) == [1, 2, 4, 8]
    assert whole.outcome is Outcome.FINISHED
    glimpse, asked = seen[4]
    last = recipe.replace(epochs=4)
    some = replace(data, train=data.train.take(asked), validation=None)
    own = kl.train(last, replace(data, validation=None), progress=False)
    known = own.measured(some).score
    assert glimpse.train_score == pytest.approx([known], rel=1e-5)
    course = course_of([run(Task([(recipe, 0)], data, until=4))], data, whole=False)
    assert glimpse.history.keys() == course.history.keys()
    for name, line in course.history.items():
        np.testing.assert_array_equal(glimpse.history[name], line)
    assert glimpse.chance == course.chance
    if data.validation is not None:
        assert glimpse.score == pytest.approx(course.score, rel=1e-5)
        assert glimpse.last == pytest.approx(course.last, rel=1e-5)
    assert glimpse.recall.shape == course.recall.shape


def test_who_visits_may_end_a_training():
    recipe, data = CASES["classes"]
    ended = run(Task([(recipe, 0)], data, visitor=lambda fleet: fleet.done == 4))
    assert ended.outcome is Outcome.PAUSED
    assert len(ended.history["loss"]) == 4
