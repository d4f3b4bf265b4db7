"""``bench/peers/checks.py``: what is wrong is not timed, be it in floats or in integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from networks import BENCHES
from peers import INT8_ENGINES
from peers.checks import FloatCheck, IntegerCheck
from peers.worker import Worker

N2 = BENCHES["n2"]
NET = N2.network()


NEEDED = {
    "onnxruntime_int8": ("onnx", "onnxruntime"),
    "openvino_int8": ("onnx", "openvino", "nncf"),
    "litert_int8": ("flatbuffers", "ai_edge_litert", "ai_edge_quantizer"),
}


def floats(pictures: np.ndarray) -> np.ndarray:
    return NET.predict_proba(pictures, threads=1)


@pytest.fixture
def expected() -> np.ndarray:
    return floats(N2.pictures(4))


def test_floats_may_be_rounded_and_not_more(expected: np.ndarray) -> None:
    check = FloatCheck(N2, expected)
    assert check(lambda pictures: floats(pictures) + 1e-6)[1] == ""
    assert "off by" in check(lambda pictures: floats(pictures) + 1e-2)[1]
    assert "off by" in check(lambda pictures: floats(pictures) * np.nan)[1]


@pytest.mark.parametrize("batch", [1, 24, 33])
def test_integers_may_be_off_by_little_at_any_size_of_batch(batch: int) -> None:
    check = IntegerCheck(N2, floats(N2.pictures(batch)), {"": floats})
    judgment = check(lambda pictures: floats(pictures) + np.float32(1e-3))
    assert judgment.difference == pytest.approx(1e-3, rel=1e-2)
    assert judgment.wrong == ""
    assert judgment.agreement == 1.0


def test_labels_that_differ_from_those_in_float_are_counted(expected: np.ndarray) -> None:
    def way(pictures: np.ndarray) -> np.ndarray:
        result = floats(pictures)
        result[0] = np.roll(result[0], 1)
        return result

    count = 4 * -(-32 // 4)
    assert IntegerCheck(N2, expected, {"": floats})(way).agreement == 1 - (count / 4) / count


@pytest.mark.parametrize(
    "wrong",
    [
        lambda pictures: np.roll(floats(pictures), 1, axis=0),
        lambda pictures: floats(pictures[:, :, ::-1]),
        lambda pictures: np.full((len(pictures), 10), 0.1, np.float32),
        lambda pictures: floats(pictures) * np.nan,
    ],
)
def test_integers_of_another_picture_or_of_none_are_refused(wrong, expected: np.ndarray) -> None:
    check = IntegerCheck(N2, expected, {"": floats})
    assert "those of two pictures differ by" in check(wrong)[1]


def test_memory_that_an_engine_uses_again_is_copied(expected: np.ndarray) -> None:
    memory = np.empty_like(expected)

    def way(pictures: np.ndarray) -> np.ndarray:
        memory[:] = floats(pictures)
        return memory

    assert IntegerCheck(N2, expected, {"": way})(floats) == (0, "", 1.0)


def test_an_engine_whose_own_floats_are_not_ours_is_refused(expected: np.ndarray) -> None:
    with pytest.raises(ValueError, match="in float, a probability is off by"):
        IntegerCheck(N2, expected, {"": lambda pictures: floats(pictures) + 0.1})


@pytest.mark.parametrize("name", INT8_ENGINES)
def test_engines_of_integers(name: str, expected: np.ndarray) -> None:
    """They pass the check, and their results are really rounded: they differ from their floats."""
    for package in NEEDED.get(name, ()):
        pytest.importorskip(package)
    ready = Worker(name, threads=1).prepare("n2", len(expected), expected)
    assert ready.refused == {}
    assert ready.way
    assert 1e-5 < ready.difference < 0.1


def test_an_engine_that_is_not_installed_is_left_out_with_the_reason(tmp_path: Path) -> None:
    from bench_peers import present
    from peers.process import Engine, EngineError

    engines = [Engine(name, 1, str(tmp_path / "log")) for name in ("cnnfast_int8", "no_such_engine")]
    try:
        versions, found, missing = present(engines)
        assert list(versions) == ["cnnfast_int8"]
        assert found == engines[:1]
        assert missing == [
            {"engine": "no_such_engine", "why": "ModuleNotFoundError: No module named 'peers.no_such_engine'"}
        ]
        with pytest.raises(EngineError):
            engines[1].ask("versions")
    finally:
        for engine in engines:
            engine.close()
