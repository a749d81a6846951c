"""Command of the lab: its settings are the parameters of the experiments."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

import kilter as kl
from kilter.cli.common import app, out
from kilter.core import files
from kilter.core.errors import InputError
from kilter.core.paths import nearest

if TYPE_CHECKING:
    from kilter.lab import Experiment

# Rows of a table that are printed.
_SHOWN = 20
_ANY = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(
    name="lab",
    context_settings=_ANY,
    epilog="Examples:  [bold]kilter lab gain --depth 100 --gains 0.8,1,1.2[/bold]   [bold]kilter lab --all[/bold]",
)
def experiments(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Of the experiment.", show_default="list all")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Make all of them and write a page.")] = False,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for figures, tables and the page.")] = Path("runs/lab"),
) -> None:
    """Show by an experiment why a technique exists; further options are its own settings."""
    if everything and name is not None:
        raise InputError(f"kilter lab --all takes neither a name nor settings, got {name!r}")
    if everything:
        _page(out_dir)
    elif name is None:
        for each, make in kl.lab.ALL.items():
            out.print(f"[bold]{each}[/bold]  {_question(make)}\n    [dim]{' '.join(_options(make))}[/dim]")
    else:
        found = _made(name, _given(name, context.args), out_dir)
        out.print(_table(found))
        out.print(found.sentence, markup=False)
        out.print(f"Open [bold]{(out_dir / name / 'figure.png').resolve()}[/bold]")


def _made(name: str, given: dict[str, Any], folder: Path) -> "Experiment":
    files.check_folder(folder / name, kl.lab.experiment.is_experiment)
    found = kl.lab.ALL[name](**given)
    found.save(folder / name)
    return found


def _page(folder: Path) -> None:
    for name in kl.lab.ALL:
        files.check_folder(folder / name, kl.lab.experiment.is_experiment)
    found = []
    for name in kl.lab.ALL:
        found.append(_made(name, {}, folder))
        out.print(f"[bold]{name}[/bold]: ", end="")
        out.print(found[-1].sentence, markup=False)
    path = folder / "index.html"
    files.write(path, kl.lab.gallery.gallery(found).encode())
    out.print(f"Open [bold]{path.resolve()}[/bold]")


def _known(name: str) -> str:
    if name not in kl.lab.ALL:
        raise InputError(f"there is no experiment {name!r}{nearest(name, kl.lab.ALL)}; kilter lab lists all")
    return name


def _question(make: "Callable[..., Experiment]") -> str:
    return (inspect.getdoc(make) or "").split("\n")[0]


def _defaults(make: "Callable[..., Experiment]") -> dict[str, Any]:
    return {each.name: each.default for each in inspect.signature(make).parameters.values()}


def _options(make: "Callable[..., Experiment]") -> Iterator[str]:
    for name, default in _defaults(make).items():
        yield f"--{name.replace('_', '-')} {','.join(map(str, default)) if isinstance(default, tuple) else default}"


def _given(name: str, words: list[str]) -> dict[str, Any]:
    """Settings from words such as ``--depth 100``."""
    defaults, given = _defaults(kl.lab.ALL[_known(name)]), {}
    while words:
        option, *words = [*words[0].split("=", 1), *words[1:]]
        setting = option.removeprefix("--").replace("-", "_")
        if not option.startswith("--") or setting not in defaults:
            known = ", ".join(f"--{each.replace('_', '-')}" for each in defaults)
            raise InputError(f"kilter lab {name} has no setting {option!r}; it has {known}")
        if not words:
            raise InputError(f"kilter lab {name}: {option} needs a value")
        given[setting] = _read(option, words.pop(0), defaults[setting])
    return given


def _read(option: str, word: str, default: Any) -> Any:
    """A word as what the default is: a number, a word, or several of them with commas between."""
    if isinstance(default, tuple):
        return tuple(_read(option, each.strip(), default[0]) for each in word.split(","))
    kind = type(default)
    try:
        return kind(word)
    except ValueError:
        raise InputError(f"{option} needs {'a whole number' if kind is int else 'a number'}, got {word!r}") from None


def _table(found: "Experiment") -> Table:
    frame = found.frame
    table = Table(box=None, padding=(0, 2, 0, 0), caption=_caption(len(frame)), caption_justify="left")
    for name in frame:
        table.add_column(str(name), justify="right" if frame[name].dtype.kind in "fi" else "left")
    for row in frame.head(_SHOWN).itertuples(index=False):
        table.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row))
    return table


def _caption(rows: int) -> str | None:
    return f"{rows - _SHOWN} more rows in table.csv" if rows > _SHOWN else None
