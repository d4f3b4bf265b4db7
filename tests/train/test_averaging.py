"""Averages of weights against sums written out."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.errors import ConfigError
from cnnfast.train import AVERAGES, EMA, SWA, Lookahead
from cnnfast.train.averaging import move


def test_swa_is_the_mean_of_the_last_epochs() -> None:
    weights = np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)
    average = {"w": np.zeros(4, np.float32)}
    for done in range(1, 11):
        for step in (2 * done - 1, 2 * done):
            share = SWA(0.6).share(step, 20, done if step % 2 == 0 else None, 10)
            assert (share is None) == (step % 2 == 1)
            if share is not None:
                move(average, {"w": weights[done - 1]}, share)
    np.testing.assert_allclose(average["w"], weights[5:].mean(axis=0), rtol=1e-5)


def test_ema_forgets_its_beginning_and_then_decays() -> None:
    average = {"w": np.full(1, 1e6, np.float32)}
    for step in range(1, 400):
        move(average, {"w": np.ones(1, np.float32)}, EMA(0.9).share(step, 400, None, 1) or 0.0)
    assert average["w"][0] == pytest.approx(1, abs=1e-4)
    assert EMA(0.9).share(10_000, 10_000, None, 1) == pytest.approx(0.1)


def test_lookahead_keeps_more_of_itself_toward_the_end() -> None:
    shares = [Lookahead(every=4, decay=0.9).share(step, 100, None, 1) for step in range(1, 101)]
    assert [i for i, share in enumerate(shares, 1) if share is not None] == list(range(4, 101, 4))
    assert shares[49 + 2] == pytest.approx(1 - 0.9**4 * 0.52**3)
    assert shares[99] == pytest.approx(1 - 0.9**4)


@pytest.mark.parametrize("name", AVERAGES)
def test_every_average_starts_anew_and_stays_between(name: str) -> None:
    """A share is at most 1; of a short training something comes in."""
    rule = AVERAGES[name]()
    shares = [rule.share(step, 20, step // 5 if step % 5 == 0 else None, 4) for step in range(1, 21)]
    assert all(share is None or 0 < share <= 1 for share in shares)
    assert shares[-1] is not None


def test_out_of_range() -> None:
    with pytest.raises(ConfigError, match="every"):
        Lookahead(every=0)
    with pytest.raises(ConfigError, match="decay"):
        EMA(1.0)
    with pytest.raises(ConfigError, match="start"):
        SWA(1.0)
