"""The contest of a job: who takes part."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from contest import OWN, Contest
from limit import Size
from sides.job import Job


def contest(
    job: Job, products: Sequence[Size] = (), *, tuned: bool = False, quick: bool = False, flops: float | None = None
) -> Contest:
    """Kilter against all libraries that have the network.

    Args:
        job: the work.
        products: sizes of its matrix products.
        tuned: whether PyTorch's slowest mode of compiling takes part, too.
        quick: leave out what takes long to make.
        flops: operations of the products; left open, as PyTorch counts them.
    """
    from sides import own
    from sides.pytorch import MODES, compiles, operations, parameters, pytorch
    from sides.scanned import flax, keras
    from sides.scikit import scikit_learn

    sides: dict[str, Any] = {OWN: partial(own.kilter, job), "PyTorch": partial(pytorch, job)}
    if compiles() and not quick:
        modes = {name: mode for name, mode in MODES.items() if mode == "default" or tuned}
        sides |= {name: partial(pytorch, job, mode) for name, mode in modes.items()}
    if job.flax is not None:
        sides["Flax"] = partial(flax, job)
    if job.keras is not None:
        sides["Keras"] = partial(keras, job)
    if job.hidden is not None:
        sides["scikit-learn"] = partial(scikit_learn, job)
    counts = {"parameters": own.parameters(job), "PyTorch's parameters": parameters(job)}
    counted = operations(job) if flops is None else flops
    return Contest(sides, job.updates, counted, products, counts)
