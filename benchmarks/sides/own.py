"""Kilter: `kl.train`. Its work is ``seconds["train"]``, with drawing and judging; the whole is that of the call."""

import time
from typing import Any

from contest import Seconds, Side
from sides.job import RATE, Job


def kilter(job: Job, watch: Any = None) -> Side:
    """Train with Kilter; the call itself is timed apart."""
    import kilter as kl
    from kilter import losses, optim

    data = kl.data.from_arrays(job.x, job.y, validation=0)
    recipe = kl.Recipe(
        job.kilter(),
        losses.SoftmaxCrossEntropy(),
        optimizer=optim.Adam(RATE),
        batch_size=job.batch,
        epochs=job.epochs,
    )

    def train(seed: int) -> Seconds:
        start = time.perf_counter()
        run = kl.train(recipe, data, seed=seed, watch=watch, progress=False)
        return Seconds(run.seconds["train"], time.perf_counter() - start)

    return train


def parameters(job: Job) -> int:
    """Number of Kilter's parameters."""
    import jax

    params, _ = jax.eval_shape(lambda key: job.kilter().init(key, job.x.shape[1:]), jax.random.key(0))
    return sum(leaf.size for leaf in jax.tree.leaves(params))
