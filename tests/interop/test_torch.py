"""PyTorch modules under the doctor's eyes: what hooks see, what rules say, what stays as it was."""

import copy
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as tf
from torch_cases import Residual, easy, loader, perceptron, three

from kilter import losses
from kilter import nn as own
from kilter.core.errors import DoubtWarning, InputError
from kilter.doctor import Cause
from kilter.interop import torch as interop
from kilter.interop import torch_layers
from kilter.interop.node import organs
from kilter.interop.record import stacked
from kilter.interop.torch_hooks import observed
from kilter.vitals import measure

X, Y = easy()
CE = nn.CrossEntropyLoss()
# Sums of some hundred float32 numbers in another order, through a few layers.
CLOSE = {"rtol": 2e-4, "atol": 1e-6}


def examined(module, loss=CE, data=None, optimizer=None, **settings):
    return interop.examine(module, loss, loader(X, Y) if data is None else data, optimizer=optimizer, **settings)


def digits(rows=400):
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x[:rows] / 16, dtype=torch.float32), torch.tensor(y[:rows])


# What hooks see


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.conv2 = nn.Conv2d(3, 3, 3, padding=1)
        self.act, self.head = nn.ReLU(inplace=True), nn.Linear(12, 3)

    def forward(self, x):
        x = self.act(self.norm(self.conv(x)))
        x = torch.tanh(x + self.conv2(x))
        return self.head(tf.avg_pool2d(x, 2).permute(0, 2, 3, 1).reshape(len(x), -1))


def weights_of(module):
    """Kilter's parameters for the same weights."""
    kernel = lambda m: {  # noqa: E731
        "kernel": jnp.asarray(np.moveaxis(m.weight.detach().numpy(), (0, 1), (-1, -2))),
        "bias": jnp.asarray(m.bias.detach().numpy()),
    }
    norm = {"scale": jnp.ones(3), "shift": jnp.zeros(3)}
    residual = {"body": kernel(module.conv2)}
    return (kernel(module.conv), norm, (), residual, (), (), (), kernel(module.head))


def test_vitals_from_hooks_are_those_of_the_translated_network():
    torch.manual_seed(0)
    module, x = Mixed(), torch.randn(16, 2, 4, 4)
    y = torch.arange(16) % 3
    with observed(module) as observer:
        CE(module(x), y).backward()
    net = own.Chain(
        own.Conv(3, 3, bias=True), own.BatchNorm(), own.ReLU(), own.Residual(own.Conv(3, 3)), own.Tanh(), own.AvgPool(2),
        own.Flatten(), own.Dense(3),
    )  # fmt: skip
    state = net.init(jax.random.key(0), (4, 4, 2))[1]
    rows = jnp.asarray(np.moveaxis(x.numpy(), 1, -1))
    expected = jax.jit(measure)(
        net, losses.SoftmaxCrossEntropy(), weights_of(module), state, rows, y.numpy(), key=jax.random.key(0)
    )
    seen = organs(observer.nodes)
    assert [type(node.layer) for node in seen] == [
        own.Conv,
        own.BatchNorm,
        own.ReLU,
        own.Conv,
        own.Tanh,
        own.AvgPool,
        own.Flatten,
        own.Dense,
    ]
    found = stacked([node.signal for node in seen])
    for name in found._fields:
        np.testing.assert_allclose(getattr(found, name)[0], getattr(expected.signals, name), err_msg=name, **CLOSE)


def test_a_summary_is_of_what_a_layer_got_even_if_it_wrote_over_it():
    module, x = nn.Sequential(nn.Linear(4, 5), nn.ReLU(inplace=True)), torch.randn(6, 4)
    with observed(module) as observer:
        module(x)
    assert observer.nodes[0].signal.zero == 0.0
    np.testing.assert_allclose(observer.nodes[0].signal.rms, module[0](x).square().mean().sqrt().item(), rtol=1e-5)


def test_a_module_is_translated_with_what_drew_its_weights():
    module = three(nn.Tanh)
    nn.init.constant_(module[0].weight, 0.5)
    nn.init.normal_(module[2].weight, std=0.7)
    recipe, data = interop.to_recipe(
        module, CE, loader(X, Y), optimizer=torch.optim.SGD(module.parameters(), 0.1, momentum=0.9, weight_decay=1e-3)
    )
    layers = recipe.net.layers
    assert [type(each) for each in layers] == [own.Dense, own.Tanh, own.Dense, own.Tanh, own.Dense]
    assert layers[0].initializer == own.initializers.Constant(0.5)
    assert layers[2].initializer.scale == pytest.approx(0.7, rel=0.1)
    assert layers[4].initializer == own.initializers.VarianceScaling(1 / 3, fan="in", distribution="uniform")
    assert (recipe.optimizer.lr, recipe.optimizer.momentum, recipe.penalty) == (0.1, 0.9, losses.L2(1e-3, on="all"))
    assert (recipe.batch_size, recipe.loss, data.classes, data.shape) == (32, losses.SoftmaxCrossEntropy(), 3, (8,))


