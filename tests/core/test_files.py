"""Files and folders are written whole or not at all, and refusals are one sentence."""

import os
import stat

import pytest

from kilter.core import files
from kilter.core.errors import FileError


def owned(path):
    return (path / "mark").exists()


def fill_with(name, content=b"new"):
    def fill(fresh):
        files.write(fresh / name, content)

    return fill


def fails(*arguments):
    raise OSError(28, "No space left on device")


def one_sentence(error):
    text = str(error.value)
    return "\n" not in text and "Traceback" not in text and len(text) < 300


def test_write_and_read(tmp_path):
    path = tmp_path / "deep" / "er" / "file"
    files.write(path, b"\x00\xff")
    assert files.read(path) == b"\x00\xff"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, broken):
    path = tmp_path / "file"
    files.write(path, b"old")
    monkeypatch.setattr(os, broken, fails)
    with pytest.raises(FileError, match=r"cannot write .*file: No space left on device") as error:
        files.write(path, b"new")
    assert one_sentence(error)
    assert files.read(path) == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    path = tmp_path / "file"
    files.write(path, b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write(path, b"new")
    assert files.read(path) == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_reading_what_is_no_file(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match=f"cannot read .*{name}: ") as error:
        files.read(tmp_path / name)
    assert one_sentence(error)


@pytest.mark.parametrize(
    "action", [lambda p: files.write(p, b""), lambda p: files.write_folder(p, fill_with("a"), owned)]
)
def test_a_place_below_a_file_cannot_be_written(tmp_path, action):
    (tmp_path / "file").write_bytes(b"here")
    with pytest.raises(FileError, match="cannot write ") as error:
        action(tmp_path / "file" / "below" / "it")
    assert one_sentence(error)
    assert (tmp_path / "file").read_bytes() == b"here"


def test_write_folder_makes_and_replaces_its_own(tmp_path):
    path = tmp_path / "deep" / "folder"
    files.write_folder(path, fill_with("mark"), owned)
    files.write_folder(path, fill_with("other"), owned)
    assert [each.name for each in path.iterdir()] == ["other"]
    assert [each.name for each in path.parent.iterdir()] == ["folder"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_write_folder_takes_an_empty_folder(tmp_path):
    files.write_folder(tmp_path / "folder", lambda fresh: None, owned)
    files.write_folder(tmp_path / "folder", fill_with("mark"), owned)
    assert owned(tmp_path / "folder")


def foreign_folder(path):
    path.mkdir()
    (path / "thesis").write_bytes(b"mine")


@pytest.mark.parametrize("occupy", [foreign_folder, lambda path: path.write_bytes(b"mine")], ids=["folder", "file"])
def test_write_folder_refuses_what_is_not_its_own(tmp_path, occupy):
    path = tmp_path / "folder"
    occupy(path)
    with pytest.raises(FileError, match="something else stands there; name another folder or remove it") as error:
        files.write_folder(path, fill_with("mark"), owned)
    assert one_sentence(error)
    assert (path / "thesis" if path.is_dir() else path).read_bytes() == b"mine"
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_folder_whose_filling_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "folder"
    files.write_folder(path, fill_with("mark", b"old"), owned)

    def half(fresh):
        files.write(fresh / "mark", b"new")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        files.write_folder(path, half, owned)
    assert files.read(path / "mark") == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("failing", [1, 2], ids=["moving the old one away", "moving the new one in"])
def test_a_folder_that_cannot_be_swapped_leaves_the_old_one(tmp_path, monkeypatch, failing):
    path = tmp_path / "folder"
    files.write_folder(path, fill_with("mark", b"old"), owned)
    calls, replace = [], os.replace

    def sometimes(source, target):
        if "mark" not in str(target):
            calls.append(target)
            if len(calls) == failing:
                fails()
        replace(source, target)

    monkeypatch.setattr(os, "replace", sometimes)
    with pytest.raises(FileError, match="No space left"):
        files.write_folder(path, fill_with("mark"), owned)
    assert files.read(path / "mark") == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
