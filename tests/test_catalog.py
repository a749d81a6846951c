"""The catalog lists every part with what it says of itself, and the page of the documentation is made of it."""

from pathlib import Path

import pytest

import kilter as kl
from kilter.catalog import FAMILIES

PAGE = Path(__file__).parents[1] / "docs" / "choosing.md"


@pytest.mark.parametrize("entry", kl.catalog(), ids=lambda entry: entry.name)
def test_every_part_says_what_it_is_for(entry):
    assert entry.formula
    assert entry.source
    assert entry.choose[0].isupper()
    assert entry.choose.endswith(".")
    assert "\n" not in entry.formula + entry.source + entry.choose


def test_every_family_is_there_and_no_part_twice():
    assert {entry.family for entry in kl.catalog()} == set(FAMILIES)
    names = [entry.name for entry in kl.catalog()]
    assert len(names) == len(set(names)) > 100


def test_the_page_is_the_catalog():
    assert PAGE.read_text() == kl.catalog().markdown(), "run: kilter catalog --markdown > docs/choosing.md"


def test_it_prints_every_name():
    printed = repr(kl.catalog())
    assert all(entry.name in printed for entry in kl.catalog())
    assert repr(kl.catalog("loss")).startswith("LOSS\nlosses.SoftmaxCrossEntropy\n")
