"""The command line: each command is a thin door to the function of that name."""

import gc
import sys
import warnings
from typing import Annotated, Any

import jax
import typer

import kilter as kl
from kilter.cli import doctoring, experimenting, fitting, searching, showing
from kilter.cli.common import app, out
from kilter.distributed.start import end

__all__ = ["app", "doctoring", "experimenting", "fitting", "main", "searching", "showing"]


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


def _note(message: Warning | str, category: type[Warning], *_: Any) -> None:
    if not out.quiet:
        sys.stderr.write(f"kilter: note: {message}\n")


def main() -> None:
    """Run the command line; what the user can mend is one sentence on standard error and exit code 2."""
    warnings.showwarning = _note
    gc.freeze()  # what was imported stays, and need not be looked through again
    try:
        app()
    except kl.InputError as error:
        sys.exit(end(_failed(str(error))))
    except (OSError, MemoryError) as error:
        sys.exit(end(_failed(str(error) or type(error).__name__)))
    except KeyboardInterrupt:
        sys.exit(end(130))


def _failed(sentence: str) -> int:
    sys.stderr.write(f"kilter: {' '.join(sentence.split())}\n")
    return 2
