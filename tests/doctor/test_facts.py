"""What the rows are like, and that what is known of them is not stale."""

import gc

import numpy as np
import pytest

import kilter as kl
from kilter.doctor import facts
from kilter.doctor.facts import Facts
from kilter.train.rows import Scaling

DRAW = np.random.default_rng(0)


def dataset(rows=500, columns=3, scale=1.0):
    x = (scale * DRAW.normal(2.0, 3.0, (rows, columns))).astype(np.float32)
    return kl.data.from_arrays(x, DRAW.integers(0, 3, rows), validation=0.2)


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e30])
@pytest.mark.parametrize("rows", [5, 500, 70_000])
def test_moments_are_those_of_float64(scale, rows):
    data = kl.data.from_arrays((scale * DRAW.normal(2.0, 3.0, (rows, 3))).astype(np.float32), np.arange(rows) % 3)
    found, x = Facts.of(data), data.train.x.astype(np.float64)
    assert found.center == pytest.approx(x.mean(0), rel=1e-9)
    assert found.spread == pytest.approx(x.std(0), rel=1e-9)
    assert found.size == pytest.approx(np.sqrt(np.square(x).mean()), rel=1e-9)


def test_what_is_not_finite_is_counted_and_left_out():
    data = dataset()
    data.train.x[0] = np.nan
    data.train.x[1, 0] = np.inf
    found = Facts.of(data)
    assert found.finite == pytest.approx(1 - 4 / data.train.x.size)
    assert np.isfinite(found.center).all()


def test_quartiles_of_many_rows_are_near_those_of_all():
    x = np.sort(DRAW.normal(size=(50_000, 1)).astype(np.float32), axis=0)  # sorted: some must be evenly spread
    x[123] = 40.0
    data = kl.data.from_arrays(x, np.arange(50_000) % 2, validation=0)
    low, middle, high = np.quantile(x, (0.25, 0.5, 0.75))
    assert Facts.of(data).farthest[0] == pytest.approx((40.0 - middle) / (high - low), rel=0.05)


def test_a_dataset_is_looked_at_once(monkeypatch):
    data, looks = dataset(), []
    real = facts._farthest
    monkeypatch.setattr(facts, "_farthest", lambda columns: (looks.append(1), real(columns))[1])
    assert Facts.of(data) is Facts.of(data)
    assert len(looks) == 1
    scaled = Scaling.fit(kl.data.Standardize(), data.train.x, None)
    assert Facts.of(data, scaled).spread == pytest.approx(np.ones(3), rel=1e-3)
    assert len(looks) == 2


@pytest.mark.parametrize("name", ["train", "validation"])
@pytest.mark.parametrize("what", ["x", "y"])
def test_rows_that_were_changed_in_place_are_looked_at_again(name, what):
    data = dataset()
    before = Facts.of(data)
    rows = getattr(getattr(data, name), what)
    rows[: len(rows) // 2] = 1
    assert Facts.of(data) is not before


def test_a_dataset_that_is_gone_leaves_nothing():
    gc.collect()
    others = set(facts._known)
    data = dataset()
    Facts.of(data)
    (own,) = set(facts._known) - others
    del data
    gc.collect()
    assert own not in facts._known
