"""Values: frozen, compared, pytrees of numbers, read and put by path, printed, diffed, saved as JSON."""

import copy
import dataclasses
import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kilter as kl
from kilter import losses, metrics, nn, optim
from kilter.core import trees
from kilter.core.errors import InputError
from kilter.core.specs import number, option
from kilter.core.values import Value

NAMES = {"kl": kl, "nn": nn, "optim": optim, "losses": losses}


class Scaled(nn.Layer):
    """A layer as a user writes one: y = factor * x, times so often."""

    factor: float = number(default=1.0, range="(0, inf)")
    times: int = option(default=1, kinds=int, range="[1, inf)")

    def apply(self, params, state, x, *, key=None):
        return x * self.factor**self.times, state


class Forgetful(nn.Layer):
    """A layer of a user's own with a decay."""

    keep: float = number(default=0.5, range="[0, 1)", scale="complement")


def recipe(net, **given):
    given = {"loss": losses.SquaredError(), "optimizer": optim.SGD(0.1)} | given
    return kl.Recipe(net, given.pop("loss"), **given)


RECIPES = [
    recipe(nn.Dense(1)),
    recipe(nn.Chain()),
    recipe(nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(10)), loss=losses.SoftmaxCrossEntropy(), epochs=0),
    recipe(nn.Chain(nn.Dense(8, bias=False), nn.BatchNorm(0.1, 1e-3, scale=False), nn.Dropout(0.25)), batch_size=7),
    recipe(
        nn.Chain(
            nn.Conv(4, (3, 5), stride=(1, 2), padding="valid", groups=2), nn.MaxPool(3, 2, padding=1), nn.Flatten()
        )
    ),
    recipe(nn.Chain(nn.Conv(4, padding=(1, 0), dilation=(1, 2)), nn.AvgPool((2, 1)), nn.Flatten(), nn.Softmax())),
    recipe(
        nn.Residual(nn.Chain(nn.Dense(4), nn.Tanh()), nn.Dense(4)),
        optimizer=optim.SGD(1e-30, momentum=0.999, nesterov=True),
    ),
    recipe(nn.Residual(nn.Sigmoid()), optimizer=optim.Adam(optim.Cosine(0.1, 0.5, steps=7), b1=0.1, b2=0.12345)),
    recipe(nn.Dense(2), optimizer=optim.Adam(optim.Constant(3e-4), epsilon=0.0, weight_decay=1e-2)),
    recipe(nn.Dense(2, initializer=nn.initializers.HeNormal(), bias_initializer=nn.initializers.Constant(-0.5))),
    recipe(
        nn.Dense(2, initializer=nn.initializers.Matched(nn.Tanh())),
        inputs=kl.data.Standardize(),
        targets=kl.data.MinMax(),
    ),
    recipe(nn.Dense(2), stopping=kl.EarlyStopping(3, 1e-3), metric=metrics.MAE()),
    recipe(
        nn.Chain(nn.Chain(nn.Dense(300)), nn.Chain(nn.Chain(nn.Identity()), *[nn.Dense(1000 + i) for i in range(9)]))
    ),
    recipe(nn.Chain(Scaled(2.0, 3), Scaled(times=2), Forgetful(0.3))),
]

DECAYS = st.decimals(0, "0.9999999", places=7).map(float)
POSITIVE = st.floats(1e-30, 1e30)
SIZES = st.integers(1, 10**6)
LAYERS = st.recursive(
    st.one_of(
        st.builds(nn.Dense, SIZES, bias=st.booleans()),
        st.builds(
            nn.Conv, SIZES, st.one_of(SIZES, st.tuples(SIZES, SIZES)), padding=st.sampled_from(["same", "valid", 2])
        ),
        st.builds(nn.BatchNorm, DECAYS, POSITIVE, shift=st.booleans()),
        st.builds(nn.Dropout, st.floats(0, 1, exclude_max=True)),
        st.builds(nn.MaxPool, SIZES, st.none() | SIZES),
        st.sampled_from([nn.ReLU(), nn.Softmax(), nn.Flatten()]),
        st.builds(Scaled, POSITIVE, SIZES),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda layers: nn.Chain(*layers)),
        st.builds(nn.Residual, inner, st.none() | inner),
    ),
    max_leaves=8,
)
RATES = st.one_of(POSITIVE, st.builds(optim.Cosine, POSITIVE, st.floats(0, 1), steps=st.none() | st.floats(1, 1e9)))
OPTIMIZERS = st.one_of(
    st.builds(optim.SGD, RATES, momentum=DECAYS, nesterov=st.booleans()),
    st.builds(optim.Adam, RATES, b1=DECAYS, b2=DECAYS),
)
STOPPING = st.none() | st.builds(kl.EarlyStopping, st.floats(1, 1e6), st.floats(0, 10))
GENERATED = st.builds(
    kl.Recipe,
    LAYERS,
    st.sampled_from([kind() for kind in losses.ALL]),
    optimizer=OPTIMIZERS,
    epochs=st.integers(0, 10**9),
    stopping=STOPPING,
)


