"""Rules on norms: what stands around them, what they see, and whether their statistics are those of the rows."""

import math
from collections.abc import Iterator
from itertools import pairwise

from kilter.doctor.chart import Chart
from kilter.doctor.rule import Sign, rule
from kilter.doctor.rules.reading import course_of, middle, share
from kilter.doctor.words import Cause, Severity, Symptom
from kilter.nn.norms import BatchNorm, BatchRenorm


@rule(
    Symptom.NORM_STATISTICS,
    Cause.BATCH_NORM_STATISTICS,
    source="Ioffe and Szegedy 2015, section 3.1; Wu and Johnson 2021, Rethinking Batch in BatchNorm",
    remedies=("batch_size", "dropout", "layer_norm"),
    needs="course",
)
def norm_statistics(chart: Chart, *, apart: float = 0.5) -> Iterator[Sign]:
    """Distance of a batch norm's moving mean and deviation from those of all training rows, above half a deviation."""
    for place, column in course_of(chart).drift.items():
        found = column > apart
        if found.any():
            yield Sign(middle(column[found]), apart, "deviations", place, share(found), evidence={"drift": column})


@rule(
    Symptom.TINY_BATCHES,
    Cause.BATCH_NORM_STATISTICS,
    source="Ioffe 2017; Wu and He 2018, Group Normalization, figure 1",
    remedies=("batch_size", "layer_norm"),
    needs="recipe",
)
def tiny_batches(chart: Chart, *, least: int = 8) -> Iterator[Sign]:
    """A batch norm takes mean and variance over fewer than 8 values a feature: rows of a batch times positions."""
    for organ in chart.design.anatomy.having("norm"):
        seen = chart.design.batch_size * math.prod(organ.before[:-1])
        if isinstance(organ.layer, BatchNorm) and seen < least:
            yield Sign(seen, least, "values a feature", organ.label)


@rule(
    Symptom.DROPOUT_BEFORE_NORM,
    Cause.DROPOUT_BEFORE_NORM,
    source="Li, Chen, Hu and Yang 2019, Understanding the disharmony between dropout and batch normalization",
    remedies=("dropout",),
    needs="recipe",
)
def dropout_before_norm(chart: Chart, *, most: float = 0.2) -> Iterator[Sign]:
    """Dropout of more than 0.2 in front of a batch norm: the variance that the norm learns is not that of inference."""
    organs = chart.design.anatomy.organs
    for first, second in pairwise(organs):
        dropped = float(getattr(first.layer, "rate", 0.0) or 0.0) if first.role == "dropout" else 0.0
        if isinstance(second.layer, BatchNorm | BatchRenorm) and dropped > most:
            yield Sign(dropped, most, "of the units", first.label, others=(Cause.BATCH_NORM_STATISTICS,))


@rule(
    Symptom.USELESS_BIAS,
    Cause.USELESS_BIAS,
    source="Ioffe and Szegedy 2015, section 3.2",
    remedies=(),
    needs="recipe",
)
def useless_bias(chart: Chart) -> Iterator[Sign]:
    """A layer with a bias that was asked for stands in front of a norm that takes the mean off. Harmless but wasted."""
    organs = chart.design.anatomy.organs
    for first, second in pairwise(organs):
        if first.role == "weighted" and getattr(first.layer, "bias", None) is True and second.layer.centers:
            yield Sign(1, 0, place=first.label, severity=Severity.NOTE)


@rule(
    Symptom.DECAYED_NORMS,
    Cause.DECAY_ON_NORMS,
    source="He et al. 2019, Bag of tricks, section 3.1: no bias decay",
    remedies=("decay",),
    needs="recipe",
)
def decayed_norms(chart: Chart) -> Iterator[Sign]:
    """A penalty goes over biases and norm scales, too. Costs little, and is seldom meant."""
    recipe = chart.design.recipe
    if recipe is not None and getattr(recipe.penalty, "on", "kernels") == "all":
        yield Sign(1, 0, place="penalty.on", severity=Severity.NOTE)
