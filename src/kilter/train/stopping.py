"""Early stopping."""

from kilter.core.specs import number
from kilter.core.values import Value


class EarlyStopping(Value):
    """Ends a run whose validation score has not improved for ``patience`` epochs; the best epoch's weights are kept.

    An epoch improves if its score is better than the best by more than ``min_delta``, or equal with a lower validation
    loss. Without validation rows the training loss decides. Prechelt 1998.

    Args:
        patience: epochs without improvement that are let pass.
        min_delta: improvement that does not count.
    """

    home = "kl"

    patience: float = number(default=10, range="[1, inf)", unit="epochs")
    min_delta: float = number(default=0.0, range="[0, inf)")
