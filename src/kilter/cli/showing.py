"""Commands that show what is there: the report and the board."""

from pathlib import Path
from typing import Annotated

import typer

from kilter.cli.common import app, data_of, out
from kilter.core.errors import InputError
from kilter.report.folder import of_folder


@app.command(
    epilog="Examples:  [bold]kilter report runs/wages[/bold]   "
    "[bold]kilter report runs/wages --table wages.csv --target wage[/bold]"
)
def report(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of a run, a study or a cure, one that holds folders of runs, or the file of a checkup."
        ),
    ],
    table: Annotated[Path | None, typer.Option(help="The table it was trained on: shows predictions, too.")] = None,
    target: Annotated[str | None, typer.Option(help="Its column to predict; needed with --table.")] = None,
    validation: Annotated[float, typer.Option(help="Share of the rows that decided.")] = 0.2,
    test: Annotated[float, typer.Option(help="Share of the rows kept for the end.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Page to write.", show_default="FOLDER/report.html")
    ] = None,
) -> None:
    """Write a page on what was saved, or on all runs of a folder: did it learn, is it healthy, what to do, the evidence."""
    if (table is None) != (target is None):
        raise InputError("--table and --target belong together: the rows and the column to predict")
    data = None if table is None or target is None else data_of(table, target, validation, test, seed)
    made = of_folder(folder, data)
    beside = folder if folder.is_dir() else folder.parent
    path = made.save(beside / "report.html" if out_file is None else out_file)
    out.print(f"Open [bold]{path.resolve()}[/bold]")


@app.command(epilog="Example:  [bold]kilter board runs[/bold]")
def board(
    folder: Annotated[Path, typer.Argument(help="Folder of runs.")] = Path("runs"),
    port: Annotated[int, typer.Option(help="Port to listen at; 0 for any that is free.")] = 8765,
    host: Annotated[str, typer.Option(help="Address to listen at; beware of others than this machine.")] = "127.0.0.1",
) -> None:
    """Show what goes on in a folder, live, on a page of this machine: trainings, cures and searches; Ctrl-C ends it."""
    from kilter.report.board.server import serve  # takes long to import

    serve(folder, host, port, lambda url: out.print(f"The board of [bold]{folder}[/bold] is at [bold]{url}[/bold]"))
