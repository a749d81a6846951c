"""Every layer through one table: contract, gradients, stacked members, text, refusals, and a training."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core import trees
from kilter.core.errors import InputError
from kilter.core.paths import walk
from kilter.core.values import Value

KEY = jax.random.key(0)
BINS = nn.Bins((-1.0, 0.0, 0.5, 2.0)), nn.Bins((0.0, 1.0)), nn.Bins((-1.0, 1.0, 2.0))

# Layer, shape of an example, a shape that it refuses (None: it takes all).
CASES = {
    "dense": (nn.Dense(4), (3, 5), ()),
    "maxout": (nn.Maxout(4), (5,), ()),
    "scale": (nn.Scale(0.5, shift=True), (3, 5), ()),
    "conv": (nn.Conv(4, 3, stride=2), (6, 5, 3), (5,)),
    "conv, dilated": (nn.Conv(4, 2, stride=2, padding="valid", dilation=3), (6, 2), (3, 2)),
    "transposed": (nn.ConvTranspose(4, 3, stride=2), (3, 4, 2), (5,)),
    "transposed, sequence": (nn.ConvTranspose(2, 4, stride=3, padding=1), (5, 2), (1, 2, 3, 4)),
    "depthwise": (nn.DepthwiseConv(3, 2), (5, 4, 3), (5,)),
    "max": (nn.MaxPool(2), (4, 6, 3), (5,)),
    "average": (nn.AvgPool(2), (4, 6, 3), (5,)),
    "global max": (nn.GlobalMaxPool(), (4, 2, 3), (5,)),
    "global average": (nn.GlobalAvgPool(padding=0.0), (4, 3), (5,)),
    "flatten": (nn.Flatten(), (4, 3), None),
    "chain": (nn.Chain(nn.Dense(4), nn.Tanh(), nn.Dropout(0.3)), (5,), ()),
    "residual": (nn.Residual(nn.Chain(nn.Dense(5), nn.Dropout(0.3))), (5,), ()),
    "select": (nn.Select((0, 2)), (5,), (2,)),
    "select one": (nn.Select(-1), (3, 5), ()),
    "concatenate": (nn.Concatenate(nn.Dense(2), nn.Select((1, 0)), nn.Dropout(0.3)), (5,), ()),
    "one hot": (nn.OneHot(4), (3,), None),
    "embedding": (nn.Embedding(4, 3, padding=1), (3, 2), None),
    "periodic": (nn.PeriodicEmbedding(3), (4,), (4, 2)),
    "periodic, mapped": (nn.PeriodicEmbedding(3, size=2, phase=True, direct=True), (4,), ()),
    "piecewise": (nn.PiecewiseLinearEmbedding(*BINS, size=2, activation=nn.ReLU()), (3,), (2,)),
    "piecewise, shared": (nn.PiecewiseLinearEmbedding(BINS[0], size=2, shared=True), (3,), (2, 2)),
    "attention": (nn.MultiHeadAttention(2, 6, rate=0.3), (5, 4), (4,)),
    "attention, padded": (nn.MultiHeadAttention(2, causal=True, padding=0.0, bias=False), (5, 4), (5, 3)),
    "transformer": (nn.TransformerBlock(2, 8, rate=0.3, padding=0.0), (5, 4), (5, 3)),
    "position": (nn.PositionEmbedding(padding=0.0), (5, 4), (4,)),
    "waves": (nn.PositionEncoding(), (5, 3), (4,)),
}
every = pytest.mark.parametrize("name", list(CASES))
CODES = ("one hot", "embedding")
# Programs that run once: compiled without optimization they are ready in half of the time.
quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def batch(name):
    """Three examples; those of codes have none, all and unknown ones."""
    shape = (3, *CASES[name][1])
    draw = np.random.default_rng(0)
    return (draw.integers(-1, 4, shape) if name in CODES else draw.normal(size=shape)).astype(np.float32)


@functools.cache
def facts(name):
    """All that is asked of a layer, in one compile."""
    layer, shape, _ = CASES[name]

    @quickly
    def measure(x, key):
        params, state = layer.init(key, shape)

        def objective(params, x, key=None):
            y, after = layer.apply(params, state, x, key=key)
            return jnp.sum(jnp.sin(y)), (y, after)

        gradient = jax.grad(objective, (0, 1), has_aux=True)
        calm, (y, after) = gradient(params, x)
        return {
            **{"params": params, "state": state, "y": y, "after": after, "calm": calm},
            "training": gradient(params, x, key),
            "again": objective(params, x, key)[1][0],
            "first": objective(params, x[:1])[1][0],
        }

    return jax.tree.map(np.asarray, measure(batch(name), KEY))


def test_every_layer_is_in_the_table():
    assert {type(layer) for layer, _, _ in CASES.values()} == set(nn.layers.ALL)


@every
def test_contract(name):
    layer, shape, _ = CASES[name]
    found, abstract = facts(name), nn.layer.shapes(layer, shape)
    assert found["y"].shape == (3, *abstract[2])
    assert found["y"].dtype == np.float32
    for ours, promised in zip((found["params"], found["state"]), abstract[:2], strict=True):
        assert jax.tree.map(np.shape, ours) == jax.tree.map(np.shape, promised)
    assert jax.tree.structure(found["after"]) == jax.tree.structure(found["state"])
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(found["params"]))


@every
def test_gradients_are_finite_and_reach_every_parameter(name):
    found = facts(name)
    for grads in (found["calm"], found["training"][0]):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(found["calm"][0]))


@every
def test_no_example_depends_on_another(name):
    found = facts(name)
    np.testing.assert_allclose(found["first"], found["y"][:1], rtol=1e-5, atol=1e-6)


@every
def test_the_same_key_gives_the_same_outputs(name):
    found = facts(name)
    np.testing.assert_array_equal(found["again"], found["training"][1][0])
    draws = any(getattr(value, "rate", None) for _, value in walk(CASES[name][0]))
    assert np.array_equal(found["again"], found["y"]) != draws


@pytest.mark.parametrize("name", [name for name, row in CASES.items() if jax.tree.leaves(row[0])])
def test_stacked_members_equal_a_loop(name):
    layer, shape, _ = CASES[name]
    members = [jax.tree.map(lambda leaf, by=by: leaf * by, layer) for by in (0.5, 1.0, 0.8)]

    @quickly
    def both(stacked, members, x):
        def run(member):
            params, state = member.init(KEY, shape)
            return member.apply(params, state, x, key=KEY)[0]

        return jax.vmap(run)(stacked), [run(member) for member in members]

    together, alone = both(trees.stack(members), members, batch(name))
    for found, expected in zip(together, alone, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@every
def test_json_print_and_hash(name):
    layer = CASES[name][0]
    assert Value.from_json(layer.to_json()) == layer
    assert eval(repr(layer), {"nn": nn}) == layer
    assert len({layer, layer.replace()}) == 1
    assert jax.tree.map(lambda leaf: leaf, layer) == layer


@pytest.mark.parametrize("name", [name for name, row in CASES.items() if row[2] is not None])
def test_wrong_shapes_are_refused_in_one_sentence(name):
    layer, _, wrong = CASES[name]
    with pytest.raises(InputError) as error:
        nn.Chain(layer).init(KEY, wrong)
    assert str(error.value).startswith("layers[0]")
    assert "\n" not in str(error.value)
    assert str(wrong) in str(error.value) or str(wrong[-1]) in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (nn.Concatenate, "at least one layer"),
        (lambda: nn.Concatenate(nn.Dense(2), nn.Select(0)).init(KEY, (3,)), "must have a last axis"),
        (lambda: nn.Embedding(3, 2, padding=3).init(KEY, (4,)), "padding must be below the 3 categories"),
        (lambda: nn.Bins((1.0, 1.0)), "edges must be at least two numbers that ascend"),
        (lambda: nn.Bins((1.0,)), "edges must be at least two numbers that ascend"),
        (nn.PiecewiseLinearEmbedding, "one for all"),
        (lambda: nn.ConvTranspose(2, 3, padding=3).init(KEY, (9, 2)), "padding must be below the window"),
        (lambda: nn.ConvTranspose(2, 3, padding=2).init(KEY, (2, 2)), "leave positions"),
        (lambda: nn.DepthwiseConv(5, padding="valid").init(KEY, (4, 2)), "does not fit"),
        (lambda: nn.Conv(2, dilation=0), r"dilation=0\): dilation must be at least 1"),
        (lambda: nn.Conv(2, dilation=1.5), "dilation must be a whole number"),
        (lambda: nn.Conv(2, dilation=(2, 2)).init(KEY, (9, 2)), "dilation has 2 numbers, the input has 1 spatial axes"),
        (lambda: nn.Conv(2, 3, padding=1, dilation=4).init(KEY, (6, 2)), r"spans \(9,\) does not fit into .* \(6,\)"),
        (lambda: nn.DepthwiseConv(dilation=(1, 0)), "dilation must be at least 1"),
        (lambda: nn.ConvTranspose(2, dilation=-1), "dilation must be at least 1"),
        (lambda: nn.ConvTranspose(2, 2, padding=4, dilation=3).init(KEY, (9, 2)), r"below the window's span \(4,\)"),
        (lambda: nn.MultiHeadAttention(3).init(KEY, (4, 8)), "must divide the width of 8"),
        (lambda: nn.TransformerBlock(2, norm=nn.Flatten()).init(KEY, (4, 8)), "the norm must keep the shape"),
        (lambda: nn.Parametric(nn.Softmax()), "must be element-wise"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_branches_are_matched_to_what_follows():
    net = nn.Chain(nn.Concatenate(nn.Dense(2), nn.PeriodicEmbedding(2, size=2)), nn.ReLU()).followed_by(None)
    dense, waves = net.layers[0].layers
    assert dense.initializer == waves.initializer == nn.initializers.Matched(nn.ReLU())
    inside = nn.PeriodicEmbedding(2, size=2, activation=nn.Tanh()).followed_by(nn.ReLU())
    assert inside.initializer == nn.initializers.Matched(nn.Tanh())


TABLE = nn.Chain(
    nn.Concatenate(
        nn.Chain(nn.Select((0, 1)), nn.Scale(), nn.PeriodicEmbedding(2, size=2, phase=True, direct=True)),
        nn.Chain(nn.Select((0,)), nn.PiecewiseLinearEmbedding(BINS[0])),
        nn.Chain(nn.Select(2), nn.Embedding(3, 2)),
        nn.Chain(nn.Select(2), nn.OneHot(3)),
    ),
    nn.Maxout(6),
    nn.Residual(nn.Chain(nn.Dense(6), nn.Parametric())),
    nn.Dense(2),
)
IMAGES = nn.Chain(
    nn.Conv(4),
    nn.DepthwiseConv(),
    nn.MaxPool(),
    nn.ConvTranspose(3, stride=2),
    nn.AvgPool(),
    nn.Concatenate(nn.GlobalAvgPool(), nn.Flatten()),
    nn.Dense(2),
)
SEQUENCES = nn.Chain(
    nn.Embedding(5, 4, padding=0),
    nn.PositionEncoding(padding=0.0),
    nn.TransformerBlock(2, 8, rate=0.1, padding=0.0),
    nn.PositionEmbedding(padding=0.0),
    nn.Residual(nn.MultiHeadAttention(2, padding=0.0)),
    nn.GlobalMaxPool(padding=0.0),
    nn.Dense(2),
)
DRAW = np.random.default_rng(0)
ROWS = np.column_stack([DRAW.normal(size=(64, 2)), DRAW.integers(0, 3, 64)])
PICTURES = DRAW.normal(size=(64, 4, 4, 1))
WORDS = DRAW.integers(1, 5, (64, 6)) * (np.arange(6) < DRAW.integers(2, 7, (64, 1)))
NETS = {
    "table": (TABLE, ROWS, ROWS[:, 2] == 1),
    "images": (IMAGES, PICTURES, PICTURES.mean((1, 2, 3)) > 0),
    "sequences": (SEQUENCES, WORDS, (WORDS == 3).any(1)),
}


def test_the_trained_nets_hold_every_layer():
    met = {type(value) for net, _, _ in NETS.values() for _, value in walk(net)}
    assert set(nn.layers.ALL) <= met


@pytest.mark.parametrize("name", NETS)
def test_a_training_learns(name):
    net, x, y = NETS[name]
    data = kl.data.from_arrays(x, y, validation=0)
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.02), batch_size=16, epochs=30)
    run = kl.train(recipe, data, progress=False)
    assert run.outcome.name == "FINISHED"
    assert run.score > 0.9
    assert run.predict(x).shape == y.shape
