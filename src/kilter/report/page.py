"""A page about a run that opens from disk: one file, no network, readable on a phone and in the dark."""

import base64
import html
import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from kilter.core import files
from kilter.data.dataset import Dataset, Part
from kilter.metrics import describe
from kilter.report import figures
from kilter.report.baseline import baselines
from kilter.train.run import Run

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
img {{ max-width: 100%; height: auto; background: white; border-radius: 6px; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: .2rem .9rem .2rem 0; text-align: right; border-bottom: 1px solid #8884; }}
td:first-child, th:first-child {{ text-align: left; }}
pre {{ overflow-x: auto; padding: .8rem; background: #8881; border-radius: 6px; }}
.lead {{ font-size: 1.2rem; }}
.scroll {{ overflow-x: auto; }}
</style>
<h1>{title}</h1>
<p class="lead">{lead}</p>
<h2>Scores</h2>
<div class="scroll">{scores}</div>
{sections}
<h2>Recipe</h2>
<pre>{recipe}</pre>
<p>{facts}</p>
</html>
"""


def write(run: Run, data: Dataset, path: Path) -> Path:
    """Write the page and return its path."""
    files.write(path, render(run, data).encode())
    return path


def render(run: Run, data: Dataset) -> str:
    """The page as HTML; everything that comes from data is escaped."""
    name, part = _measured(data)
    return _PAGE.format(
        title=html.escape(f"Kilter: {run.title}"),
        lead=html.escape(lead(run, data)),
        scores=_table(score_rows(run, data)),
        sections="".join(_sections(run, name, part)),
        recipe=html.escape(repr(run.recipe)),
        facts=html.escape(_facts(run, data)),
    )


def lead(run: Run, data: Dataset) -> str:
    """Did it learn? One sentence: the score on the rows held out, against guessing."""
    name, _ = _measured(data)
    key = run.metric.key if name == _deciding(data) else f"{name}_{run.metric.key}"
    guess = baselines(run, data).get(run.metric.key)
    against = "" if guess is None else f"; guessing gets {describe(guess)}"
    name_of_metric = run.metric.key[0].upper() + run.metric.key[1:]
    return f"{name_of_metric} {describe(run.metrics[key])} on the {name} rows{against}. The run {run.outcome}."


def score_rows(run: Run, data: Dataset) -> list[list[str]]:
    """Every metric by part of the data, and what guessing gets, as text with a head."""
    deciding = _deciding(data)
    parts = [name for name in ("train", "validation", "test") if getattr(data, name) is not None]
    guess = baselines(run, data)
    keys = [key for key in run.metrics if not key.startswith(("train_", "test_"))]
    rows = [["", *parts, "guessing"]]
    for key in keys:
        values = [run.metrics[key if part == deciding else f"{part}_{key}"] for part in parts]
        rows.append([key, *map(describe, values), describe(guess[key]) if key in guess else ""])
    return rows


def _deciding(data: Dataset) -> str:
    return "train" if data.validation is None else "validation"


def _measured(data: Dataset) -> tuple[str, Part]:
    """The rows that say most about new ones."""
    if data.test is not None:
        return "test", data.test
    return ("validation", data.validation) if data.validation is not None else ("train", data.train)


def _sections(run: Run, name: str, part: Part) -> list[str]:
    sections = []
    if len(run.history["loss"]):
        sections.append(_section("How it learned", figures.learning_curves(run), "loss and score by epoch"))
    if run.target.task == "numbers" and part.y.shape[-1] == 1:
        sections.append(_section(f"Predictions on the {name} rows", _drawn(run, part), "predicted against true values"))
    if run.target.task == "classes" and len(run.classes) <= 40:
        sections.append(_section(f"Confusions on the {name} rows", _drawn(run, part), "true class by predicted class"))
    side = int(part.x[0].size ** 0.5)
    if run.title == "digits" and side * side == part.x[0].size:
        wrong = figures.most_wrong(run, part, side)
        sections.append("" if wrong is None else _section("Most wrong", wrong, "digits that were read wrongly"))
    return sections


def _drawn(run: Run, part: Part) -> Figure:
    draw = figures.residuals if run.target.task == "numbers" else figures.confusion
    return draw(run, part)


def _section(title: str, figure: Figure, described: str) -> str:
    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "kilter"}):
        figure.savefig(stream, format="png", dpi=130)
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<h2>{html.escape(title)}</h2><img alt="{html.escape(described)}" src="data:image/png;base64,{data}">\n'


def _table(rows: list[list[str]]) -> str:
    head, *body = ([html.escape(cell) for cell in row] for row in rows)
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in body]
    return f"<table>{''.join(lines)}</table>"


def _facts(run: Run, data: Dataset) -> str:
    epochs = len(run.history["loss"])
    seconds = f"{run.seconds['train']:.1f} s of training, {run.seconds['compile']:.1f} s to compile"
    notes = "".join(f" {note}" for note in data.notes)
    return f"{data!r}. Seed {run.seed}, {epochs} epochs, {seconds}.{notes}"
