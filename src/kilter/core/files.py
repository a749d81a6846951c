"""Writing files so that a reader sees the old one or the new one, never half of it."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kilter.core.errors import FileError


@contextmanager
def _sentences(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(f"cannot {action} {path}: {error.strerror or error}") from error


def write(path: Path, content: bytes) -> None:
    """Write a file atomically: temporary file beside it, fsync, rename."""
    with _sentences("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def read(path: Path) -> bytes:
    """Contents of a file, or a `FileError` of one sentence."""
    with _sentences("read", path):
        return path.read_bytes()


def write_folder(path: Path, fill: Callable[[Path], None], owned: Callable[[Path], bool]) -> None:
    """Write a folder as a whole: filled beside its place, then renamed; what stood there goes only after that.

    A folder already there is replaced if it is empty or ``owned`` says that it is one of ours; any other is left alone.
    """
    check_folder(path, owned)
    with _sentences("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            fill(fresh)
            os.chmod(fresh, 0o755)
            _swap(fresh, path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def check_folder(path: Path, owned: Callable[[Path], bool]) -> None:
    """Refuse a folder that `write_folder` could not write, before the work that is to go there is done."""
    with _sentences("write", path):
        if path.exists() and not (path.is_dir() and (not any(path.iterdir()) or owned(path))):
            raise FileError(f"cannot write {path}: something else stands there; name another folder or remove it")
        nearest = next(parent for parent in path.absolute().parents if parent.exists())
        with tempfile.TemporaryFile(dir=nearest):
            pass


def _swap(fresh: Path, path: Path) -> None:
    """Put ``fresh`` in the place of ``path``; what stood there comes back if that fails."""
    if not path.exists():
        os.replace(fresh, path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    try:
        os.replace(path, aside)
    except OSError:
        aside.rmdir()
        raise
    try:
        os.replace(fresh, path)
    except BaseException:
        os.replace(aside, path)
        raise
    shutil.rmtree(aside, ignore_errors=True)
