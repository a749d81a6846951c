"""Tests whose files have names that others have, too."""
