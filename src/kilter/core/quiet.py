"""The garbage collector rests while Kilter is imported: it would look again and again through all that stays anyway.

Imported before all else, and ended behind it.
"""

import gc

# More objects than are made meanwhile; an import that fails leaves a collector that still works.
_MANY = 10_000_000
_BEFORE = gc.get_threshold()
gc.set_threshold(_MANY, *_BEFORE[1:])


def end() -> None:
    """Let it work as before; what has been imported counts as old, so that it is not looked through at once."""
    if not gc.get_freeze_count():  # else what others froze would thaw
        gc.freeze()
        gc.unfreeze()
    gc.set_threshold(*_BEFORE)
