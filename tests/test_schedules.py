"""Every schedule, driven by its row in optimizer_cases.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import striate
from optimizer_cases import SCHEDULE_CASES, ScheduleCase
from striate.optimizers import schedules

EACH_CASE = pytest.mark.parametrize("case", SCHEDULE_CASES, ids=lambda case: case.schedule)


@EACH_CASE
@given(data=st.data())
def test_values(case: ScheduleCase, data: st.DataObject) -> None:
    args = data.draw(case.args)
    schedule = getattr(schedules, case.schedule)(**args)
    grows = args.get("decay_rate", 0.0) > 1
    for step in [*range(60), data.draw(st.integers(60, 5000)), 5000 if grows else 10**6]:
        want = case.reference(step, **args)
        assert schedule(step) == pytest.approx(want, rel=1e-9, abs=1e-12), step


@EACH_CASE
@given(data=st.data())
def test_config_makes_an_equal_schedule(case: ScheduleCase, data: st.DataObject) -> None:
    schedule = getattr(schedules, case.schedule)(**data.draw(case.args))
    again = type(schedule).from_config(schedule.get_config())
    assert again.get_config() == schedule.get_config()
    assert [again(step) for step in range(20)] == [schedule(step) for step in range(20)]


def test_each_schedule_has_a_row() -> None:
    assert {case.schedule for case in SCHEDULE_CASES} == set(striate._core.schedule_types())