def test_functions_and_shortcuts_are_translated_too():
    x, y = digits(64)
    recipe, data = interop.to_recipe(Residual(), CE, loader(x.reshape(-1, 1, 8, 8), y))
    kinds = [type(each) for each in recipe.net.layers]
    assert kinds == [own.Conv, own.BatchNorm, own.ReLU, own.Residual, own.ReLU, own.MaxPool, own.Flatten, own.Dense]
    assert [type(each) for each in recipe.net.layers[3].body.layers] == [own.Conv, own.BatchNorm]
    assert data.shape == (8, 8, 1)


@pytest.mark.parametrize("padding", ["same", "valid", (2, 1)])
def test_a_dilated_convolution_is_translated_to_the_one_that_does_the_same(padding):
    module = nn.Conv2d(2, 4, (2, 3), padding=padding, dilation=(2, 3), groups=2)
    x = torch.randn(3, 2, 8, 9)
    translated = torch_layers.layer(module)
    params = {"kernel": torch_layers.kernel(module), "bias": module.bias.detach().numpy()}
    found, _ = translated.apply(params, (), jnp.asarray(x.movedim(1, -1).numpy()))
    assert translated.dilation == (2, 3)
    np.testing.assert_allclose(found, module(x).movedim(1, -1).detach().numpy(), **CLOSE)


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent, self.head = nn.LSTM(4, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.recurrent(x)[0][:, -1])


class Chosen(Sequence):
    def forward(self, x):
        return self.head(self.recurrent(x)[0][torch.arange(len(x)), torch.ones(len(x)).long()])


def test_other_choices_of_times_are_looked_at_but_not_translated():
    rows = loader(X.reshape(-1, 2, 4), Y)
    assert examined(Chosen(), data=rows, epochs=1).chart.course is not None
    with pytest.raises(InputError, match=r"getitem.*Kilter has no layer for it"):
        interop.to_recipe(Chosen(), CE, rows)


def test_the_last_time_of_a_recurrent_layer_is_part_of_it():
    recipe, _ = interop.to_recipe(Sequence(), CE, loader(X.reshape(-1, 2, 4), Y))
    first = recipe.net.layers[0]
    assert (type(first), first.units, first.sequences, first.initializer.a) == (
        own.LSTM,
        6,
        False,
        pytest.approx(6**-0.5),
    )
    assert len(recipe.net.layers) == 2


def test_a_log_softmax_in_front_of_its_loss_is_part_of_it():
    recipe, _ = interop.to_recipe(perceptron(three(), nn.LogSoftmax(1)), nn.NLLLoss(), loader(X, Y))
    assert recipe.loss == losses.SoftmaxCrossEntropy()
    assert type(recipe.net.layers[-1]) is own.Dense


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.both, self.head = nn.Linear(8, 8), nn.Bilinear(8, 8, 8), nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.body(x))
        return self.head(self.both(x, x))


def test_what_kilter_does_not_know_is_refused_by_its_name():
    with pytest.raises(InputError, match="both Bilinear: Kilter has no layer for it"):
        interop.to_recipe(Odd(), CE, loader(X, Y))
    with pytest.raises(InputError, match=r"cumsum\(\): Kilter has no layer for it"):
        interop.to_recipe(Cumulated(), CE, loader(X, Y))
    with pytest.raises(InputError, match="Kilter has none like MultiMarginLoss"):
        interop.to_recipe(three(), nn.MultiMarginLoss(), loader(X, Y))
    with pytest.raises(InputError, match="Kilter has none like ASGD"):
        interop.to_recipe(three(), CE, loader(X, Y), optimizer=torch.optim.ASGD)


