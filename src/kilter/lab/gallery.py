"""The gallery: all experiments on one page, with their figures."""

import base64
import html
import io
from collections.abc import Sequence

from kilter.lab.experiment import Experiment

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kilter: the lab</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }}
img {{ max-width: 100%; height: auto; background: white; border-radius: 6px; }}
code {{ background: #8882; border-radius: 4px; padding: 0 .3em; }}
</style>
<h1>The lab</h1>
<p>Experiments that show why each technique exists. Repeat one with <code>kilter lab NAME</code>.</p>
{sections}
</html>
"""


def gallery(experiments: Sequence[Experiment]) -> str:
    """One page of HTML that opens from disk."""
    return _PAGE.format(sections="\n".join(map(_section, experiments)))


def _section(each: Experiment) -> str:
    stream = io.BytesIO()
    each.figure().savefig(stream, format="png", dpi=100)
    data, said = base64.b64encode(stream.getvalue()).decode(), html.escape(each.sentence)
    return (
        f'<section id="{each.name}"><h2>{html.escape(each.question)}</h2><p>{said}</p>'
        f'<img alt="{said}" src="data:image/png;base64,{data}"><p><code>kilter lab {each.name}</code></p></section>'
    )
