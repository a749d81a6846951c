"""Figures of what was compared and of how sure it is: cross-validations, ensembles, predictions with their spread."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kilter.core.errors import InputError
from kilter.ensembles import Ensemble
from kilter.report.several import labels
from kilter.train.cross_validation import CrossValidation
from kilter.train.prediction import Prediction

_ONE, _ALL, _OTHER = "#0072b2", "#d55e00", "#7f7f7f"


def folds_figure(found: CrossValidation) -> Figure:
    """The score of each fold and seed, a row a recipe, with its mean; the best on top."""
    count = len(found.recipes)
    order = np.argsort(np.nan_to_num(found.mean * (1 if found.metric.higher_is_better else -1), nan=-np.inf))
    figure = Figure(figsize=(6.5, 1.2 + 0.35 * count), layout="constrained")
    axes, names = figure.subplots(), labels(found.recipes) or ["recipe"]
    for height, place in enumerate(order):
        scores = found.scores[place].ravel()
        fold = axes.plot(
            scores, np.full(len(scores), height), "o", color=_ONE, alpha=0.45, markersize=5, markeredgewidth=0
        )
        mean = axes.plot(found.mean[place], height, "|", color=_ALL, markersize=18, markeredgewidth=2.5)
        if height == 0:
            fold[0].set_label("a fold")
            mean[0].set_label("mean")
    axes.set(xlabel=f"{found.metric.key} on the rows held out", ylim=(-0.6, count - 0.4))
    axes.set_yticks(range(count), [names[place] for place in order])
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), markerscale=0.6)
    return figure


def members_figure(both: Ensemble) -> Figure:
    """The score of each member, the mean of these, and that of all as one."""
    if not both.members:
        raise InputError("an ensemble made without data has no scores to draw; give kl.ensemble the data")
    key = both.metric.key
    scores = np.array([member[key] for member in both.members])
    order = np.argsort(scores if both.metric.higher_is_better else -scores)
    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axes = figure.subplots()
    sizes = 30 + 200 * np.array(both.weights)[order] / max(both.weights)
    axes.scatter(
        range(1, len(scores) + 1),
        scores[order],
        sizes,
        color=_ONE,
        alpha=0.7,
        linewidths=0,
        label="a member, by its weight",
    )
    axes.axhline(scores.mean(), color=_OTHER, linestyle=":", label=f"mean of the members, {scores.mean():.4g}")
    axes.axhline(both.score, color=_ALL, label=f"all as one, {both.score:.4g}")
    axes.margins(y=0.12)
    axes.set(xlabel="member, worst first", ylabel=key)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(frameon=False, loc="outside upper center", ncols=1)
    return figure


def spread_figure(told: Prediction) -> Figure:
    """Of numbers the mean with its spread; else what makes each row uncertain. Rows are in the order of it."""
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axes = figure.subplots()
    (_band if told.entropy is None else _doubt)(axes, told)
    axes.margins(x=0)
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    return figure


def _band(axes: Axes, told: Prediction) -> None:
    mean, std, total = (np.asarray(each).ravel() for each in (told.mean, told.std, told.total))
    order = np.argsort(mean)
    mean, std, total, rows = mean[order], std[order], total[order], np.arange(1, len(order) + 1)
    if told.noise is not None:
        axes.fill_between(
            rows,
            mean - 2 * total,
            mean + 2 * total,
            color=_OTHER,
            alpha=0.25,
            linewidth=0,
            label="with the noise of the targets",
        )
    axes.fill_between(
        rows, mean - 2 * std, mean + 2 * std, color=_ONE, alpha=0.35, linewidth=0, label="two standard deviations"
    )
    axes.plot(rows, mean, color=_ONE, label="mean")
    axes.set(xlabel="row, in the order of its mean", ylabel="prediction")


def _doubt(axes: Axes, told: Prediction) -> None:
    assert told.entropy is not None
    assert told.information is not None
    entropy, information = told.entropy.ravel(), told.information.ravel()
    order = np.argsort(-entropy)
    rows = np.arange(1, len(order) + 1)
    axes.fill_between(rows, information[order], color=_ALL, alpha=0.6, linewidth=0, label="the networks disagree")
    axes.fill_between(
        rows, information[order], entropy[order], color=_ONE, alpha=0.4, linewidth=0, label="each network is in doubt"
    )
    axes.set(xlabel="row, the most doubtful first", ylabel="entropy (nats)", ylim=(0, None))
