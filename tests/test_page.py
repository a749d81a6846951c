"""The machinery of the benchmark page: contests, what is read of them, and the text."""

import json
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
import contest
import growth
import limit
import page_text
from contest import Contest, Row, Seconds, hold
from measured import Measured


def taking(*seconds):
    """A contestant that takes these seconds, one after the other, and whose first call takes the first."""
    return lambda: lambda seed: seconds[min(seed, len(seconds) - 1)]


def row(**sides):
    made = Contest(sides, updates=2, flops=10.0, told={"parameters": 3, "PyTorch's parameters": 3})
    return Row("made", "a row", "A group", lambda quick: made, aim=2.0)


def broken():
    raise ValueError("no such net")


def test_a_ratio_is_taken_within_a_round():
    found = Measured(hold(row(Kilter=taking(0.0, 1.0, 2.0, 4.0), Peer=taking(0.0, 3.0, 8.0, 8.0)), 3, 60.0))
    assert found.ratio("Peer") == (3.0, 2.0, 4.0)
    assert found.best == "Peer"
    assert found.each == 1.0


def test_rounds_begin_with_another_contestant_each_time():
    called = []

    def noted(name):
        return lambda seed: called.append(name) or 1.0

    hold(row(Kilter=lambda: noted("a"), Peer=lambda: noted("b")), 2, 60.0)
    assert "".join(called) == "ab" + "ab" + "ba"


def test_the_whole_call_counts_against_the_same_time_of_the_peer():
    own = lambda: lambda seed: Seconds(1.0, 2.0)  # noqa: E731
    found = Measured(hold(row(Kilter=own, Peer=taking(4.0)), 1, 60.0))
    assert found.ratio("Peer").median == 4.0
    assert found.ratio("Peer", "whole").median == 2.0


def test_a_peer_that_fails_is_a_cell_with_its_error(tmp_path):
    made = row(Kilter=taking(1.0), Peer=taking(1.5), Other=broken)
    Measured(hold(made, 2, 60.0)).write("made", tmp_path)
    text = page_text.page([made], tmp_path)
    assert "- a row, Other: ValueError: no such net" in text
    assert "| A group: a row | Peer | 1.50 (1.50 to 1.50) | 2.00 | **no** |" in text


def test_a_contestant_that_takes_too_long_is_left(monkeypatch):
    monkeypatch.setattr(contest, "COMPILE", 1.0)
    began = time.perf_counter()
    found = Measured(hold(row(Kilter=taking(1.0), Peer=lambda: lambda seed: time.sleep(30.0) or 1.0), 1, 1.0))
    assert time.perf_counter() - began < 20.0
    assert found.errors == {"Peer": "TimeoutError: took more than 1 s"}


def test_a_slow_contestant_sits_out_after_two_rounds():
    found = hold(row(Kilter=taking(1.0), Slow=taking(11.0), Peer=taking(9.0)), 4, 1e9)
    assert [time is None for time in found["sides"]["Slow"]["work"]] == [False, False, True, True]
    assert None not in found["sides"]["Peer"]["work"]


def test_what_is_known_is_kept_after_every_round():
    kept = []
    hold(row(Kilter=taking(1.0)), 3, 60.0, keep=lambda record: kept.append(json.loads(json.dumps(record))))
    assert [len(record["sides"]["Kilter"]["work"]) for record in kept] == [0, 1, 2, 3]


def test_the_share_of_the_limit_is_the_rate_over_the_best_product():
    found = Measured({"updates": 1, "flops": 10.0, "rates": [5.0, 20.0], "sides": {"Kilter": {"work": [4.0, 1.0]}}})
    assert found.share == (0.5, 0.5, 0.5)


def test_the_best_product_is_that_of_the_fastest_library_at_each_size(monkeypatch):
    times = {("a", 1): 2.0, ("b", 1): 4.0, ("a", 2): 9.0, ("b", 2): 3.0}
    monkeypatch.setattr(limit, "products", lambda size: (("a", size[0]), ("b", size[0])))
    monkeypatch.setattr(limit, "_shortest", lambda run, few: times[run])
    assert limit.best_rate([(1, 5, 5), (2, 5, 5)]) == 2.0 * (25 + 50) / (2.0 + 3.0)


def test_a_row_is_written_whole_and_read_again(tmp_path):
    Measured({"updates": 1}).write("made", tmp_path)
    Measured({"updates": 2}).write("made", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["made.json"]
    assert Measured.read("made", tmp_path).record == {"updates": 2}
    assert Measured.read("other", tmp_path) is None


def test_a_table_of_growth_takes_the_place_of_the_one_before(tmp_path):
    page = tmp_path / "growth.md"
    page.write_text("# Growth\n\n| size | s |\n|--:|--:|\n| 1 | 2 |\n\nMore.\n")
    growth.put(["| size | s |", "|--:|--:|", "| 1 | 3 |", "| 2 | 6 |"], page)
    assert page.read_text() == "# Growth\n\n| size | s |\n|--:|--:|\n| 1 | 3 |\n| 2 | 6 |\n\nMore.\n"


@pytest.mark.parametrize(
    ("values", "expected"), [([2.0, 4.0, 8.0, 16.0, 32.0], "1.00 ± 0.00"), ([1.0, 1.0, 4.0, 16.0], "2.00")]
)
def test_a_slope_is_of_the_upper_half(values, expected):
    assert growth.slope([2**place for place in range(len(values))], values) == expected
