"""Predictions of a trained network: one row, 1,000 and 1,000,000, from arrays in memory to probabilities in memory.

The net is 64-128-128-10 with batch norms, folded into the layers in front of them for all; the peers get Kilter's weights,
and a peer whose probabilities differ from Kilter's is an error. ONNX Runtime reads what PyTorch exports. A peer takes the
fastest of several forms: all rows at once or in blocks, on one core or on all.
"""

import io
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from contest import OWN, Contest, Row, Side
from machine import cores
from sets import noise
from sides.pytorch import compiles

SIZES = (64, 128, 128, 10)
# Rows that go through at once, to choose from.
BLOCKS = (1024, 8192, 65536, 1 << 20)
# Calls of one measurement, by rows.
CALLS = {1: 2000, 1_000: 300, 1_000_000: 1}
Predict = Callable[[np.ndarray], np.ndarray]


def make(rows: int, quick: bool) -> Contest:
    """The contest."""
    x, calls = noise(min(rows, 2_000) if quick else rows, SIZES[:1], SIZES[-1])[0], 2 if quick else CALLS[rows]
    run = trained()
    reference = run.predict_proba(x[:1000])
    makers = {
        OWN: lambda: [run.predict_proba],
        "PyTorch": partial(pytorch, run, False),
        "ONNX Runtime": partial(onnx, run),
    }
    if compiles() and not quick:
        makers["PyTorch compiled"] = partial(pytorch, run, True)
    flops = 2.0 * sum(a * b for a, b in pairwise(SIZES)) * len(x) * calls
    block = min(len(x), 1024)
    return Contest(
        {name: partial(side, maker, x, calls, reference, name == OWN) for name, maker in makers.items()},
        calls * len(x),
        flops,
        [(block, a, b) for a, b in pairwise(SIZES)],
    )


def trained() -> Any:
    """A run of the net, trained for an epoch so that its batch norms have something to fold."""
    import kilter as kl
    from kilter import losses, nn, optim

    hidden = [layer for units in SIZES[1:-1] for layer in (nn.Dense(units), nn.BatchNorm(), nn.ReLU())]
    net = nn.Chain(*hidden, nn.Dense(SIZES[-1]))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(1e-3), batch_size=64, epochs=1)
    return kl.train(recipe, kl.data.from_arrays(*noise(512, SIZES[:1], SIZES[-1]), validation=0), progress=False)


def side(maker: Callable[[], list[Predict]], x: np.ndarray, calls: int, reference: np.ndarray, own: bool) -> Side:
    """A contestant: so many calls, each with all rows, in its fastest form."""
    forms = maker()
    for form in forms:
        np.testing.assert_allclose(form(x[: len(reference)]), reference, atol=1e-4)
    if not own:
        forms = [*forms, *(partial(blocked, form, block) for form in forms for block in BLOCKS if block < len(x))]
    chosen = min(forms, key=lambda form: seconds(form, x, min(calls, 50)))

    def work(seed: int) -> float:
        return seconds(chosen, x, calls)

    return work


def blocked(predict: Predict, block: int, x: np.ndarray) -> np.ndarray:
    """Block by block."""
    return np.concatenate([predict(x[at : at + block]) for at in range(0, len(x), block)])


def seconds(predict: Predict, x: np.ndarray, calls: int) -> float:
    """Of so many calls; one more goes before."""
    predict(x)
    start = time.perf_counter()
    for _ in range(calls):
        predict(x)
    return time.perf_counter() - start


def torch_net(run: Any) -> Any:
    """The trained net in PyTorch, folded, with probabilities at its end."""
    import torch
    from torch import nn
    from torch.nn.utils.fusion import fuse_linear_bn_eval

    layers: list[Any] = []
    for place, (a, b) in enumerate(pairwise(SIZES)):
        params = run.params[3 * place]
        linear = nn.Linear(a, b)
        norm = nn.BatchNorm1d(b)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(np.array(params["kernel"]).T))
            linear.bias.copy_(torch.from_numpy(np.array(params.get("bias", np.zeros(b, np.float32)))))
            if place < len(SIZES) - 2:
                scaled, state = run.params[3 * place + 1], run.state[3 * place + 1]
                for own, theirs in ((scaled["scale"], norm.weight), (scaled["shift"], norm.bias)):
                    theirs.copy_(torch.from_numpy(np.array(own)))
                norm.running_mean.copy_(torch.from_numpy(np.array(state["mean"])))
                norm.running_var.copy_(torch.from_numpy(np.array(state["var"])))
                layers += [fuse_linear_bn_eval(linear.eval(), norm.eval()), nn.ReLU()]
            else:
                layers += [linear, nn.Softmax(-1)]
    return nn.Sequential(*layers).eval()


def pytorch(run: Any, compiled: bool) -> list[Predict]:
    """PyTorch without gradients; compiled, with weights frozen."""
    import torch

    net = torch_net(run)
    if compiled:
        torch.compiler.reset()
        torch._inductor.config.freezing = True
        net = torch.compile(net, dynamic=False)

    def predict(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode(not compiled), torch.no_grad():
            return net(torch.from_numpy(x)).numpy()

    return [predict]


def onnx(run: Any) -> list[Predict]:
    """ONNX Runtime, with all its optimizations; on one core and on all."""
    import onnxruntime
    import torch

    file = io.BytesIO()
    rows = torch.export.Dim("rows")
    example = (torch.zeros(2, SIZES[0]),)
    torch.onnx.export(torch_net(run), example, file, dynamo=True, dynamic_shapes=({0: rows},), verbose=False)

    def session(threads: int) -> Predict:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        opened = onnxruntime.InferenceSession(file.getvalue(), options, ["CPUExecutionProvider"])
        (entered,) = opened.get_inputs()
        return lambda x: opened.run(None, {entered.name: x})[0]

    return [session(threads) for threads in sorted({1, cores()})]


ROWS = tuple(
    Row(
        f"inference-{rows}",
        f"64-128-128-10 with batch norms folded; {rows:,} row{'s' * (rows > 1)}",
        "Inference",
        partial(make, rows),
        aim,
    )
    for rows, aim in ((1_000, 1.0), (1_000_000, 1.0), (1, None))
)
