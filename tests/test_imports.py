"""What Kilter imports before it is needed: nothing heavy, so that a short training is over soon after it is asked for."""

import json
import subprocess
import sys

SCRIPT = """
import gc, json, sys

before = gc.isenabled(), gc.get_threshold()
import kilter as kl

HEAVY = ("matplotlib", "optuna", "orbax", "pandas", "pyarrow", "scipy", "sklearn", "skrub", "starlette", "torch", "keras")


def there():
    return [name for name in HEAVY if name in sys.modules]


found = {"kilter": there(), "collector": (gc.isenabled(), gc.get_threshold()) == before}
data = kl.data.from_table(sys.argv[1], target="target", validation=0.25)
found |= {"table": there(), "shape": data.shape, "version": kl.__version__}
print(json.dumps(found))
"""


def test_neither_kilter_nor_a_table_brings_what_is_heavy(tmp_path):
    table = tmp_path / "table.csv"
    rows = [f"{row},{['red', 'blue', ''][row % 3]},{row / 7 if row % 5 else ''},{row % 2}" for row in range(40)]
    table.write_text("\n".join(["count,color,share,target", *rows]) + "\n")
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(table)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["kilter"] == []
    assert found["collector"]
    assert found["table"] == ["pyarrow"]
    assert found["shape"] == [6]
    assert found["version"]
