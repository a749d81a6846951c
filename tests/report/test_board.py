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
from kilter.report.board.curve import KEPT, Curve
from kilter.report.board.index import Index
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


def rewritten(made, **facts):
    """The journal with other facts in its head."""
    first, *rest = made.file.read_text().splitlines(keepends=True)
    made.file.write_text(json.dumps(json.loads(first) | facts) + "\n" + "".join(rest))


def states(client, **asked):
    return {run["id"]: run["state"] for run in client.get("/api/runs", params=asked).json()["runs"]}


def test_all_runs_are_there_and_broken_ones_are_shown_as_such(client):
    assert states(client) == {"good": "running", "deep/er/run": "running", "broken": "corrupt", "empty": "corrupt"}


def test_the_dead_are_shown_as_dead(folder, client):
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    made = journal(folder, "gone")
    rewritten(made, pid=int(gone.stdout))
    with made.file.open("a") as stream:
        stream.write('{"first":3,"members":[0],"li')
    assert states(client)["gone"] == "dead"


def test_a_number_that_another_process_has_by_now_is_no_sign_of_life(folder, client):
    made = journal(folder, "again")
    assert states(client)["again"] == "running"
    rewritten(made, born=1)
    assert states(client)["again"] == "dead"


def test_what_has_ended_but_was_not_waited_for_is_dead(folder, client):
    with subprocess.Popen(["true"]) as gone:
        time.sleep(0.5)  # it is over, and its number is still taken
        rewritten(journal(folder, "undead"), pid=gone.pid, born=None)
        assert states(client)["undead"] == "dead"


def test_those_of_other_machines_are_silent_after_a_while(folder, client):
    made = journal(folder, "far")
    rewritten(made, where="elsewhere", pid=1)
    assert states(client)["far"] == "running"
    os.utime(made.file, (0, time.time() - 300))
    assert states(client)["far"] == "silent"


def test_filter_order_and_pages(folder, client):
    for index in range(60):
        journal(folder, f"many{index}", title="wine").score(index / 100, member=0, outcome="finished")
    assert len(states(client, q="wine running")) == 50
    assert client.get("/api/runs", params={"q": "wine"}).json()["total"] == 60
    assert len(states(client, q="wine", offset=50)) == 10
    assert len(states(client, q="wine", offset="-3; drop")) == 50
    for sort, id, score in (("highest", "many59", 0.59), ("lowest", "many0", 0.0)):
        best = client.get("/api/runs", params={"q": "wine", "sort": sort}).json()["runs"][0]
        assert (best["id"], best["score"]) == (id, score)
    assert set(states(client, state="corrupt")) == {"broken", "empty"}
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
    asked = {"id": "long", "line": "loss", "from": 123_000, "to": 124_000}
    (closer,) = client.get("/api/lines", params=asked).json()["lines"]
    inside = [x for x, _ in closer["points"] if 123_000 <= x <= 124_000]
    assert len(inside) > 50
    assert 123_457 in inside


def test_a_curve_takes_bounded_space_and_loses_no_peak():
    curve, rng = Curve(), np.random.default_rng(0)
    numbers = rng.random(1_000_000)
    peaks = rng.choice(len(numbers), 20, replace=False)
    numbers[peaks] += 5.0
    for first in range(0, len(numbers), 5000):
        curve.add(np.arange(first, first + 5000), numbers[first : first + 5000])
        assert len(curve.x) <= KEPT + 5000
    assert np.all(np.diff(curve.x) > 0)
    assert np.isin(peaks, curve.x).sum() >= 19  # two may share a stretch
    np.testing.assert_allclose(curve.y, numbers[curve.x], rtol=1e-6)
    assert np.diff(curve.x).max() < 500


def test_epochs_that_come_again_replace_those_that_were():
    curve = Curve()
    curve.add(np.arange(1, 6), np.zeros(5))
    curve.add(np.arange(3, 5), np.ones(2))
    assert curve.x.tolist() == [1, 2, 3, 4]
    assert curve.y.tolist() == [0, 0, 1, 1]


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
    assert index.look(now=True) > before
    assert index.changed(before) == ["new"]
    (folder / f"new{ENDING}").unlink()
    index.look(now=True)
    assert not index.knows("new")


def test_a_log_that_was_replaced_is_read_anew(folder):
    journal(folder, "again", epochs=5)
    index = Index(folder)
    first = index.log("again")
    assert len(first.curves["loss"][0].x) == 5
    journal(folder, "again", epochs=50)  # longer than the first, so that its size tells nothing
    assert not first.refresh()
    assert len(index.log("again").curves["loss"][0].x) == 50


def test_a_run_that_was_removed_is_gone(folder, client):
    assert client.get("/api/run", params={"id": "good"}).status_code == 200
    (folder / f"good{ENDING}").unlink()
    index = client.app.state.index
    assert index.log("good") is None
    index.look(now=True)
    assert client.get("/api/run", params={"id": "good"}).status_code == 404
    assert client.get("/api/lines", params={"id": "good", "line": "loss"}).json()["lines"] == []


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
    os.mkfifo(folder / f"pipe{ENDING}")
    (folder / os.fsdecode(b"\xff\xfe.log.jsonl")).write_text('{"kilter":1,"title":"\\ud800","pid":[],"where":NaN}\n')
    assert states(client)["good"] == "running"


