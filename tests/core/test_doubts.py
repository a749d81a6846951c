"""Warnings name the line of the caller, however deep they arise."""

import contextlib
import sys
import warnings

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.doubts import warn


@contextlib.contextmanager
def inside():
    yield


def caught(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    return found


def test_a_call_from_outside_is_named():
    (one,) = caught(lambda: warn("odd"))
    assert (one.category, str(one.message)) == (kl.DoubtWarning, "odd")
    assert one.filename == __file__


def test_all_depths_name_the_same_line():
    data = kl.data.iris()
    recipe = kl.Recipe(
        nn.Chain(nn.Dense(3), nn.Softmax()), losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), epochs=1
    )
    for call in (kl.train, lambda *given, **more: kl.train_fleet([given[0]], *given[1:], **more)):
        with inside():
            found = caught(lambda call=call: call(recipe, data, progress=False))
        assert [each.filename for each in found] == [__file__], found
        assert "remove that last layer" in str(found[0].message)


def test_a_frame_without_a_caller_is_no_error(monkeypatch):
    class Frame:
        f_back, f_globals = None, {"__name__": "kilter.deep"}

    monkeypatch.setattr(sys, "_getframe", lambda depth=0: Frame())
    assert len(caught(lambda: warn("odd"))) == 1