def sample(kind):
    """A member of a family, its required fields filled in."""
    required = [e for e in dataclasses.fields(kind) if e.default is dataclasses.MISSING and not e.kw_only]
    return kind(**{entry.name: 0.25 for entry in required})


INITIALIZERS = [
    kind for kind in vars(nn.initializers).values()
    if isinstance(kind, type) and issubclass(kind, nn.initializers.Initializer) and kind is not nn.initializers.Initializer
]  # fmt: skip
FAMILIES = [*losses.ALL, *metrics.ALL, *optim.ALL, *nn.activations.ALL, *kl.data.PREPROCESSING, *INITIALIZERS]


def test_frozen():
    for value in (nn.Dense(3), optim.Adam(0.1), RECIPES[0]):
        name = next(iter(value._specs))
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, 5)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(value, name)


@pytest.mark.parametrize("index", range(len(RECIPES)))
def test_equal_and_hash(index):
    value = RECIPES[index]
    again = kl.Recipe.from_json(value.to_json())
    assert value == again
    assert value is not again
    assert hash(value) == hash(again)
    assert [other for other in RECIPES if other == value] == [value]
    assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value


def test_numbers_of_different_types_make_equal_values():
    assert optim.Adam(1) == optim.Adam(1.0) == optim.Adam(np.float64(1)) == optim.Adam(np.array(1))
    assert nn.Dense(np.int64(3)) == nn.Dense(3)
    assert nn.Conv(3, [3, 3]) == nn.Conv(3, (3, 3))


REFUSED = [
    (lambda: nn.Dense(0), "Dense(units=0): units must be at least 1"),
    (lambda: nn.Dense(2.5), "Dense(units=2.5): units must be a whole number"),
    (lambda: nn.Dense(True), "Dense(units=True): units must be a whole number"),
    (lambda: nn.Dense("8"), "Dense(units='8'): units must be a whole number"),
    (lambda: nn.Dense(3, bias=1), "Dense(bias=1): bias must be True or False"),
    (lambda: nn.Dropout(1.0), "Dropout(rate=1.0): rate must be at least 0 and below 1"),
    (lambda: nn.Dropout(-0.1), "Dropout(rate=-0.1): rate must be at least 0 and below 1"),
    (lambda: nn.Dropout(float("nan")), "Dropout(rate=nan): rate must be at least 0 and below 1"),
    (lambda: nn.Dropout("half"), "Dropout(rate='half'): rate must be a number"),
    (lambda: nn.Dropout(True), "Dropout(rate=True): rate must be a number"),
    (lambda: nn.Conv(4, 0), "Conv(window=0): window must be at least 1"),
    (lambda: nn.Conv(4, (3, 0)), "Conv(window=(3, 0)): window must be at least 1"),
    (lambda: nn.Conv(4, ()), "Conv(window=()): window must be a whole number"),
    (
        lambda: nn.Conv(4, padding="full"),
        "Conv(padding='full'): padding must be one of 'same', 'valid', or a whole number",
    ),
    (lambda: optim.Adam(float("inf")), "Adam(lr=inf): lr must be finite"),
    (lambda: optim.Adam(None), "Adam(lr=None): lr must be a number or a Schedule"),
    (lambda: optim.SGD(0.1, momentum=1), "SGD(momentum=1): momentum must be at least 0 and below 1"),
    (lambda: nn.Chain(nn.ReLU), "layers[0] Chain(layers=ReLU): write ReLU(), with parentheses"),
    (lambda: nn.Chain(nn.ReLU(), 3), "layers[1] Chain(layers=3): layers must be a Layer"),
    (lambda: recipe(nn.Dense(1), optimizer=3), "Recipe(optimizer=3): optimizer must be an Optimizer"),
    (lambda: recipe(nn.Dense(1), epochs=-1), "Recipe(epochs=-1): epochs must be at least 0"),
    (
        lambda: nn.initializers.VarianceScaling(1, "up"),
        "VarianceScaling(fan='up'): fan must be one of 'in', 'out', 'avg'",
    ),
    (lambda: nn.Dense(3).replace(units=0), "Dense(units=0): units must be at least 1"),
    (lambda: RECIPES[2].put("net.layers[0].units", 0), "net.layers[0] Dense(units=0): units must be at least 1"),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_refusals_are_one_sentence(make, sentence):
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value) == sentence


