"""Waiting for other threads."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cnnfast.runtime.waiting import LOOK_SECONDS, result_of


@pytest.mark.parametrize("system", ["posix", "nt"])
def test_a_result_is_waited_for_as_long_as_it_takes(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(1) as pool:
        slow, wrong = pool.submit(lambda: time.sleep(2.5 * LOOK_SECONDS) or 7), pool.submit(lambda: [][0])
        monkeypatch.setattr(os, "name", system)
        assert result_of(slow) == 7
        with pytest.raises(IndexError):
            result_of(wrong)
        monkeypatch.undo()