class Cumulated(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(x.cumsum(1))


# What stays as it was


def test_module_optimizer_loader_and_random_numbers_stay_as_they_were():
    module = perceptron(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
    module[1].eval()
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    CE(module(X[:32]), Y[:32]).backward()
    optimizer.step()
    rows = loader(X, Y)
    rows.generator = torch.Generator().manual_seed(3)
    before = copy.deepcopy((module.state_dict(), optimizer.state_dict()))
    gradients = [each.grad.clone() for each in module.parameters()]
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate(), rows.generator.get_state()
    examined(module, data=rows, optimizer=optimizer, epochs=2)
    jax.tree.map(np.testing.assert_array_equal, before, (module.state_dict(), optimizer.state_dict()))
    for old, each in zip(gradients, module.parameters(), strict=True):
        assert torch.equal(old, each.grad)
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()
    assert states[2] == random.getstate()
    assert torch.equal(states[3], rows.generator.get_state())
    assert module.training
    assert not module[1].training
    assert not hooks(module)


def hooks(module):
    return [h for m in module.modules() for h in (*m._forward_hooks, *m._forward_pre_hooks, *m._backward_hooks)]


class Raising(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 3)

    def forward(self, x):
        self.layer(x)
        raise RuntimeError("no way")


def test_hooks_and_modes_are_gone_where_a_module_raises():
    module = Raising()
    with pytest.raises(InputError, match="module: raised RuntimeError on inputs"):
        examined(module)
    watch = interop.watch(module, every=1)
    with pytest.raises(RuntimeError):
        module(X[:4])
    assert torch.overrides._get_current_function_mode() is None
    watch.close()
    assert not hooks(module)


# What cannot be used


def broken_loader():
    yield X[:8], Y[:8]
    raise OSError("disk is gone")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (broken_loader(), r"loader: raised OSError after 1 batches: disk is gone"),
        ([], "loader: it gives no rows"),
        ([(X[:8], Y[:8], Y[:8])], "loader: every batch must be a pair of inputs and targets, got 3"),
        ([{"x": X}], "got a dict"),
        ([(X[:8], Y[:4])], "must have a row an example"),
        (X, "a loader of pairs"),
        (3, "a loader of pairs"),
    ],
)
def test_loaders_that_cannot_be_used_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        examined(three(), data=given)


def test_other_arguments_that_cannot_be_used_are_refused():
    with pytest.raises(InputError, match=r"loss: raised \w+Error on outputs"):
        examined(three(outputs=2))
    with pytest.raises(InputError, match="module: raised RuntimeError"):
        examined(three(features=5))
    with pytest.raises(InputError, match="loss must be a module or function"):
        examined(three(), nn.CrossEntropyLoss)
    with pytest.raises(InputError, match="it has no parameter of this module"):
        examined(three(), optimizer=torch.optim.SGD(three().parameters(), 0.1))
    with pytest.raises(InputError, match="optimizer must be a torch"):
        examined(three(), optimizer=3)
    with pytest.raises(InputError, match="epochs must be a whole number"):
        examined(three(), epochs=-1)
    with pytest.raises(InputError, match=r"torch\.nn\.Module"):
        interop.examine(3, CE, loader(X, Y))
    with pytest.raises(InputError, match="every must be"):
        interop.watch(three(), every=0)


def test_too_few_rows_are_no_ground_for_a_verdict():
    check = examined(three(), data=loader(X[:12], Y[:12]))
    assert check.verdict == "cannot tell"
    assert "too few" in str(check)


def test_a_loss_that_is_not_a_number_at_once_is_a_finding():
    check = examined(three(), lambda outputs, y: CE(outputs, y) * float("nan"))
    assert check.verdict == "findings"
    assert "diverged" in {finding.rule for finding in check.findings}


def test_inputs_that_are_not_finite_are_a_finding():
    x = X.clone()
    x[3, 2] = float("nan")
    check = examined(three(), data=loader(x, Y))
    assert check.findings[0].rule == "input_not_finite"


# What is healthy


def residual():
    x, y = digits()
    return examined(Residual(4), data=loader(x.reshape(-1, 1, 8, 8), y))


def dropped():
    net = perceptron(nn.Linear(8, 64), nn.ReLU(), nn.Dropout(0.6), nn.Linear(64, 3))
    return examined(net)


def one_sigmoid():
    return examined(three(nn.Sigmoid, depth=1), optimizer=lambda p: torch.optim.Adam(p, 1e-2))


def regression():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(320, 8)).astype(np.float32))
    y = torch.sin(x[:, :1]) + x[:, 1:2] * 0.5
    return examined(three(nn.Tanh, outputs=1), nn.MSELoss(), data=loader(x, (y - y.mean()) / y.std()))


@pytest.mark.parametrize("case", [residual, dropped, one_sigmoid, regression])
def test_healthy_modules_are_left_alone(case):
    check = case()
    assert check.verdict == "healthy", str(check)


# What is not


def negative():
    module = three()
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    optimizer.param_groups[0]["lr"] = -0.1
    return examined(module, optimizer=optimizer)


def doubled():
    return examined(perceptron(three(), nn.Softmax(1)))


def changed(change, **settings):
    module = three(**settings)
    with torch.no_grad():
        for layer in module:
            if isinstance(layer, nn.Linear):
                change(layer)
    return module


def dead():
    def change(layer):
        if layer.in_features == 32 and layer.out_features == 32:
            nn.init.constant_(layer.bias, -30.0)

    return examined(changed(change))


def zero():
    return examined(changed(lambda layer: (nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias))))


def unscaled():
    return examined(three(nn.Sigmoid), data=loader(X * 1000 + 3000, Y))


