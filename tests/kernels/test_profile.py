"""Timing the steps of a program: it reads what `run` reads, computes what `run` computes, and stays inside a group."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES
from kernels.engines import ENGINES, execute, plan_of, using

ADD = next(case for case in CASES if case.id == "add-same")


@pytest.mark.parametrize("engine", ENGINES)
def test_profile_computes_one_group_of_all_inputs(engine: str) -> None:
    with using(engine) as layout:
        plan = plan_of(ADD.graph(), layout)
        feed = list(ADD.feed(images=plan.group).values())
        result = np.full((plan.group, ADD.reference(images=1).size), np.nan, np.float32)
        times = plan.program.profile(feed, [result], 2)
        assert len(times) == len(plan.steps) + 2
        assert all(0 <= seconds < float("inf") for seconds in times)
        np.testing.assert_array_equal(result, execute(plan, feed)[0])


@pytest.mark.parametrize("engine", ENGINES)
def test_profile_takes_no_more_than_a_group(engine: str) -> None:
    with using(engine) as layout:
        plan = plan_of(ADD.graph(), layout)
        feed = list(ADD.feed(images=plan.group + 1).values())
        with pytest.raises(ValueError, match="more than one group"):
            plan.program.profile(feed, [np.empty((plan.group + 1, 90), np.float32)], 2)
