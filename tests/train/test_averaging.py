"""Averages of weights against sums written out."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.errors import ConfigError
from cnnfast.train import EMA, SWA
from cnnfast.train.averaging import move


def test_swa_is_the_mean_of_the_last_epochs() -> None:
    weights = np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)
    average = {"w": np.zeros(4, np.float32)}
    for done in range(1, 11):
        for step in (2 * done - 1, 2 * done):
            share = SWA(0.6).share(step, done if step % 2 == 0 else None, 10)
            assert (share is None) == (step % 2 == 1)
            if share is not None:
                move(average, {"w": weights[done - 1]}, share)
    np.testing.assert_allclose(average["w"], weights[5:].mean(axis=0), rtol=1e-5)


def test_ema_forgets_its_beginning_and_then_decays() -> None:
    average = {"w": np.full(1, 1e6, np.float32)}
    for step in range(1, 400):
        move(average, {"w": np.ones(1, np.float32)}, EMA(0.9).share(step, None, 1) or 0.0)
    assert average["w"][0] == pytest.approx(1, abs=1e-4)
    assert EMA(0.9).share(10_000, None, 1) == pytest.approx(0.1)


def test_out_of_range() -> None:
    with pytest.raises(ConfigError, match="decay"):
        EMA(1.0)
    with pytest.raises(ConfigError, match="start"):
        SWA(1.0)