def exploding():
    return examined(
        changed(lambda layer: nn.init.normal_(layer.weight, std=1.5), depth=6),
        optimizer=lambda p: torch.optim.SGD(p, 0.05),
    )


def linear():
    return examined(perceptron(nn.Linear(8, 32), nn.Linear(32, 32), nn.Linear(32, 3)), data=loader(*curved()))


def curved():
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(640, 8)).astype(np.float32))
    return x, (x[:, :2].prod(1) > 0).long() + (x[:, 2] > 1.0).long()


@pytest.mark.parametrize(
    ("case", "causes", "place"),
    [
        (negative, {Cause.LR_NEGATIVE}, 'optimizer.param_groups[0]["lr"]'),
        (doubled, {Cause.DOUBLE_SOFTMAX}, "1 Softmax"),
        (dead, {Cause.DEAD_RELU}, "3 ReLU"),
        (zero, {Cause.BAD_INIT_SYMMETRY}, "0 Linear"),
        (unscaled, {Cause.UNNORMALISED_INPUT}, None),
        (exploding, {Cause.EXPLODING_GRADIENT, Cause.BAD_INIT_TOO_LARGE}, None),
        (linear, {Cause.MISSING_NONLINEARITY}, "0 Linear"),
    ],
)
def test_faults_are_found_and_what_helps_is_said(case, causes, place):
    check = case()
    assert check.verdict == "findings"
    assert check.cause in causes, str(check)
    assert place is None or check.findings[0].place == place
    assert check.advice[0]


# Watching


def fit(module, optimizer, criterion, epochs=6, told=None):
    for _ in range(epochs):
        for x, y in loader(X, Y):
            optimizer.zero_grad()
            loss = criterion(module(x), y)
            loss.backward()
            optimizer.step()
            if told is not None:
                told(loss)


def watched(module, rate=0.05, **settings):
    optimizer, criterion = torch.optim.SGD(module.parameters(), rate, momentum=0.9), nn.CrossEntropyLoss()
    with interop.watch(module, optimizer, criterion, **settings) as watch:
        fit(module, optimizer, criterion)
    assert not hooks(module)
    assert not hooks(criterion)
    assert not optimizer._optimizer_step_post_hooks
    return watch


def test_a_watch_leaves_a_training_as_it_is():
    plain, other = three(), three()
    torch.manual_seed(1)
    fit(plain, torch.optim.SGD(plain.parameters(), 0.05, momentum=0.9), CE)
    torch.manual_seed(1)
    watch = watched(other, every=7)
    for a, b in zip(plain.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    assert watch.updates == 60
    assert watch.checkup().healthy, str(watch.checkup())


def test_a_watch_sees_what_is_wrong():
    def change(layer):
        if layer.in_features == 32 and layer.out_features == 32:
            nn.init.constant_(layer.bias, -30.0)

    check = watched(changed(change), every=10).checkup()
    assert check.cause is Cause.DEAD_RELU
    assert check.findings[0].place == "3 ReLU"
    assert check.chart.course.dead["3 ReLU"] == 1.0


def test_a_watch_sees_the_updates_of_weights():
    module = three()
    optimizer, criterion = torch.optim.SGD(module.parameters(), 0.5), nn.CrossEntropyLoss()
    with interop.watch(module, optimizer, criterion, every=1) as watch:
        before = module[0].weight.detach().clone()
        criterion(module(X), Y).backward()
        slope = module[0].weight.grad.clone()
        optimizer.step()
    place = watch.checkup().chart.start.places.weights.index("0.kernel")
    np.testing.assert_allclose(watch.vitals.weights.gradient[0, place], slope.square().mean().sqrt(), rtol=1e-5)
    np.testing.assert_allclose(watch.vitals.weights.update[0, place], 0.5 * slope.norm() / before.norm(), rtol=1e-4)


def test_a_watch_warns_at_once_of_what_is_surely_wrong():
    with pytest.warns(DoubtWarning, match="no longer finite"):
        watch = watched(changed(lambda layer: nn.init.normal_(layer.weight, std=9.0)), rate=1e6)
    assert watch.checkup().findings
    with pytest.warns(DoubtWarning, match="squashed twice"):
        watched(perceptron(three(), nn.Softmax(1)))


def test_a_watch_without_a_loss_is_told_losses():
    module = three()
    optimizer = torch.optim.SGD(module.parameters(), 1e-7)
    with interop.watch(module, optimizer) as watch:
        assert watch.checkup().verdict == "cannot tell"
        fit(module, optimizer, tf.cross_entropy, told=watch.loss)
    check = watch.checkup()
    assert check.chart.course.history["loss"].shape == (1, 60)
    assert check.cause is Cause.LR_TOO_LOW
    with pytest.raises(InputError, match="nothing was seen"):
        interop.watch(module).vitals  # noqa: B018
