"""Augmentations: what they promise of one batch, and what becomes of them in training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kilter as kl
from kilter import data, losses, nn, optim
from kilter.core.errors import InputError

KEY = jax.random.key(0)
PICTURES = jnp.asarray(np.random.default_rng(0).normal(size=(64, 8, 6, 2)).astype(np.float32))
ALL = [
    data.Shift(2),
    data.Flip(),
    data.Crop(),
    data.Cutout(3),
    data.Mixup(),
    data.Noise(),
    data.Augmentations(data.Flip(), data.Mixup()),
]


def apply(augmentation, x, key=KEY):
    return jax.jit(lambda key: augmentation.apply(key, x))(key)


def test_all_are_listed():
    assert {type(each) for each in ALL} - {data.Augmentations} == set(data.AUGMENTATIONS)


@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_every_augmentation(augmentation):
    x, _ = apply(augmentation, PICTURES)
    again, _ = apply(augmentation, PICTURES)
    other, _ = apply(augmentation, PICTURES, jax.random.key(1))
    assert x.shape == PICTURES.shape
    assert x.dtype == PICTURES.dtype
    assert bool(jnp.isfinite(x).all())
    np.testing.assert_array_equal(x, again)
    assert (x != other).any()
    assert type(augmentation).from_json(augmentation.to_json()) == augmentation
    augmentation.check((8, 6, 2))


@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_those_that_mix_say_so_and_the_others_look_at_no_other_row(augmentation):
    steps = getattr(augmentation, "steps", (augmentation,))
    x, mix = apply(augmentation, PICTURES)
    assert (mix is not None) == any(step.mixes for step in steps)
    if mix is None:
        np.testing.assert_allclose(apply(augmentation, PICTURES[:7])[0], x[:7], rtol=1e-6)


@pytest.mark.parametrize("border", ["zeros", "edge", "wrap"])
def test_a_shift_is_one_of_all_shifts_and_all_occur(border):
    x = np.asarray(PICTURES)
    mode = {"zeros": "constant", "edge": "edge", "wrap": "wrap"}[border]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mode)
    shifted = np.asarray(apply(data.Shift(1, border=border), PICTURES)[0])
    seen = set()
    for index, image in enumerate(shifted):
        fits = [(v, h) for v in range(3) for h in range(3) if (padded[index, v : v + 8, h : h + 6] == image).all()]
        assert fits
        seen.update(fits)
    assert len(seen) == 9  # 64 images miss one of nine with a probability of 9 (8/9)^64 = 0.5 %


@pytest.mark.parametrize(("axis", "mirrored"), [("horizontal", np.s_[:, :, ::-1]), ("vertical", np.s_[:, ::-1])])
def test_flips_mirror_the_share_they_say(axis, mirrored):
    many = jnp.tile(PICTURES, (16, 1, 1, 1))
    found = np.asarray(apply(data.Flip(0.3, axis=axis), many)[0])
    flipped = (found == np.asarray(many)[mirrored]).all((1, 2, 3))
    kept = (found == np.asarray(many)).all((1, 2, 3))
    assert (flipped ^ kept).all()
    assert abs(flipped.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / len(many))


def test_a_crop_of_a_ramp_is_a_flatter_ramp_within_its_bounds():
    ramp = jnp.tile(jnp.linspace(0, 1, 32)[:, None, None], (64, 1, 32, 1))
    found = np.asarray(apply(data.Crop(0.25), ramp)[0])[..., 0]
    assert found.min() >= -1e-6
    assert found.max() <= 1 + 1e-6
    rises = np.diff(found[:, 4:-4], axis=1).mean((1, 2)) * 31
    areas = rises * np.diff(np.asarray(apply(data.Crop(0.25), ramp.swapaxes(1, 2))[0])[..., 4:-4, 0]).mean((1, 2)) * 31
    assert 0.2 < areas.min() < 0.4
    assert areas.max() < 1.01


def test_a_crop_of_one_gray_is_that_gray():
    flat = jnp.ones((4, 8, 8, 1)) * 3.0
    np.testing.assert_allclose(apply(data.Crop(0.1), flat)[0], flat, rtol=1e-5)


def test_cutout_leaves_one_hole_of_its_size():
    found = np.asarray(apply(data.Cutout(3), jnp.ones((500, 9, 9, 2)))[0])
    assert set(np.unique(found)) == {0.0, 1.0}
    assert (found[..., 0] == found[..., 1]).all()
    holes = (found[..., 0] == 0).sum((1, 2))
    assert holes.max() == 9
    assert holes.min() >= 4  # the middle lies within the image, at worst in its corner
    share = (found[..., 0] == 0).mean()
    expected = ((3 * 9 - 2) / 9) ** 2 / 81  # each end of an axis cuts off 1 of 3 once in 9
    assert abs(share - expected) < 0.01


def test_mixup_mixes_rows_and_tells_how():
    x, mix = apply(data.Mixup(1.0), PICTURES)
    expected = mix.share * PICTURES + (1 - mix.share) * PICTURES[mix.partner]
    np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.sort(mix.partner), np.arange(64))
    shares = jax.vmap(lambda key: data.Mixup(0.2).apply(key, PICTURES)[1].share)(jax.random.split(KEY, 2000))
    # Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1)).
    variance = 1 / (4 * 1.4)
    assert abs(shares.mean() - 0.5) < 4 * np.sqrt(variance / 2000)
    assert abs(shares.var() - variance) < 0.02


def test_mixed_targets_give_the_mixed_loss():
    mixed = kl.data.augment.Mix(jnp.array([1, 0]), jnp.float32(0.3))
    from kilter.train.step import _losses

    outputs = jnp.array([[2.0, -1.0, 0.0], [0.0, 1.0, 3.0]])
    found = _losses(losses.SoftmaxCrossEntropy(), outputs, jnp.array([0, 2]), mixed)
    log_p = jax.nn.log_softmax(outputs)
    soft = jnp.array([[0.3, 0.0, 0.7], [0.7, 0.0, 0.3]])
    np.testing.assert_allclose(found, -(soft * log_p).sum(-1), rtol=1e-6)


def test_two_mixers_are_refused():
    with pytest.raises(InputError, match="two of these mix rows"):
        data.Augmentations(data.Mixup(), data.Mixup()).apply(KEY, PICTURES)


@pytest.mark.parametrize("augmentation", [data.Flip(), data.Shift(), data.Augmentations(data.Crop())], ids=repr)
def test_images_are_asked_for(augmentation, iris, small_recipe):
    with pytest.raises(InputError, match=r"^augment kl.data.* needs images of shape"):
        kl.train(small_recipe.replace(augment=augmentation), iris, progress=False)
    with pytest.raises(InputError, match="pixels must be below the side"):
        data.Shift(6).check((8, 6, 1))


def test_shifts_help_where_digits_are_shifted():
    """Trained on 200 centered digits, judged on shifted ones: augmentation must win by a wide margin."""
    digits = kl.data.digits(images=True)
    draw = np.random.default_rng(0)

    def shifted(x):
        rolls = draw.integers(-2, 3, (len(x), 2))
        padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
        return np.stack([image[v + 2 : v + 10, h + 2 : h + 10] for image, (v, h) in zip(padded, rolls, strict=True)])

    held = (shifted(digits.validation.x), digits.validation.y)
    sets = kl.data.from_arrays(digits.train.x[:200], digits.train.y[:200], validation=held)
    net = nn.Chain(nn.Flatten(), nn.Dense(128), nn.ReLU(), nn.Dense(10))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(3e-3), batch_size=50, epochs=60)
    plain = kl.train(recipe, sets, progress=False)
    moved = kl.train(recipe.replace(augment=data.Shift(2)), sets, progress=False)
    assert moved.score > plain.score + 0.1, (plain.score, moved.score)


def test_an_augmentation_changes_no_weights_and_no_dropout_of_others(iris, small_recipe):
    still = small_recipe.replace(augment=data.Noise(0.0))
    a, b = (kl.train(recipe, iris, progress=False) for recipe in (small_recipe, still))
    np.testing.assert_array_equal(a.history["loss"], b.history["loss"])
