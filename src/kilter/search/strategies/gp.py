"""Bayesian optimization with a Gaussian process."""

from typing import Any, ClassVar

from kilter.core.errors import InputError
from kilter.core.specs import option
from kilter.search.strategies.replay import Replayed
from kilter.search.strategies.state import Ask, State


class GP(Replayed):
    """Fits a Gaussian process to the scores and asks where the expected improvement is largest.

    Optuna's ``GPSampler``: Matern 5/2 kernel, a length for each dimension, log expected improvement. It needs PyTorch:
    ``pip install kilter[gp]``. A dimension that does not exist in a trial stands at the middle of its range.

    Args:
        startup: random trials at first.

    Raises:
        InputError: from ``ask``, PyTorch is not installed.
    """

    formula: ClassVar[str] = "argmax of log E[max(f(x) - best, 0)], f ~ GP(scores)"
    source: ClassVar[str] = "Jones et al. 1998; Snoek et al. 2012; Ament et al. 2023"
    choose: ClassVar[str] = "Few, long trials on a handful of numbers; each ask takes about a second."

    flat: ClassVar[bool] = True

    startup: int = option(default=10, kinds=int, range="[1, inf)")

    def sampler(self, optuna: Any, seed: int) -> Any:
        return optuna.samplers.GPSampler(n_startup_trials=self.startup, seed=seed)

    def ask(self, state: State, n: int) -> tuple[State, tuple[Ask, ...]]:
        from threadpoolctl import threadpool_limits

        try:
            import torch  # noqa: F401  # Optuna's own message comes late, from inside a fit
        except ImportError:
            raise InputError("the strategy GP needs PyTorch: pip install kilter[gp], or use TPE") from None
        with threadpool_limits(1):  # pools of PyTorch and SciPy that share cores make an ask ten times as long
            return super().ask(state, n)
