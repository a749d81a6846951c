"""Loss scaling against PyTorch's GradScaler, and what it is for: gradients too small for half precision."""

import jax.numpy as jnp
import numpy as np
import torch

from kilter import optim

START = np.array([1.0, -2.0, 0.5], np.float32)
STEPS = 12
# Some updates overflow: one, then two in a row.
BAD = (3, 7, 8)


def slopes(step):
    return np.array([0.3, -0.1, np.inf if step in BAD else 0.2], np.float32) * (1 + step % 3)


def ours():
    optimizer = optim.LossScale(optim.SGD(0.1, momentum=0.5), 8.0, every=2)
    params, state, path, scales = jnp.asarray(START), optimizer.init(START), [], []
    for step in range(STEPS):
        objective = optim.Objective(lambda p: (p, ()), lambda p, step=step: jnp.asarray(slopes(step)) @ p)
        params, state, _ = optimizer.minimize(objective, params, state, step)
        path.append(np.asarray(params))
        scales.append(float(state["scale"]))
    return np.stack(path), scales


def torchs():
    params = torch.tensor(START, requires_grad=True)
    optimizer = torch.optim.SGD([params], lr=0.1, momentum=0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    path, scales = [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        scaler.scale(torch.from_numpy(slopes(step)) @ params).backward()
        scaler.step(optimizer)
        scaler.update()
        path.append(params.detach().numpy().copy())
        scales.append(scaler.get_scale())
    return np.stack(path), scales


def test_it_goes_the_way_of_gradscaler():
    (path, scales), (expected, theirs) = ours(), torchs()
    np.testing.assert_allclose(path, expected, rtol=1e-6)
    assert scales == theirs
    assert len(set(scales)) > 2
    assert np.isfinite(path).all()


def test_gradients_too_small_for_float16_come_through():
    objective = optim.Objective(lambda p: (p.astype(jnp.float16), ()), lambda h: (1e-9 * h.astype(jnp.float32)).sum())
    params = jnp.ones(3)
    plain, scaled = optim.SGD(1e6), optim.LossScale(optim.SGD(1e6))
    lost = plain.minimize(objective, params, plain.init(params), 0)[0]
    kept = scaled.minimize(objective, params, scaled.init(params), 0)[0]
    np.testing.assert_array_equal(lost, params)
    np.testing.assert_allclose(params - kept, 1e-3, rtol=1e-2)
