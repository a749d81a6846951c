"""The garbage collector rests while Kilter is imported: it would look again and again through all that stays anyway.

Imported before all else, and ended behind it.
"""

import gc

_WAS_ON = gc.isenabled()
gc.disable()


def end() -> None:
    """Let it work again, if it did before."""
    if _WAS_ON:
        gc.enable()
