"""Faults that show when a network trains are found, with the right cause first."""

import pytest
from planted_faults import ALL

import kilter as kl

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::kilter.core.errors.DoubtWarning")]


@pytest.mark.parametrize("name", ALL)
def test_found_at_three_severities(name):
    fault = ALL[name]
    for severity, (recipe, data) in enumerate(fault.patients):
        check = kl.examine(recipe, data)
        told = f"{name}, severity {severity}:\n{check}"
        assert fault.rule in [finding.rule for finding in check.findings], told
        assert set(check.causes[: fault.within]) & set(fault.causes), told
