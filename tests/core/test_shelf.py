"""The folder of things that can be made anew."""

import os

from kilter.core.shelf import Shelf


def test_what_is_kept_is_found(tmp_path):
    shelf = Shelf(tmp_path / "deep", ".kept")
    assert shelf.find("a") is None
    shelf.keep("a", b"one")
    shelf.keep("b", b"")
    assert (shelf.find("a"), shelf.find("b")) == (b"one", b"")


def test_a_file_that_was_cut_or_changed_or_is_another_s_goes(tmp_path):
    shelf = Shelf(tmp_path, ".kept")
    for broken in (b"", b"short", b"x" * 100):
        (tmp_path / "a.kept").write_bytes(broken)
        assert shelf.find("a") is None
        assert not (tmp_path / "a.kept").exists()
    shelf.keep("a", b"content")
    whole = (tmp_path / "a.kept").read_bytes()
    (tmp_path / "a.kept").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert shelf.find("a") is None


def test_there_is_room_for_what_was_asked_for_last(tmp_path):
    shelf = Shelf(tmp_path, ".kept", room=400)
    (tmp_path / "mine.txt").write_bytes(bytes(1000))
    for age, name in enumerate("abc"):
        shelf.keep(name, bytes(100))
        os.utime(tmp_path / f"{name}.kept", (age, age))
    assert shelf.find("a") == bytes(100)  # which makes it the youngest
    shelf.keep("d", bytes(100))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.kept", "c.kept", "d.kept", "mine.txt"]


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path):
    (tmp_path / "file").touch()
    shelf = Shelf(tmp_path / "file" / "folder", ".kept")
    shelf.keep("a", b"one")
    assert shelf.find("a") is None
    shelf.drop("a")
