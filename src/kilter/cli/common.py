"""What the commands share: the application, its console, and reading what a user names on the command line."""

import warnings
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

import kilter as kl
from kilter.core import files
from kilter.core.devices import free_memory
from kilter.data.dataset import Dataset
from kilter.report import learned
from kilter.train import store
from kilter.train.streaming import StreamError

app = typer.Typer(
    name="kilter",
    help="Trains deep networks and keeps them trainable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
# A table in memory takes up to so many times its Parquet file: as text or numbers of eight bytes, encoded and scaled.
_OPENED = 12
out = Console(highlight=False, soft_wrap=True)


def folder_of(table: Path, out_dir: Path | None) -> Path:
    """Where results go."""
    return Path("runs") / table.name.split(".")[0] if out_dir is None else out_dir


def recipe_of(file: Path) -> kl.Recipe:
    """A recipe from its JSON file."""
    return kl.Recipe.from_json(files.read(file).decode(errors="replace"))


def is_large(table: Path) -> bool:
    """Whether a table is better streamed: a folder, or a Parquet file that opened would take most of the memory."""
    free = free_memory()
    opened = table.suffix.lower() in (".parquet", ".pq") and table.is_file() and _OPENED * table.stat().st_size
    return table.is_dir() or (free is not None and opened > free)


def data_of(table: Path, target: str, validation: float, test: float, seed: int, memory: str | None = None) -> Dataset:
    """The rows of a table; those of a stream where the memory that they may take is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kl.DoubtWarning)  # they stand in the notes, which are printed
        held: dict[str, Any] = {"validation": validation, "test": test, "seed": seed}
        if memory is not None:
            return kl.data.stream(table, target=target, memory=memory, **held)
        return kl.data.from_table(table, target=target, **held)


def join(wanted: bool, coordinator: str | None, processes: int | None, process: int | None, timeout: float) -> None:
    """Be one process of a job, where that is wanted; only the first one prints."""
    given = {"coordinator": coordinator, "processes": processes, "process": process}
    if wanted:
        kl.distributed.start(**given, timeout=timeout)
        out.quiet = not kl.distributed.first()
    elif named := [f"--{name}" for name, value in given.items() if value is not None]:
        raise kl.InputError(f"{named[0]} is for a job of several processes; say --distributed too")


def devices_of(text: str | None) -> int | str | None:
    """The number of devices in an option, or the word as it is."""
    return int(text) if text is not None and text.isdigit() else text


def train(recipe: kl.Recipe, data: Dataset, seed: int, folder: Path, *, looked_at: bool = False, **more: Any) -> None:
    """Train, save, print the scores and where the page is; ``looked_at`` also examines it and shows its signals.

    What else is given (``checkpoint``, ``every``, ``devices``) goes to `kilter.train`.
    """
    store.check_free(folder)
    out.print(data)
    for note in data.notes:
        out.print(f"[dim]{note}[/dim]", markup=True)
    watch = kl.Watch(every=max(recipe.epochs // 20, 1)) if looked_at else None
    run = _trained(folder, recipe, data, seed=seed, watch=watch, log=folder, **more)
    if not kl.distributed.first():
        return
    out.print(_scores(run, data))
    out.print(learned.lead(run, data), markup=False)
    run.save(folder)
    checkup = kl.examine(recipe, data, seed=seed) if looked_at else None
    if checkup is not None:
        out.print(str(checkup), markup=False)
    path = kl.report(run, data, checkup=checkup).save(folder / "report.html")
    out.print(f"The run is in [bold]{folder}[/bold]; open [bold]{path.resolve()}[/bold]")


def _trained(folder: Path, recipe: kl.Recipe, data: Dataset, **given: Any) -> kl.Run:
    """The run; what a stream that breaks off has left is saved before it is said."""
    try:
        return kl.train(recipe, data, **given)
    except StreamError as error:
        error.runs[0].save(folder)
        out.print(f"What was trained is in [bold]{folder}[/bold]")
        raise


def _scores(run: kl.Run, data: Dataset) -> Table:
    head, *rows = learned.score_rows(run, data)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in head:
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        table.add_row(*row)
    return table
