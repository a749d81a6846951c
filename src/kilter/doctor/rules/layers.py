"""Rules on what stands between layers with weights. Nothing is run."""

from collections.abc import Iterator

from kilter.doctor.anatomy import Organ, is_identity
from kilter.doctor.chart import Chart
from kilter.doctor.rule import Sign, rule
from kilter.doctor.words import Cause, Severity, Symptom
from kilter.nn.conv import Conv
from kilter.nn.dense import Dense
from kilter.nn.reshape import Flatten
from kilter.nn.scale import Scale
from kilter.nn.softmaxes import LogSoftmax, Softmax


@rule(
    Symptom.LINEAR_STACK,
    Cause.MISSING_NONLINEARITY,
    source="Minsky and Papert 1969: a product of matrices is a matrix",
    remedies=("missing_activation",),
    needs="recipe",
)
def linear_stack(chart: Chart) -> Iterator[Sign]:
    """Two dense or convolutional layers follow each other with nothing but dropout, a norm or a reshape between them.

    Together they can do no more than one. An error where no pair of layers has anything non-linear between it. Layers of
    different residual blocks are no pair, as the skip goes around one of them. Read from the network.
    """
    anatomy = chart.design.anatomy
    pairs = [pair for pair in anatomy.pairs() if all(isinstance(organ.layer, Dense | Conv) for organ in pair)]
    bare = [first for first, second in pairs if _one(first, second, anatomy.between(first, second))]
    if bare:
        words = "behind " + ", ".join(organ.label for organ in bare)
        severity = Severity.ERROR if len(bare) == len(anatomy.weighted) - 1 else Severity.WARNING
        others = (Cause.UNDERFITTING,)
        yield Sign(len(bare), 0, place=bare[0].label, severity=severity, words=words, others=others)


def _one(first: Organ, second: Organ, between: tuple[Organ, ...]) -> bool:
    """Whether two layers are no more than one."""
    bodies = {organ.path.rpartition(".body.")[0] for organ in (first, second)}
    return len(bodies) == 1 and not any(map(_bends, between))


def _bends(organ: Organ) -> bool:
    linear = organ.role in ("dropout", "norm") or isinstance(organ.layer, Flatten | Scale)
    return not linear and not is_identity(organ.layer)


@rule(
    Symptom.SQUASHED_INSIDE,
    Cause.BAD_ACTIVATION,
    source="Goodfellow, Bengio and Courville 2016, section 6.2.2: softmax is for outputs",
    remedies=("activation",),
    needs="recipe",
)
def squashed_inside(chart: Chart) -> Iterator[Sign]:
    """A softmax is the activation of a hidden layer: its units share one sum, and the signal shrinks with their number."""
    for organ in chart.design.anatomy.hidden_activations:
        if isinstance(organ.layer, Softmax | LogSoftmax):
            yield Sign(1, 0, place=organ.label, others=(Cause.VANISHING_GRADIENT,))
