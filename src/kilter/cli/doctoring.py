"""Commands of the doctor: examine, cure, explain."""

from pathlib import Path
from typing import Annotated

import typer

import kilter as kl
from kilter.cli.common import app, data_of, folder_of, out, recipe_of
from kilter.core import files
from kilter.data.dataset import Dataset
from kilter.doctor import Checkup, lexicon

_TABLE = Annotated[Path, typer.Argument(help="CSV or Parquet file with a column a feature and the target.")]
_VALIDATION = Annotated[float, typer.Option(help="Share of the rows that decides.")]
_SEED = Annotated[int, typer.Option(help="Seed of split and of the first training.")]
_RECIPE = Annotated[
    Path | None, typer.Option(help="JSON file of the recipe.", show_default="the default for such a table")
]


@app.command(
    epilog="Examples:  [bold]kilter examine wages.csv --target wage --recipe mine.json[/bold]   "
    "[bold]kilter examine runs/wages[/bold]"
)
def examine(
    subject: Annotated[Path, typer.Argument(help="CSV or Parquet file, or the folder of a run.")],
    target: Annotated[str | None, typer.Option(help="Column to predict; for a table.")] = None,
    recipe: _RECIPE = None,
    full: Annotated[bool, typer.Option("--full", help="Train to the end on five seeds.")] = False,
    validation: _VALIDATION = 0.2,
    seed: _SEED = 0,
    out_file: Annotated[Path | None, typer.Option("--out", help="JSON file to write.")] = None,
) -> None:
    """Say whether a training is healthy, and what is wrong with it: exit code 0 when it is, 1 with findings."""
    if subject.is_dir():
        check = kl.examine(kl.load(subject))
    else:
        data = _rows(subject, target, validation, seed)
        given = kl.recipes.suited(data) if recipe is None else recipe_of(recipe)
        check = kl.examine(given, data, depth="full" if full else "quick", seed=seed)
    _tell(check)
    if out_file is not None:
        check.save(out_file)
    raise typer.Exit(1 if check.findings else 0)


@app.command(epilog="Example:  [bold]kilter cure wages.csv --target wage --recipe mine.json --out runs/cure[/bold]")
def cure(
    table: _TABLE,
    target: Annotated[str, typer.Option(help="Column to predict.")],
    recipe: _RECIPE = None,
    seeds: Annotated[int, typer.Option(help="Seeds of the proof.")] = 5,
    budget: Annotated[int, typer.Option(help="Trainings that may be made.")] = 400,
    validation: _VALIDATION = 0.2,
    seed: _SEED = 0,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for recipe and trials.", show_default="runs/TABLE-cure")
    ] = None,
) -> None:
    """Find out what helps a training by trying it: exit code 0 when healthy or healed, 1 where nothing was proved."""
    folder = folder_of(Path(f"{table.name.split('.')[0]}-cure"), out_dir)
    files.check_folder(folder, lambda path: (path / "cure.json").is_file())
    data = _rows(table, target, validation, seed)
    given = kl.recipes.suited(data) if recipe is None else recipe_of(recipe)
    found = kl.cure(given, data, seeds=seeds, budget=budget, seed=seed, log=folder)
    _tell(found.checkup)
    out.print(found.sentence, markup=False)
    if found.healed:
        out.print(repr(found.diff), markup=False)
        found.save(folder)
        page = kl.report(found, data).save(folder / "report.html")
        out.print(f"Open [bold]{page.resolve()}[/bold]")
        out.print(f"Recipe and trials are in [bold]{folder}[/bold]; train with: ", end="")
        out.print(f"[bold]kilter fit {table} --target {target} --recipe {folder / 'recipe.json'}[/bold]")
    raise typer.Exit(0 if found.healed or found.checkup.healthy else 1)


@app.command(epilog="Examples:  [bold]kilter explain dead_units[/bold]   [bold]kilter explain[/bold]")
def explain(
    symptom: Annotated[str | None, typer.Argument(help="Symptom, rule or cause.", show_default="list all")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation.")] = False,
) -> None:
    """Say what a symptom is, how it is measured, its source and its remedies."""
    if markdown:
        out.file.write(lexicon.page())
        return
    out.print(lexicon.listed() if symptom is None else lexicon.entry(symptom), markup=False)


def _rows(table: Path, target: str | None, validation: float, seed: int) -> Dataset:
    if target is None:
        raise kl.InputError(f"--target is missing: name the column of {table} to predict, or give the folder of a run")
    return data_of(table, target, validation, 0.0, seed)


def _tell(check: Checkup) -> None:
    out.print(str(check), markup=False)
    for note in check.notes:
        out.print(f"note: {note.told}", markup=False, style="dim")