@pytest.mark.parametrize(
    "line",
    [
        '{"first":0,"members":[0],"lines":5}',
        '{"first":0,"members":[0,1],"lines":{"loss":[[1.0]]}}',
        '{"first":"x","members":[0],"lines":{"loss":[[1.0]]}}',
        '{"first":0,"members":[0],"lines":{"loss":[["text"]]}}',
        '{"first":1e300,"members":[0],"lines":{"loss":[[1.0]]}}',
        '{"result":null,"score":1}',
        '{"joined":7}',
        "[" * 100_000,
        '{"member":',
        "null",
    ],
)
def test_lines_that_make_no_sense_are_counted_and_passed_over(folder, client, line):
    made = journal(folder, "odd")
    with made.file.open("a") as stream:
        stream.write(f"{line}\n")
    made.add(first=3, members=[0], lines={"loss": np.array([[0.5]])})
    told = client.get("/api/run", params={"id": "odd"}).json()
    assert dict(told["facts"])["damaged"] == "1 lines could not be read"
    (found,) = client.get("/api/lines", params={"id": "odd", "line": "loss"}).json()["lines"]
    assert found["points"][-1] == [4, 0.5]


def test_a_report_that_leads_elsewhere_is_not_shown(folder, client, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_text("secret")
    (folder / "good").mkdir()
    (folder / "good" / "report.html").symlink_to(secret)
    assert client.get("/report", params={"id": "good"}).status_code == 404


def test_a_fleet_shows_its_best_and_who_is_who(folder, client):
    members = [{"seed": 0, "epochs": 9, "settings": {"lr": str(rate)}} for rate in range(9)]
    made = journal(folder, "fleet", members=members)
    made.add(first=0, members=list(range(9)), lines={"loss": np.ones((9, 3))})
    for member in range(9):
        made.score(member / 10, member=member, outcome="finished", reached=3)
    told = client.get("/api/run", params={"id": "fleet"}).json()
    assert (told["members"], told["score"], told["done"], told["planned"]) == (9, 0.8, 3, 9)
    assert told["table"]["rows"][0] == ["8, seed 0", "lr 8", "3 of 9", "0.8", "finished"]
    assert [series["name"] for series in told["charts"][0]["option"]["series"]][:2] == ["lr 8", "lr 7"]


def test_a_search_shows_its_best_so_far_its_axes_and_what_failed(folder, client):
    axes = [
        {"name": "optimizer.lr", "scale": "log", "options": []},
        {"name": "net.layers[0]", "scale": "linear", "options": ["a", "b"]},
    ]
    made = Journal(folder / "s", "search", "iris", metric="loss", higher_is_better=False, trials=9, seeds=1, axes=axes)
    for trial, score in enumerate([3.0, 1.0, 2.0, float("nan")]):
        settings = {"optimizer.lr": 0.1 / (trial + 1), "net.layers[0]": "ab"[trial % 2]}
        made.score(score, result=trial, settings=settings, outcome="failed: no memory" if trial == 3 else "finished: x")
    made.add(first=0, reached=2, members=[1, 5], lines={"val_loss": [[0.5, 0.4], [0.3, 0.2]]})
    told = client.get("/api/run", params={"id": "s"}).json()
    assert (told["score"], told["done"], told["planned"]) == (1.0, 4, 9)
    so_far, going, every, slices = told["charts"]
    assert [y for _, y in so_far["option"]["series"][0]["data"]] == [3.0, 1.0, 1.0]
    assert [series["name"] for series in going["option"]["series"]] == ["trial 5"]
    assert every["option"]["series"][0]["data"][0] == [0.05, "b", 1.0]
    assert slices["told"] == "Score over optimizer.lr."
    assert [row[0] for row in told["table"]["rows"]] == ["1", "2", "0", "3"]
    assert told["table"]["rows"][-1][-1] == "failed: no memory"
    found = client.get("/api/lines", params={"id": "s", "line": "best so far"}).json()["lines"]
    assert found == [{"name": "s", "points": [[0, 3.0], [1, 1.0], [2, 1.0]]}]


def test_a_cure_shows_gains_with_their_intervals(folder, client):
    made = Journal(folder / "c", "cure", "iris", metric="accuracy", higher_is_better=True)
    made.add(result=0, kind="control", change="as it is", score=0.2, effect=0.0, low=0.0, high=0.0, pairs=2, done=1)
    made.add(
        result=1, kind="remedy", change="clip", score=0.3, effect=0.1, low=float("-inf"), high=float("inf"), pairs=1
    )
    made.add(
        result=1, kind="remedy", change="clip", score=0.9, effect=0.7, low=0.6, high=0.8, pairs=2, best=0.9, done=2
    )
    made.add(result=1, verdict="proved")
    told = client.get("/api/run", params={"id": "c"}).json()
    (chart,) = told["charts"]
    assert chart["option"]["series"][0]["data"] == [{"value": 0.7}]
    assert chart["option"]["series"][1]["data"] == [{"coords": [[0.6, 0], [0.8, 0]]}]
    assert told["table"]["rows"][0][:7] == ["clip", "remedy", "0.9", "+0.7", "+0.6 to +0.8", "2", "proved"]
    assert (told["score"], told["done"]) == (0.9, 2)


def test_a_long_tail_hides_neither_how_far_a_run_got_nor_its_score(folder, client):
    made = journal(folder, "tail")
    made.score(0.7, member=0, outcome="finished", reached=9)
    for _ in range(100):
        made.add(told="word " * 100)
    told = client.get("/api/run", params={"id": "tail"}).json()
    assert (told["score"], told["done"]) == (0.7, 9)
