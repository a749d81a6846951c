"""Keys that hash in one go draw what JAX's own keys draw."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kilter.core.keys import named
from kilter.core.threefry import quick, words

DRAWS = {
    "bits": lambda key: jax.random.bits(key, (3, 5)),
    "one word": lambda key: jax.random.bits(key, (), "uint16"),
    "bytes": lambda key: jax.random.bits(key, (7,), "uint8"),
    "nothing": lambda key: jax.random.uniform(key, (0, 4)),
    "normal": lambda key: jax.random.normal(key, (5, 3)),
    "beta": lambda key: jax.random.beta(key, 0.3, 0.3, (4,)),
    "permutation": lambda key: jax.random.permutation(key, 10),
    "split": lambda key: jax.random.key_data(jax.random.split(key, (2, 3))),
    "fold_in": lambda key: jax.random.key_data(jax.random.fold_in(key, 7)),
    "clone": lambda key: jax.random.key_data(jax.random.clone(key)),
    "members": lambda key: jax.vmap(lambda key: jax.random.normal(key, (3,)))(jax.random.split(key, 4)),
    "shared": lambda key: jax.vmap(lambda count: jax.random.bits(jax.random.fold_in(key, count)))(jnp.arange(5)),
    "in a loop": lambda key: jax.lax.fori_loop(0, 9, lambda i, x: x + jax.random.bits(jax.random.fold_in(key, i)), 0),
}


class TestQuick:
    @pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1])
    @pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
    def test_it_draws_what_jax_draws(self, draw, seed):
        key = jax.random.key(seed)
        ours, theirs = (jax.jit(draw)(each) for each in (quick(key), key))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6 if ours.dtype == np.float32 else 0)  # what follows may round

    def test_numbers_of_64_bits_too(self):
        with jax.enable_x64(True):
            key = jax.random.key(3)
            np.testing.assert_array_equal(
                jax.random.bits(quick(key), (4,), "uint64"), jax.random.bits(key, (4,), "uint64")
            )
            ours, theirs = (jax.random.normal(each, (4,), "float64") for each in (quick(key), key))
        np.testing.assert_array_equal(ours, theirs)

    def test_arrays_too_long_for_32_bits_are_drawn_as_well(self):
        def in_a_loop(rows):
            """Whether JAX's own hash draws so many rows: nothing is computed."""
            draw = jax.jit(lambda key: jax.random.bits(key, (rows, 2**16), "uint8"))
            return "stablehlo.while" in draw.lower(quick(jax.random.key(0))).as_text()

        assert (in_a_loop(2**16 - 1), in_a_loop(2**16)) == (False, True)

    @pytest.mark.parametrize("key", [jax.random.key(5, impl="rbg"), jax.random.PRNGKey(5)], ids=["rbg", "bare words"])
    def test_other_keys_stay_as_they_are(self, key):
        assert quick(key) is key

    def test_once_is_enough(self):
        key = quick(jax.random.key(0))
        assert quick(key) is key


def test_words_are_the_first_of_keys_folded():
    keys, counts = jax.random.split(quick(jax.random.key(1)), 3), jnp.arange(4, dtype=jnp.uint32)
    folded = jax.vmap(lambda count: jax.vmap(lambda key: jax.random.fold_in(key, count))(keys))(counts)
    np.testing.assert_array_equal(words(keys, counts), jax.random.key_data(folded)[..., 0])


def test_keys_of_parts_are_quick():
    found = named(jax.random.key(4), "kernel")
    assert quick(found) is found
    theirs = jax.random.fold_in(jax.random.key(4), zlib.crc32(b"kernel"))
    np.testing.assert_array_equal(jax.random.key_data(found), jax.random.key_data(theirs))