def test_a_number_beyond_floats_is_refused():
    with pytest.raises(InputError, match=r"Adam\(lr=1000.*: lr must be a number that a float can hold"):
        optim.Adam(10**400)


def test_numbers_are_leaves_and_options_are_static():
    dropout = nn.Chain(nn.Dense(3), nn.Dropout(0.25))
    assert jax.tree.leaves(dropout)[-1] == 0.25
    assert jax.tree.structure(dropout) == jax.tree.structure(dropout.put("layers[1].rate", 0.5))
    for other in (
        dropout.put("layers[0].units", 4),
        dropout.put("layers[0].bias", False),
        nn.Chain(*dropout.layers, nn.ReLU()),
    ):
        assert jax.tree.structure(dropout) != jax.tree.structure(other)
    assert jax.tree.structure(optim.Adam(0.1)) != jax.tree.structure(optim.Adam(optim.Constant(0.1)))


def test_decays_are_leaves_as_complements():
    assert jax.tree.leaves(optim.SGD(0.1, momentum=0.999)) == [0.1, 1 - 0.999]
    assert optim.Adam(0.1, b2=0.999).complement("b2") == 1 - 0.999
    paths = jax.tree_util.tree_flatten_with_path(optim.Adam(0.1))[0]
    assert [jax.tree_util.keystr(path) for path, _ in paths] == [".lr", ".b1", ".b2", ".epsilon", ".weight_decay"]


def test_decays_reach_compiled_programs():
    """A default of the class must not stand in front of the decay that a rebuilt value holds."""
    for value, name in (
        (optim.SGD(0.1, momentum=0.9), "momentum"),
        (optim.Adam(0.1, b1=0.25), "b1"),
        (nn.BatchNorm(0.3), "momentum"),
    ):
        given = getattr(value, name)
        rebuilt = jax.tree.map(lambda leaf: leaf, value)
        assert getattr(rebuilt, name) == given
        assert float(jax.jit(lambda v, n=name: getattr(v, n))(value)) == pytest.approx(given, rel=1e-6)
        assert rebuilt.complement(name) == value.complement(name)


@pytest.mark.parametrize("index", range(len(RECIPES)))
def test_rebuilding_a_tree_gives_an_equal_value(index):
    value = RECIPES[index]
    rebuilt = jax.tree.map(lambda leaf: leaf, value)
    assert rebuilt == value
    assert hash(rebuilt) == hash(value)
    assert repr(rebuilt) == repr(value)
    assert kl.diff(rebuilt, value) == ()


@given(GENERATED)
@settings(max_examples=60, deadline=None)
def test_any_recipe_survives_its_tree_json_and_print(value):
    assert jax.tree.map(lambda leaf: leaf, value) == value
    assert kl.Recipe.from_json(value.to_json()) == value
    assert eval(repr(value), NAMES | {"Scaled": Scaled}) == value
    assert kl.diff(value, value) == ()


@pytest.mark.parametrize("placeholder", [object(), None, -5.0, "text", jax.ShapeDtypeStruct((), np.float32)])
def test_placeholders_are_never_checked(placeholder):
    value = RECIPES[3]
    count = len(jax.tree.leaves(value))
    holding = jax.tree.unflatten(jax.tree.structure(value), [placeholder] * count)
    assert jax.tree.structure(value).flatten_up_to(holding) == [placeholder] * count


def test_vmap_and_scan_go_over_stacked_values():
    members = [nn.Dropout(0.1), nn.Dropout(0.7)]
    stacked = trees.stack(members)
    np.testing.assert_allclose(jax.vmap(lambda layer: layer.rate * 2)(stacked), [0.2, 1.4], rtol=1e-6)
    _, rates = jax.lax.scan(lambda carry, layer: (carry, layer.rate), 0, stacked)
    np.testing.assert_allclose(rates, [0.1, 0.7], rtol=1e-6)
    assert jax.jit(lambda layer: layer)(nn.Dropout(0.25)) == nn.Dropout(0.25)
    assert jax.eval_shape(lambda layer: layer, members[0]).rate.shape == ()


def test_traced_numbers_may_be_given():
    def loss(rate):
        return nn.Dropout(rate).replace(rate=rate * 2).rate

    assert float(jax.jit(loss)(0.25)) == 0.5
    assert float(jax.grad(lambda lr: optim.SGD(lr).rate(0) * 3)(jnp.float32(0.1))) == 3


