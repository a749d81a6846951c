"""Tree-structured Parzen estimator: a model of where good trials lie, and where the others."""

from typing import Any, ClassVar

from kilter.core.specs import option
from kilter.search.strategies.replay import Replayed


class TPE(Replayed):
    """Draws candidates from a density of the good trials, l, and asks for the one that the others, g, are least like.

    Optuna's ``TPESampler``, multivariate: dimensions that always exist are modeled together, the others one by one.

    Args:
        startup: random trials at first.
        candidates: drawn for each ask.
    """

    formula: ClassVar[str] = "argmax of l(x) / g(x) over candidates x ~ l"
    source: ClassVar[str] = "Bergstra et al. 2011; multivariate: Falkner et al. 2018; Watanabe 2023 on its details"
    choose: ClassVar[str] = "The first choice from about 30 trials on, also with many options and conditions."

    startup: int = option(default=10, kinds=int, range="[1, inf)")
    candidates: int = option(default=24, kinds=int, range="[1, inf)")

    def sampler(self, optuna: Any, seed: int) -> Any:
        return optuna.samplers.TPESampler(
            n_startup_trials=self.startup,
            n_ei_candidates=self.candidates,
            multivariate=True,
            constant_liar=True,
            seed=seed,
        )
