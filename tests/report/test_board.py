"""The board's answers: what is there, how it goes, nothing outside, and nothing that a broken file could break."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from starlette.testclient import TestClient

from kilter.core.errors import InputError
from kilter.core.journal import ENDING, Journal
from kilter.report.board.index import Index
from kilter.report.board.log import Log
from kilter.report.board.server import board, serve

HEAD = {"metric": "accuracy", "higher_is_better": True, "members": [{"seed": 0, "epochs": 9, "settings": {}}]}


def journal(folder, name, epochs=3, title="iris", **facts):
    made = Journal(folder / name, "training", title, **HEAD | facts)
    made.add(first=0, members=[0], lines={"loss": np.linspace(2, 1, epochs)[None]})
    return made


@pytest.fixture
def folder(tmp_path):
    journal(tmp_path, "good").add(member=0, outcome="finished", score=0.9)
    journal(tmp_path, "deep/er/run")
    (tmp_path / f"broken{ENDING}").write_bytes(b"\x00\xff garbage")
    (tmp_path / f"empty{ENDING}").write_text("")
    (tmp_path / "notes.txt").write_text("no run")
    return tmp_path


@pytest.fixture
def client(folder):
    return TestClient(board(folder), base_url="http://127.0.0.1")


def states(client, **asked):
    return {run["id"]: run["state"] for run in client.get("/api/runs", params=asked).json()["runs"]}


def test_all_runs_are_there_and_broken_ones_are_shown_as_such(client):
    assert states(client) == {"good": "running", "deep/er/run": "running", "broken": "corrupt", "empty": "corrupt"}


def test_the_dead_are_shown_as_dead(folder, client):
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    made = journal(folder, "gone")
    lines = made.file.read_text().splitlines(keepends=True)
    head = json.loads(lines[0]) | {"pid": int(gone.stdout)}
    made.file.write_text(json.dumps(head) + "\n" + "".join(lines[1:]) + '{"first":3,"members":[0],"li')
    assert states(client)["gone"] == "dead"


def test_filter_order_and_pages(folder, client):
    for index in range(60):
        journal(folder, f"many{index}", title="wine").add(member=0, outcome="finished", score=index / 100)
    assert len(states(client, q="wine running")) == 50
    assert client.get("/api/runs", params={"q": "wine"}).json()["total"] == 60
    assert len(states(client, q="wine", offset=50)) == 10
    assert len(states(client, q="wine", offset="-3; drop")) == 50
    best = client.get("/api/runs", params={"q": "wine", "sort": "score"}).json()["runs"][0]
    assert (best["id"], best["score"]) == ("many59", 0.59)
    assert states(client, q="nothing like it") == {}


def test_lines_follow_what_is_appended(folder, client):
    made = journal(folder, "live")

    def drawn():
        (found,) = client.get("/api/lines", params={"id": "live", "line": "loss"}).json()["lines"]
        return [y for _, y in found["points"]]

    assert drawn() == [2.0, 1.5, 1.0]
    made.add(first=3, members=[0], lines={"loss": np.array([[0.5, np.nan]])})
    assert drawn() == [2.0, 1.5, 1.0, 0.5, None]
    with made.file.open("a") as stream:
        stream.write('{"first":5,"members":[0],"lines":{"loss":[[0.2')
    assert len(drawn()) == 5
    with made.file.open("a") as stream:
        stream.write("5]]}}\n")
    assert drawn()[-1] == 0.25


def test_long_runs_are_thinned_and_keep_their_peaks(folder, client):
    line = np.sin(np.arange(300_000) / 1000)
    line[123_456] = 7.0
    made = journal(folder, "long", epochs=1)
    made.add(first=0, members=[0], lines={"loss": line[None]})
    (found,) = client.get("/api/lines", params={"id": "long", "line": "loss"}).json()["lines"]
    assert len(found["points"]) <= 600
    assert max(y for _, y in found["points"]) == 7.0


@pytest.mark.parametrize(
    "asked", ["../good", "/etc/passwd", "..%2f..%2fetc%2fpasswd", "notes.txt", "", "deep", "good/../good"]
)
@pytest.mark.parametrize("where", ["/api/run", "/report"])
def test_nothing_outside_can_be_asked_for(client, where, asked):
    assert client.get(where, params={"id": asked}).status_code == 404


@pytest.mark.parametrize("name", ["../server.py", "..%2fserver.py", "report.js", "board.html"])
def test_other_files_are_not_served(client, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_nothing_can_be_written_and_other_hosts_are_refused(client):
    for method in ("post", "put", "patch", "delete"):
        assert getattr(client, method)("/api/runs").status_code == 405
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_policies(folder, client):
    (folder / "good").mkdir()
    (folder / "good" / "report.html").write_text("<p>page</p>")
    assert "script-src 'self'" in client.get("/").headers["content-security-policy"]
    page = client.get("/report", params={"id": "good"})
    assert page.text == "<p>page</p>"
    assert page.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert client.get("/api/runs").json()["runs"][0]["id"]


def test_an_index_tells_what_has_changed(folder):
    index = Index(folder)
    before = index.version
    assert index.look() == before
    journal(folder, "new")
    assert index.look(everything=True) > before
    assert index.changed(before) == ["new"]
    (folder / f"new{ENDING}").unlink()
    index.look(everything=True)
    assert not index.knows("new")


def test_a_log_that_was_replaced_is_read_anew(folder):
    made = journal(folder, "again", epochs=50)
    log = Log(made.file).refresh()
    assert len(log.line("loss", 0)) == 50
    journal(folder, "again", epochs=2)
    assert len(log.refresh().line("loss", 0)) == 2


def test_what_cannot_be_served_is_told_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        serve(tmp_path / "nowhere")
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=r"cannot listen at 127\.0\.0\.1, port"):
            serve(tmp_path, port=taken.getsockname()[1])
    with pytest.raises(InputError, match="cannot listen"):
        serve(tmp_path, port=99999)


def test_an_empty_folder_has_no_runs(tmp_path):
    assert TestClient(board(tmp_path), base_url="http://localhost").get("/api/runs").json()["total"] == 0


def test_unreadable_files_harm_no_others(folder, client):
    os.symlink("nowhere", folder / f"dangling{ENDING}")
    (folder / f"folder{ENDING}").mkdir()
    time.sleep(0.01)
    assert states(client)["good"] == "running"