def test_at_and_put():
    value = RECIPES[7].replace(net=nn.Chain(nn.Dense(8), nn.Conv(4, (3, 5)), nn.Dropout(0.2)))
    assert value.at("net.layers[2].rate") == 0.2
    assert value.at("net.layers[-1].rate") == 0.2
    assert value.at("net.layers[1].window[1]") == 5
    assert value.at("optimizer.lr.end") == 0.5
    assert value.at("") is value
    new = value.put("net.layers[2].rate", 0.5)
    assert new.at("net.layers[2].rate") == 0.5
    assert value.at("net.layers[2].rate") == 0.2
    assert new.put("net.layers[2].rate", 0.2) == value
    assert value.put("net.layers[1]", nn.ReLU()).at("net.layers[1]") == nn.ReLU()
    assert value.put("net.layers[1].window[0]", 7).at("net.layers[1].window") == (7, 5)


PATHS = [
    ("net.layers[9]", "'net.layers[9]': there is no [9], tuple has 1 items"),
    ("net[0]", "'net[0]': there is no [0], Chain has no items"),
    ("net.width", "'net.width': Chain has no field 'width'; it has layers"),
    ("epochs.x", "'epochs.x': int has no field 'x'; it has no fields"),
    ("net..layers", "'net..layers' is not a path; write one like 'net.layers[2].rate'"),
    ("net.layers[a]", "'net.layers[a]' is not a path; write one like 'net.layers[2].rate'"),
]


@pytest.mark.parametrize(("path", "sentence"), PATHS)
@pytest.mark.parametrize("action", [lambda value, path: value.at(path), lambda value, path: value.put(path, 1)])
def test_wrong_paths(action, path, sentence):
    with pytest.raises(InputError) as error:
        action(recipe(nn.Chain(nn.Dense(3))), path)
    assert str(error.value) == sentence


def test_putting_at_no_path():
    with pytest.raises(InputError, match="an empty path names nothing"):
        nn.Dense(3).put("", nn.Dense(4))


A = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
DIFFS = [
    (A, A, []),
    (A, A.put("layers[0].units", 9), ["layers[0].units: 8 -> 9"]),
    (A, nn.Chain(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dense(3)), ["layers[1]: (absent) -> nn.BatchNorm()"]),
    (A, nn.Chain(nn.Dense(8), nn.Dense(3)), ["layers[1]: nn.ReLU() -> (absent)"]),
    (A, nn.Chain(nn.Dropout(0.1), *A.layers), ["layers[0]: (absent) -> nn.Dropout(0.1)"]),
    (
        A,
        nn.Chain(nn.Dense(8), nn.Tanh(), nn.Dense(4)),
        ["layers[1]: nn.ReLU() -> nn.Tanh()", "layers[2].units: 3 -> 4"],
    ),
    (
        A,
        nn.Chain(nn.Dense(9), nn.ReLU(), nn.Dropout(0.1), nn.Dense(3)),
        ["layers[0].units: 8 -> 9", "layers[2]: (absent) -> nn.Dropout(0.1)"],
    ),
    (nn.Residual(A), nn.Residual(A, nn.Dense(3)), ["shortcut: None -> nn.Dense(3)"]),
    (optim.SGD(0.1), optim.SGD(optim.Cosine(0.1)), ["lr: 0.1 -> optim.Cosine(0.1)"]),
    (optim.SGD(0.1), optim.Adam(0.1), [": optim.SGD(0.1) -> optim.Adam(0.1)"]),
    (nn.Conv(2, (3, 3)), nn.Conv(2, (3, 5)), ["window: (3, 3) -> (3, 5)"]),
]


@pytest.mark.parametrize(("a", "b", "lines"), DIFFS)
def test_diff(a, b, lines):
    assert [repr(change) for change in kl.diff(a, b)] == lines
    assert len(kl.diff(b, a)) == len(lines)


def test_a_diff_of_nothing_says_so():
    assert repr(kl.diff(A, A)) == "(no difference)"


@pytest.mark.parametrize("index", range(len(RECIPES)))
def test_repr_evaluates_back(index):
    value = RECIPES[index]
    assert eval(repr(value), NAMES | {"Scaled": Scaled, "Forgetful": Forgetful}) == value
    assert max(map(len, repr(value).splitlines())) <= 120


