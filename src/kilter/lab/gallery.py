"""The gallery: all experiments on one page, with their figures."""

import base64
import html
import io
from collections.abc import Sequence

from kilter.lab.experiment import Experiment

# On a phone a figure is wider than the page, and scrolls in its frame: shrunken to 390 pixels it could not be read.
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kilter: the lab</title>
<style>
:root {{ color-scheme: light dark; --line: #8886; --link: light-dark(#00568a, #7cc4f0); }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }}
body {{ overflow-wrap: anywhere; color: light-dark(#1c1c1c, #eeeeee); background: light-dark(#ffffff, #161616); }}
h2 {{ line-height: 1.25; margin: 0 0 .5rem; }}
section {{ border-top: 1px solid var(--line); padding: 1.5rem 0; }}
nav ol {{ columns: 16rem; padding-left: 1.5rem; }}
a {{ color: var(--link); }}
.figure {{ overflow-x: auto; background: white; border-radius: 6px; padding: .5rem; }}
.figure img {{ display: block; width: 100%; min-width: 46rem; max-width: max-content; height: auto; margin: auto; }}
code {{ background: light-dark(#eeeeee, #2c2c2c); border-radius: 4px; padding: 0 .3em; }}
@media print {{ .figure img {{ min-width: 0; }} section {{ break-inside: avoid; }} }}
</style>
<main>
<h1>The lab</h1>
<p>Experiments that show why each technique exists. Repeat one with <code>kilter lab NAME</code>.</p>
<nav aria-label="Experiments"><ol>{links}</ol></nav>
{sections}
</main>
</html>
"""


def gallery(experiments: Sequence[Experiment]) -> str:
    """One page of HTML that opens from disk."""
    links = "".join(f'<li><a href="#{each.name}">{each.name}</a></li>' for each in experiments)
    return _PAGE.format(links=links, sections="\n".join(map(_section, experiments)))


def _section(each: Experiment) -> str:
    stream = io.BytesIO()
    each.figure().savefig(stream, format="png", dpi=100)
    data, question = base64.b64encode(stream.getvalue()).decode(), html.escape(each.question)
    picture = f'<img alt="Figure of {each.name}: {question}" src="data:image/png;base64,{data}">'
    return (
        f'<section id="{each.name}" aria-labelledby="{each.name}-question">\n'
        f'<h2 id="{each.name}-question">{question}</h2>\n<p>{html.escape(each.sentence)}</p>\n'
        f'<div class="figure" tabindex="0" role="group" aria-label="Figure of {each.name}">{picture}</div>\n'
        f"<p><code>kilter lab {each.name}</code></p>\n</section>"
    )
