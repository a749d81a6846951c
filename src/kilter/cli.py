"""The command line: each command is a thin door to the function of that name."""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import jax
import typer
from rich.console import Console
from rich.table import Table

import kilter as kl
from kilter.core import files
from kilter.data.dataset import Dataset
from kilter.data.plain_tables import matrix, table_bytes
from kilter.report import page
from kilter.search.importance import LEAST
from kilter.search.storage import settings
from kilter.train import store

app = typer.Typer(
    name="kilter",
    help="Trains deep networks and keeps them trainable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_STRATEGIES: dict[str, Any] = {kind.__name__.lower(): kind for kind in kl.strategies.ALL}
out = Console(highlight=False, soft_wrap=True)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"kilter {kl.__version__}, jax {jax.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print versions and exit.")
    ] = False,
) -> None:
    pass


@app.command(
    epilog="Examples:  [bold]kilter fit wages.csv --target wage[/bold]   "
    "[bold]kilter fit churn.parquet --target left --out runs/churn --test 0.3 --seed 1[/bold]"
)
def fit(
    table: Annotated[Path, typer.Argument(help="CSV or Parquet file with a column a feature and the target.")],
    target: Annotated[str, typer.Option(help="Column to predict.")],
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for the run.", show_default="runs/TABLE")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the rows.", show_default="by number of rows")] = None,
    test: Annotated[float, typer.Option(help="Share of the rows kept for the final test.")] = 0.2,
    validation: Annotated[float, typer.Option(help="Share of the rows that decides when to stop.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of split, weights and order.")] = 0,
    recipe: Annotated[Path | None, typer.Option(help="JSON file of a recipe to use instead of the default.")] = None,
) -> None:
    """Train a network on a table and keep the run."""
    given = None if recipe is None else _recipe(recipe)
    data = _data(table, target, validation, test, seed)
    chosen = kl.recipes.suited(data, epochs=epochs) if given is None else given
    if given is not None and epochs is not None:
        chosen = chosen.replace(epochs=epochs)
    folder = _folder(table, out_dir)
    _train(chosen, data, seed, folder)
    out.print(f"Predict with: [bold]kilter predict {folder} NEW_TABLE --out predictions.csv[/bold]")


@app.command(epilog="Example:  [bold]kilter predict runs/wages new.csv --out predictions.csv[/bold]")
def predict(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a run.")],
    table: Annotated[Path, typer.Argument(help="CSV or Parquet file with the columns that the run was trained on.")],
    out_file: Annotated[
        Path | None, typer.Option("--out", help="CSV or Parquet file to write.", show_default="standard output")
    ] = None,
) -> None:
    """Predict the rows of a table with a saved run: classes with their probabilities, or numbers."""
    run = kl.load(run_dir)
    rows = table if run.door is not None else matrix(table)
    columns: dict[str, Any] = {"prediction": run.predict(rows)}
    if run.target.task == "classes":
        chances = run.predict_proba(rows)
        columns |= {f"probability of {name}": chances[:, index] for index, name in enumerate(run.classes)}
    if out_file is None:
        sys.stdout.write(table_bytes(columns, Path("-.csv")).decode())
        return
    files.write(out_file, table_bytes(columns, out_file))
    out.print(f"{len(columns['prediction'])} predictions in [bold]{out_file}[/bold]")


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
    folder = _folder(table, out_dir)
    store.check_free(folder)
    if resume is not None and (storage, space, strategy, objective) != (None, None, None, None):
        raise kl.InputError(
            "--resume goes on as the study began; leave out --storage, --space, --strategy and --objective"
        )
    fresh = {"strategy": _strategy(strategy), "seed": seed, "trials": 64, "objectives": ("score", *(objective or ()))}
    given = fresh if resume is None else settings(resume)
    data = _data(table, target, validation, test, given["seed"])
    if resume is None:
        given |= {"space": kl.recipes.opened(data) if space is None else _recipe(space), "storage": storage}
    given |= {} if trials is None else {"trials": trials}
    out.print(data)
    study = kl.search(data=data, time_limit=None if minutes is None else 60 * minutes, **given)
    best = study.best
    out.print(repr(study), markup=False)
    out.print((study.leaderboard(5) if len(study.objectives) == 1 else study.front).to_string(), markup=False)
    if len(study.ranked) >= LEAST:
        out.print(study.importance().to_string(float_format="{:.2f}".format), markup=False)
    best.run.save(folder)
    out.print(f"The best run is in [bold]{folder}[/bold]; predict with: [bold]kilter predict {folder} NEW_TABLE[/bold]")


def _folder(table: Path, out_dir: Path | None) -> Path:
    return Path("runs") / table.name.split(".")[0] if out_dir is None else out_dir


def _recipe(file: Path) -> kl.Recipe:
    return kl.Recipe.from_json(files.read(file).decode(errors="replace"))


def _data(table: Path, target: str, validation: float, test: float, seed: int) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kl.DoubtWarning)  # they stand in the notes, which are printed
        return kl.data.from_table(table, target=target, validation=validation, test=test, seed=seed)


def _strategy(name: str | None) -> Any:
    if name is None:
        return None
    if name.lower() not in _STRATEGIES:
        raise kl.InputError(f"--strategy {name}: there is no such strategy; choose one of {', '.join(_STRATEGIES)}")
    return _STRATEGIES[name.lower()]()


@app.command()
def demo(
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the run and its page.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Seed of split, weights and order.")] = 0,
) -> None:
    """Train a network on handwritten digits that ship with scikit-learn and write a page to open."""
    data = kl.data.digits(seed=seed)
    recipe = kl.recipes.suited(data)
    _train(recipe, data, seed, out_dir)


@app.command()
def catalog(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation.")] = False,
) -> None:
    """Print every part by family, with formula, source and when to choose it."""
    found = kl.catalog()
    sys.stdout.write(found.markdown() if markdown else f"{found!r}\n")


def _train(recipe: kl.Recipe, data: Dataset, seed: int, folder: Path) -> None:
    """Train, save, print the scores and where the page is."""
    store.check_free(folder)
    out.print(data)
    for note in data.notes:
        out.print(f"[dim]{note}[/dim]", markup=True)
    run = kl.train(recipe, data, seed=seed)
    out.print(_scores(run, data))
    out.print(page.lead(run, data), markup=False)
    run.save(folder)
    path = page.write(run, data, folder / "report.html")
    out.print(f"The run is in [bold]{folder}[/bold]; open [bold]{path.resolve()}[/bold]")


def _scores(run: kl.Run, data: Dataset) -> Table:
    head, *rows = page.score_rows(run, data)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in head:
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _note(message: Warning | str, category: type[Warning], *_: Any) -> None:
    sys.stderr.write(f"kilter: note: {message}\n")


def _cache() -> None:
    """Keep compiled programs between calls, where the user has not said otherwise."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        jax.config.update("jax_compilation_cache_dir", str(home / "kilter" / "xla"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def main() -> None:
    """Run the command line; what the user can mend is one sentence on standard error and exit code 2."""
    warnings.showwarning = _note
    _cache()
    try:
        app()
    except kl.InputError as error:
        sys.exit(_failed(str(error)))
    except (OSError, MemoryError) as error:
        sys.exit(_failed(str(error) or type(error).__name__))
    except KeyboardInterrupt:
        sys.exit(130)


def _failed(sentence: str) -> int:
    sys.stderr.write(f"kilter: {' '.join(sentence.split())}\n")
    return 2
