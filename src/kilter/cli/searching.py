"""The command that searches for hyper-parameters."""

from pathlib import Path
from typing import Annotated, Any

import typer

import kilter as kl
from kilter.cli.common import app, data_of, folder_of, out, recipe_of
from kilter.search.importance import LEAST
from kilter.search.storage import settings
from kilter.train import store

_STRATEGIES: dict[str, Any] = {kind.__name__.lower(): kind for kind in kl.strategies.ALL}


@app.command(
    epilog="Examples:  [bold]kilter search wages.csv --target wage --trials 128 --storage studies/wages[/bold]   "
    "[bold]kilter search wages.csv --target wage --resume studies/wages[/bold]"
)
def search(
    table: Annotated[Path, typer.Argument(help="CSV or Parquet file with a column a feature and the target.")],
    target: Annotated[str, typer.Option(help="Column to predict.")],
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for the best run.", show_default="runs/TABLE")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Networks to try.", show_default="64")] = None,
    minutes: Annotated[
        float | None, typer.Option("--time", help="Minutes after which no more training begins.")
    ] = None,
    strategy: Annotated[str | None, typer.Option(help=f"One of {', '.join(_STRATEGIES)}.", show_default="tpe")] = None,
    objective: Annotated[
        list[str] | None, typer.Option(help="What is wanted beside the score: parameters or seconds; may be repeated.")
    ] = None,
    storage: Annotated[Path | None, typer.Option(help="Folder to keep the study in, to go on with later.")] = None,
    space: Annotated[Path | None, typer.Option(help="JSON file of a recipe with distributions to search.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Folder of a study to go on with, in its space.")] = None,
    test: Annotated[float, typer.Option(help="Share of the rows kept for the final test.")] = 0.2,
    validation: Annotated[float, typer.Option(help="Share of the rows that decides.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of split and strategy.")] = 0,
) -> None:
    """Search for the network that predicts a table best, and keep it."""
    folder = folder_of(table, out_dir)
    store.check_free(folder)
    if resume is not None and (storage, space, strategy, objective) != (None, None, None, None):
        raise kl.InputError(
            "--resume goes on as the study began; leave out --storage, --space, --strategy and --objective"
        )
    fresh = {"strategy": _strategy(strategy), "seed": seed, "trials": 64, "objectives": ("score", *(objective or ()))}
    given = fresh if resume is None else settings(resume)
    data = data_of(table, target, validation, test, given["seed"])
    if resume is None:
        given |= {"space": kl.recipes.opened(data) if space is None else recipe_of(space), "storage": storage}
    given |= {} if trials is None else {"trials": trials}
    out.print(data)
    study = kl.search(data=data, time_limit=None if minutes is None else 60 * minutes, log=folder, **given)
    best = study.best
    out.print(repr(study), markup=False)
    out.print((study.leaderboard(5) if len(study.objectives) == 1 else study.front).to_string(), markup=False)
    if len(study.ranked) >= LEAST:
        out.print(study.importance().to_string(float_format="{:.2f}".format), markup=False)
    best.run.save(folder)
    page = kl.report(study).save(folder / "report.html")
    out.print(f"The best run is in [bold]{folder}[/bold]; predict with: [bold]kilter predict {folder} NEW_TABLE[/bold]")
    out.print(f"Open [bold]{page.resolve()}[/bold]")


def _strategy(name: str | None) -> Any:
    if name is None:
        return None
    if name.lower() not in _STRATEGIES:
        raise kl.InputError(f"--strategy {name}: there is no such strategy; choose one of {', '.join(_STRATEGIES)}")
    return _STRATEGIES[name.lower()]()