def test_repr_leaves_defaults_out():
    assert repr(optim.Adam(1e-3)) == "optim.Adam()"
    assert repr(optim.SGD(0.1, nesterov=True)) == "optim.SGD(0.1, nesterov=True)"
    assert repr(nn.BatchNorm(epsilon=0.1)) == "nn.BatchNorm(epsilon=0.1)"
    assert repr(Scaled(times=2)) == "Scaled(times=2)"


@pytest.mark.parametrize("kind", FAMILIES, ids=lambda kind: kind.name())
def test_every_member_survives_json_and_print(kind):
    value = sample(kind)
    for reader in (kind, Value):
        assert reader.from_json(value.to_json()) == value
    assert eval(repr(value), NAMES) == value
    assert jax.tree.map(lambda leaf: leaf, value) == value


def document(value):
    return json.dumps({"schema": 1, "value": value})


GOOD = json.loads(RECIPES[2].to_json())["value"]
HOSTILE = {
    "empty": ("", "not a Recipe in JSON"),
    "cut off": (RECIPES[2].to_json()[:-20], "not a Recipe in JSON"),
    "a list": ("[1]", "expected an object with 'schema' and 'value'"),
    "no schema": (json.dumps({"value": GOOD}), "expected an object with 'schema' and 'value'"),
    "newer schema": (
        json.dumps({"schema": 99, "value": GOOD}),
        "JSON of schema 99; this version of Kilter reads schema 1",
    ),
    "another value": (nn.Dense(3).to_json(), "JSON holds a Dense, expected a Recipe"),
    "no value": (document(3), "JSON holds a int, expected a Recipe"),
    "unknown type": (document(GOOD | {"net": {"type": "os.system"}}), "net unknown type 'os.system'"),
    "no type": (document(GOOD | {"net": {"units": 3}}), "net unknown type None"),
    "type of no text": (document(GOOD | {"net": {"type": ["nn.Dense"]}}), "net unknown type ['nn.Dense']"),
    "unknown field": (
        document(GOOD | {"net": {"type": "nn.Dense", "width": 3}}),
        "net nn.Dense has no field 'width'; it has",
    ),
    "missing field": (document(GOOD | {"net": {"type": "nn.Dense"}}), "net nn.Dense needs the field 'units'"),
    "illegal field": (
        document(GOOD | {"net": {"type": "nn.Chain", "layers": [{"type": "nn.Dense", "units": 0}]}}),
        "net.layers[0] Dense(units=0): units must be at least 1",
    ),
    "a value for a number": (document(GOOD | {"epochs": {"type": "nn.ReLU"}}), "epochs must be a whole number"),
    "a metric for a net": (document(GOOD | {"net": {"type": "kl.metrics.AUC"}}), "net must be a Layer"),
    "text for layers": (document(GOOD | {"net": {"type": "nn.Chain", "layers": "no"}}), "layers must be a Layer"),
    "infinite": (document(GOOD | {"optimizer": {"type": "optim.SGD", "lr": float("inf")}}), "lr must be finite"),
    "huge": (
        document(GOOD | {"optimizer": {"type": "optim.SGD", "lr": 10**400}}),
        "lr must be a number that a float can hold",
    ),
    "very deep": ("[" * 100_000, "not a Recipe in JSON"),
    "deep": ('{"schema": 1, "value": ' + "[" * 800 + "]" * 800 + "}", "not a Recipe in JSON: nested too deeply"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_json_is_refused_in_one_sentence(case):
    text, message = HOSTILE[case]
    with pytest.raises(InputError) as error:
        kl.Recipe.from_json(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_fields_left_out_of_json_take_their_defaults():
    assert Value.from_json(document({"type": "nn.Dense", "units": 3})) == nn.Dense(3)


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(InputError, match="cannot be written as JSON"):
        jax.tree.map(jnp.asarray, optim.SGD(0.1)).to_json()


def test_a_layer_of_ones_own_is_a_full_citizen():
    net = nn.Chain(Scaled(2.0, 3), nn.Dense(1))
    assert repr(net) == "nn.Chain(Scaled(2.0, 3), nn.Dense(1))"
    assert nn.Chain.from_json(net.to_json()) == net
    assert net.put("layers[0].factor", 3).at("layers[0].factor") == 3.0
    with pytest.raises(InputError, match=r"^Scaled\(factor=0\): factor must be above 0$"):
        Scaled(0)
    np.testing.assert_array_equal(Scaled(2.0, 3).apply((), (), np.ones(2))[0], [8, 8])
    assert Forgetful(0.3).complement("keep") == 0.7


def test_errors_travel_between_processes():
    error = InputError("units must be at least 1", "net")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.place) == ("net units must be at least 1", "net")
