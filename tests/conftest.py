"""Hypothesis profiles: HYPOTHESIS_PROFILE=dev (the default) draws few examples, ci more and the same ones each time,
and device very few."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# One layer's test may share a slow machine with a build: no example is timed.
settings.register_profile("dev", max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), max_examples=25, derandomize=True, print_blob=True)
settings.register_profile("device", settings.get_profile("ci"), max_examples=3)  # kernels of an emulated GPU are slow
settings.register_profile("thorough", settings.get_profile("dev"), max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("FULL") == "1" and config.getoption("timeout") is None:
        config.option.timeout = 0  # whole campaigns take their time
