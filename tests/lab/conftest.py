"""Shared by the tests of the lab: the experiment that a file is named after, made with the settings that stand there."""

import pytest

import kilter as kl


def make(module):
    return kl.lab.ALL[module.__name__.rpartition("test_")[2]](**module.SETTINGS)


@pytest.fixture(scope="module")
def made(request):
    return make(request.module)


@pytest.fixture
def again(request):
    return make(request.module)
