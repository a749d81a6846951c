"""The hash behind dropout masks against what independent draws must show, each within a stated standard error."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from kilter.core.errors import InputError
from kilter.nn import masks

SIZE = 1 << 17
RATES = (0.001, 0.01, 0.1, 0.25, 0.3, 0.5, 0.75, 0.9, 0.99)
LAGS = (1, 2, 3, 4, 7, 8, 16, 31, 32, 64, 128, 256, 1024, 4096)
STEPS = 64
BASE = jax.random.key(0)


def raw(*words):
    """A key from its two words, as near to another as one likes."""
    return jax.random.wrap_key_data(jnp.array(words, jnp.uint32))


def sequence(parts):
    """Keys by name: consecutive steps, layers of consecutive steps, members, and keys that differ in one bit."""
    if parts == "steps":
        return jax.vmap(lambda step: jax.random.fold_in(BASE, step))(jnp.arange(STEPS))
    if parts == "members":
        return jax.vmap(jax.random.key)(jnp.arange(STEPS))
    if parts == "layers":
        return jax.vmap(lambda i: jax.random.fold_in(jax.random.fold_in(BASE, i // 8), i % 8))(jnp.arange(STEPS))
    if parts == "bits":
        flips = np.array([[1 << (i % 32) if i // 32 == word else 0 for word in range(2)] for i in range(STEPS)])
        return jax.random.wrap_key_data(jnp.asarray(flips.astype(np.uint32)))
    first = parts == "first words"
    return jax.random.wrap_key_data(
        jnp.stack([jnp.arange(STEPS) * first, jnp.arange(STEPS) * (not first)], 1).astype("uint32")
    )


FAMILIES = ("steps", "members", "layers", "bits", "first words", "second words")
draw = jax.jit(masks.keep, static_argnums=2)
draw_many = jax.jit(jax.vmap(masks.keep, (0, None, None)), static_argnums=2)


def dropped(key, rate, size=SIZE):
    return ~np.asarray(draw(key, rate, (size,)))


def signs(mask):
    """Masks of rate one half as -1 and 1."""
    return np.where(mask, 1.0, -1.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_frequency_within_four_standard_errors(family):
    keys = sequence(family)
    for index, rate in enumerate(RATES):
        share = dropped(keys[index], rate).mean()
        assert abs(share - rate) < 4 * math.sqrt(rate * (1 - rate) / SIZE), (rate, share)


@pytest.mark.parametrize("family", FAMILIES)
def test_frequencies_over_many_keys_are_binomial(family):
    """Neither more nor less spread over keys than independent draws: chi-square of the standardized counts."""
    size = 4096
    for rate in (0.1, 0.5):
        counts = (~np.asarray(draw_many(sequence(family), rate, (size,)))).sum(1)
        z = (counts - size * rate) / math.sqrt(size * rate * (1 - rate))
        # 4 standard errors of a normal approximation, as a two-sided probability.
        assert 3e-5 < stats.chi2.cdf((z**2).sum(), STEPS) < 1 - 3e-5


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_serial_correlation_within_four_standard_errors(rate):
    drawn = (dropped(BASE, rate) - rate) / math.sqrt(rate * (1 - rate))
    for lag in LAGS:
        correlation = (drawn[lag:] * drawn[:-lag]).mean()
        assert abs(correlation) < 4 / math.sqrt(SIZE - lag), (lag, correlation)


@pytest.mark.parametrize("family", FAMILIES)
def test_masks_of_near_keys_are_independent(family):
    """All pairs of 64 keys, also shifted against each other, as a hash of index plus key would show."""
    size = 1 << 14
    drawn = signs(np.asarray(draw_many(sequence(family), 0.5, (size,))))
    pairs = STEPS * (STEPS - 1) // 2
    # The largest of all pairs: the level that one pair in 1e4 tests like this one exceeds, by Bonferroni.
    level = stats.norm.isf(1e-4 / pairs / 2)
    for shift in (0, 1, 2, 8, 64):
        moved = np.roll(drawn, shift, 1)
        z = drawn @ moved.T / math.sqrt(size)
        z = z[~np.eye(STEPS, dtype=bool)]
        assert np.abs(z).max() < level
        # And their spread is one: the variance of n squares has standard error sqrt(2 / n); pairs come twice.
        assert abs((z**2).mean() - 1) < 4 * math.sqrt(2 / pairs)


@pytest.mark.parametrize("gap", [1, 3, 32, 1000])
def test_patterns_of_four_are_uniform(gap):
    """Chi-square of 4-bit patterns of elements ``gap`` apart, non-overlapping, on 15 degrees of freedom."""
    bits = dropped(raw(1, 2), 0.5).astype(int)
    usable = bits[: SIZE // (4 * gap) * 4 * gap].reshape(-1, 4, gap)
    patterns = (usable * np.array([1, 2, 4, 8])[:, None]).sum(1).ravel()
    counts = np.bincount(patterns, minlength=16)
    assert 3e-5 < stats.chisquare(counts).pvalue < 1 - 3e-5


def test_pairs_of_elements_and_steps_are_uniform():
    """Chi-square of the pair (this step's mask, the next step's) over steps and elements, at an uneven rate."""
    drawn = ~np.asarray(draw_many(sequence("steps"), 0.3, (1 << 13,)))
    both = drawn[0::2] * 2 + drawn[1::2]
    counts = np.bincount(both.ravel(), minlength=4)
    expected = np.array([0.49, 0.21, 0.21, 0.09]) * both.size
    assert 3e-5 < stats.chisquare(counts, expected).pvalue < 1 - 3e-5


@pytest.mark.parametrize("bit", range(17))
def test_no_position_in_the_index_matters(bit):
    """Elements whose index has a bit set are dropped as often as the others."""
    index = np.arange(SIZE)
    drawn = dropped(raw(3, 4), 0.5)
    chosen = drawn[(index >> bit) & 1 == 1]
    assert abs(chosen.mean() - 0.5) < 4 * 0.5 / math.sqrt(len(chosen))


def test_every_bit_of_the_hash_is_even():
    """Halving the rate again and again looks at one bit of the hash after the other, from the highest."""
    nested = np.stack([np.asarray(draw(BASE, 2.0**-power, (SIZE,))) for power in range(1, 13)])
    for power, (upper, lower) in enumerate(itertools.pairwise(nested), 1):
        inside = ~upper
        assert (upper <= lower).all()  # a smaller rate drops a subset: one hash, another limit
        error = 0.5 / math.sqrt(inside.sum())
        assert abs((~lower)[inside].mean() - 0.5) < 4 * error, power


def test_one_bit_of_the_key_flips_half_of_the_mask():
    keys = sequence("bits")
    drawn = np.asarray(draw_many(keys, 0.5, (SIZE // 8,)))
    flipped = (drawn != np.asarray(draw(raw(0, 0), 0.5, (SIZE // 8,)))).mean(1)
    assert np.abs(flipped - 0.5).max() < stats.norm.isf(1e-4 / STEPS / 2) * 0.5 / math.sqrt(SIZE // 8)


def test_the_mixer_is_a_bijection_that_avalanches():
    """Every input bit flips every output bit in about half of the cases; equal outputs only from equal inputs."""
    inputs = np.random.default_rng(0).integers(0, 2**32, 1 << 14, dtype=np.uint32)
    out = np.asarray(masks._mix(jnp.asarray(inputs)))
    assert len(np.unique(out)) == len(np.unique(inputs))
    for bit in range(32):
        changed = out ^ np.asarray(masks._mix(jnp.asarray(inputs ^ np.uint32(1 << bit))))
        rates = ((changed[:, None] >> np.arange(32, dtype=np.uint32)) & 1).mean(0)
        # lowbias32 is biased by about 0.17 parts in a thousand on average; 0.02 is 5 standard errors of this sample.
        assert np.abs(rates - 0.5).max() < 0.02


CORNERS = [((5,), (9,)), ((3, 4), (7, 11)), ((4, 1), (4, 6)), ((1, 3, 2), (8, 3, 5)), ((2, 3, 4, 1), (2, 4, 7, 3))]


@pytest.mark.parametrize(("small", "large"), CORNERS)
def test_a_smaller_mask_is_the_corner_of_a_larger_one(small, large):
    inside = tuple(slice(size) for size in small)
    np.testing.assert_array_equal(masks.keep(BASE, 0.4, small), np.asarray(masks.keep(BASE, 0.4, large))[inside])


def test_shapes_and_types():
    assert masks.keep(BASE, 0.4, ()).shape == ()
    assert masks.keep(BASE, 0.4, (0, 3)).shape == (0, 3)
    assert masks.keep(BASE, 0.4, (2, 3)).dtype == bool


SHAPES = [(512, 256), (1 << 16, 2), (2, 1 << 16), (32, 64, 64), (64, 8, 8, 32)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_lines_are_independent_of_each_other(shape):
    """Neighbors along each axis, diagonals, and lines shifted against each other, each within four standard errors."""
    drawn = signs(np.asarray(draw(BASE, 0.5, shape)))
    for lags in itertools.product((0, 1, 2), repeat=len(shape)):
        ahead = drawn[tuple(slice(lag, None) for lag in lags)]
        behind = drawn[tuple(slice(size - lag) for size, lag in zip(shape, lags, strict=True))]
        if any(lags) and ahead.size:
            # The largest of up to 80 means: the level that one in 1e4 tests exceeds, by Bonferroni.
            level = stats.norm.isf(1e-4 / 3 ** len(shape) / 2)
            assert abs((ahead * behind).mean()) < level / math.sqrt(ahead.size), lags


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_sums_along_every_axis_are_binomial(shape, rate):
    """Neither more nor less spread over lines than independent draws: chi-square of the standardized counts."""
    drawn = ~np.asarray(draw(raw(7, 8), rate, shape))
    for axis, size in enumerate(shape):
        if drawn.size // size < 64:
            continue  # too few sums for the normal approximation below
        z = (drawn.sum(axis) - size * rate) / math.sqrt(size * rate * (1 - rate))
        # A binomial's squared z has variance 2 + (1 - 6 rate (1 - rate)) / (size rate (1 - rate)).
        spread = 2 + (1 - 6 * rate * (1 - rate)) / (size * rate * (1 - rate))
        assert abs((z**2).mean() - 1) < 4 * math.sqrt(spread / z.size), axis


def test_no_two_lines_are_alike_even_shifted():
    """All pairs of 512 lines of 256 against each other, rolled too, as overlapping counters would show."""
    drawn = signs(np.asarray(draw(raw(5, 6), 0.5, (512, 256))))
    pairs = 512 * 511 // 2
    for shift in (0, 1, 2, 8, 64):
        z = (drawn @ np.roll(drawn, shift, 1).T / 16)[~np.eye(512, dtype=bool)]
        # Sums of 256 signs have lighter tails than the normal, so its level holds: one in 1e4 tests, by Bonferroni.
        assert np.abs(z).max() < stats.norm.isf(1e-4 / (2 * pairs) / 2)
        assert abs((z**2).mean() - 1) < 4 * math.sqrt(2 / pairs)


def test_the_same_key_gives_the_same_mask_everywhere():
    eager = masks.keep(BASE, 0.3, (40, 5))
    np.testing.assert_array_equal(eager, draw(BASE, 0.3, (40, 5)))
    np.testing.assert_array_equal(eager, draw(BASE, jnp.float32(0.3), (40, 5)))
    keys = sequence("steps")
    many = draw_many(keys, 0.3, (40, 5))
    for index in (0, 1, 63):
        np.testing.assert_array_equal(many[index], masks.keep(keys[index], 0.3, (40, 5)))
    _, scanned = jax.lax.scan(lambda carry, key: (carry, masks.keep(key, 0.3, (40, 5))), 0, keys)
    np.testing.assert_array_equal(scanned, many)


def test_the_ends_of_rates():
    assert np.asarray(masks.keep(BASE, 0.0, (SIZE,))).all()
    highest = np.float32(1) - np.float32(2**-24)
    assert not np.asarray(masks.keep(BASE, highest, (1000,))).any()


@pytest.mark.parametrize("kind", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_any_kind_of_key(kind):
    drawn = ~np.asarray(masks.keep(jax.random.key(5, impl=kind), 0.2, (SIZE,)))
    assert abs(drawn.mean() - 0.2) < 4 * math.sqrt(0.16 / SIZE)


def quotients(numerator, denominator):
    """Of the continued fraction."""
    while denominator:
        yield numerator // denominator
        numerator, denominator = denominator, numerator % denominator


def test_rows_share_no_index():
    """Rows d apart are at least 2^32 / ((q + 2) d) indices apart, q the largest quotient (Khinchin, theorem 13)."""
    assert max(quotients(2**32, masks._ROW)) <= 3
    gap = np.arange(1, 1 << 20, dtype=np.uint64)
    apart = gap * np.uint64(masks._ROW) % np.uint64(2**32)
    assert (gap * np.minimum(apart, np.uint64(2**32) - apart)).min() >= 2**32 / 5 > 2**29


def test_more_than_the_counter_counts_is_refused():
    for shape in ((1 << 16, (1 << 16) + 1), (2**32 + 1, 1, 1)):
        with pytest.raises(InputError, match=r"at most 2\*\*32"):
            masks.keep(BASE, 0.5, shape)
    abstract = jax.eval_shape(lambda key: masks.keep(key, 0.5, (4, 1 << 16, 1 << 15)), BASE)
    assert abstract.shape == (4, 1 << 16, 1 << 15)
