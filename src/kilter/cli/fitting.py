"""Commands that train one network and use it: fit, predict, demo, and the catalog of parts."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import kilter as kl
from kilter.cli.common import app, data_of, devices_of, folder_of, is_large, join, out, recipe_of, train
from kilter.core import files, job
from kilter.data.plain_tables import matrix, table_bytes


@app.command(
    epilog="Examples:  [bold]kilter fit wages.csv --target wage[/bold]   "
    "[bold]kilter fit churn.parquet --target left --out runs/churn --test 0.3 --seed 1[/bold]"
)
def fit(
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV or Parquet file with a column a feature and the target; or a folder of Parquet files."
        ),
    ],
    target: Annotated[str, typer.Option(help="Column to predict.")],
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for the run.", show_default="runs/TABLE")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the rows.", show_default="by number of rows")] = None,
    test: Annotated[float, typer.Option(help="Share of the rows kept for the final test.")] = 0.2,
    validation: Annotated[float, typer.Option(help="Share of the rows that decides when to stop.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of split, weights and order.")] = 0,
    recipe: Annotated[Path | None, typer.Option(help="JSON file of a recipe to use instead of the default.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder to keep the training in, so that the same command goes on there.")
    ] = None,
    every: Annotated[str, typer.Option(help="How often: seconds, 30s, 5min, 1h, '10 epochs'.")] = "5min",
    stream: Annotated[
        bool | None,
        typer.Option("--stream/--no-stream", help="Read the rows again every epoch.", show_default="if they are large"),
    ] = None,
    memory: Annotated[str, typer.Option(help="What the rows of a stream may take.")] = "1GiB",
    devices: Annotated[
        str | None,
        typer.Option(help="Devices that share each batch: a number, or all.", show_default="1, of a job all"),
    ] = None,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="Be one process of a job; on a cluster nothing more need be said.")
    ] = False,
    coordinator: Annotated[str | None, typer.Option(help="HOST:PORT at which process 0 of the job is found.")] = None,
    processes: Annotated[int | None, typer.Option(help="Processes of the job.")] = None,
    process: Annotated[int | None, typer.Option(help="Number of this process, from 0.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the other processes.")] = 60.0,
) -> None:
    """Train a network on a table and keep the run."""
    join(distributed, coordinator, processes, process, timeout)
    given = None if recipe is None else recipe_of(recipe)
    streamed = job.most(is_large(table))[0] if stream is None else stream
    data = data_of(table, target, validation, test, seed, memory if streamed else None)
    chosen = kl.recipes.suited(data, epochs=epochs) if given is None else given
    if given is not None and epochs is not None:
        chosen = chosen.replace(epochs=epochs)
    folder = folder_of(table, out_dir)
    train(chosen, data, seed, folder, checkpoint=checkpoint, every=every, devices=devices_of(devices))
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


@app.command()
def demo(
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the run and its page.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Seed of split, weights and order.")] = 0,
) -> None:
    """Train a network on handwritten digits that ship with scikit-learn, examine it, and write a page to open."""
    data = kl.data.digits(seed=seed)
    recipe = kl.recipes.suited(data)
    train(recipe, data, seed, out_dir, looked_at=True)


@app.command()
def catalog(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation.")] = False,
) -> None:
    """Print every part by family, with formula, source and when to choose it."""
    found = kl.catalog()
    sys.stdout.write(found.markdown() if markdown else f"{found!r}\n")
