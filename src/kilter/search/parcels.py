"""What travels between a search and workers elsewhere, also where the user's own script defines some of the parts."""

import copyreg
import importlib
import io
from dataclasses import MISSING
from typing import Any

from kilter.core.registry import find
from kilter.core.values import Value

# A class of a script is sent whole, with the fields that it declares: what they lack must be lacking there, too.
copyreg.pickle(type(MISSING), lambda _: "MISSING")


def homeward(result: Any) -> bytes:
    """A result in bytes that `pickle.loads` reads in the process that sent the values in it.

    Values come home by the names of their classes: a class that came home whole would take the place of the user's own.
    """
    pickles: Any = importlib.import_module("ray.cloudpickle")

    class Pickler(pickles.CloudPickler):
        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, type) and issubclass(obj, Value) and not obj.__module__.startswith("kilter."):
                return find, (obj.name(),)
            return super().reducer_override(obj)

    written = io.BytesIO()
    Pickler(written).dump(result)
    return written.getvalue()
