"""The gallery of the lab in a browser: quiet, asks for nothing, fits a phone; wide figures scroll in their frames."""

import pytest

import kilter as kl
from kilter.lab.gallery import gallery


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("gallery") / "index.html"
    path.write_text(gallery([kl.lab.gain(depth=20), kl.lab.softmax()]))
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1200, 390])
def test_it_is_quiet_and_fits(opened, path, width, dark):
    page = opened(path.as_uri(), width, dark)
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    assert page.sideways() <= 0
    assert page.barriers() == []


def test_figures_are_drawn_and_can_be_read_on_a_phone(opened, path):
    page = opened(path.as_uri(), 390).page
    widths = page.evaluate("[...document.querySelectorAll('img')].map(e => [e.naturalWidth, e.clientWidth])")
    assert len(widths) == 2
    assert all(natural > 600 and shown > 600 for natural, shown in widths)
    page.get_by_role("link", name="softmax").click()
    assert page.evaluate("document.querySelector('#softmax').getBoundingClientRect().top") < 300
