"""``python -m kilter``: the command line."""

from kilter.cli import main

main()
