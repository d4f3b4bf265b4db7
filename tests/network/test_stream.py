"""Streams: order, errors of single images, bounded memory, early ends, and decoding while computing."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_networks import head, interrupt_after, photographs, small_net

from cnnfast import ConfigError, InputError, Network, PictureError, Preprocess, read_picture
from cnnfast.layers import Flatten, Linear
from cnnfast.network import stream
from cnnfast.network.stream import AHEAD, MOST_BYTES, NOT_A_NUMBER, Pipeline, decode, prefetched


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Forty pictures of different sizes, of which three cannot be read."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(40):
        path = tmp_path / f"{number:02}.png"
        sides = rng.integers(5, 60, 2)
        Image.fromarray(rng.integers(0, 256, (*sides, 3), np.uint8)).save(path)
        paths.append(path)
    paths[3].write_bytes(b"no picture")
    paths[17].unlink()
    paths[39].write_bytes(paths[38].read_bytes()[:60])
    return paths


BROKEN = {3, 17, 39}


def no_threads_are_left() -> bool:
    deadline = time.monotonic() + 20
    while any(thread.name.startswith("cnnfast-") for thread in threading.enumerate()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("batch", [1, 7, 40, 1000])
def test_results_are_those_of_one_by_one_and_in_order(pictures: list[Path], batch: int) -> None:
    net = small_net()
    assert net.preprocess is not None
    results = list(net.stream(pictures, batch=batch, threads=2, workers=3))
    assert [result.item for result in results] == pictures
    for number, (path, label, probabilities, error) in enumerate(results):
        if number in BROKEN:
            assert label is probabilities is None
            assert isinstance(error, PictureError)
            assert error.path == str(path)
            continue
        expected = net.predict_proba(read_picture(path, net.preprocess))[0]
        assert error is None
        np.testing.assert_array_equal(probabilities, expected)
        assert label == net.classes_[expected.argmax()]
    assert no_threads_are_left()


def test_images_of_every_kind(pictures: list[Path]) -> None:
    net = small_net()
    assert net.preprocess is not None
    content = pictures[0].read_bytes()
    array = np.asarray(Image.open(pictures[0]))
    floats = net.preprocess(read_picture(content, net.preprocess)[None])[0].transpose(1, 2, 0)
    bad = floats.copy()
    bad[1, 2, 0] = np.nan
    images = [pictures[0], str(pictures[0]), content, io.BytesIO(content), array, floats, array[..., 0], 7, bad, None]
    images += [floats[:3], np.zeros((8, 8, 3), np.int32), np.zeros((0, 8, 3), np.uint8)]
    results = list(net.stream(images, batch=5))
    first = results[0].probabilities
    for result in results[1:5]:
        np.testing.assert_array_equal(result.probabilities, first)
    np.testing.assert_allclose(results[5].probabilities, first, atol=1e-5)
    assert results[6].error is None
    rules = ["but is 7", "has the value nan", "but is None", "floats of shape", "int32", "N, H, W, C"]
    for result, rule in zip(results[7:], rules, strict=True):
        assert isinstance(result.error, InputError)
        assert rule in str(result.error)


def test_a_result_that_is_not_a_number_is_an_error_of_its_image() -> None:
    weights = np.zeros((2, 12))
    weights[:, 0] = 3e38, 3e38
    net = Network.from_layers(
        [Flatten(), Linear(weights), Linear(np.array([[1.0, -1], [0, 0]]))], (3, 2, 2), preprocess=Preprocess((2, 2))
    )
    black, white = np.zeros((2, 2, 3), np.float32), np.full((2, 2, 3), 9, np.float32)
    errors = [result.error for result in net.stream([black, white, black])]
    assert errors[0] is errors[2] is None
    assert str(errors[1]) == NOT_A_NUMBER


def test_arguments_are_checked_at_once() -> None:
    with pytest.raises(InputError, match="takes floats, and no uint8 pixels"):
        head().stream([])
    for wrong in ({"batch": 0}, {"threads": 0}, {"workers": 1.5}):
        with pytest.raises(ConfigError):
            small_net().stream([], **wrong)  # type: ignore[arg-type]
    assert list(small_net().stream([])) == []


def test_an_endless_stream_is_read_only_a_little_ahead() -> None:
    net, taken = small_net(), itertools.count()

    def endless() -> Iterator[np.ndarray]:
        for _ in taken:
            yield photographs(1)[0]

    results = net.stream(endless(), batch=4, threads=1)
    for number in range(1, 50):
        next(results)
        # being decoded, being computed, being taken
        assert next(taken) - number <= (2 * AHEAD + 1) * 4 + number
    # sooner or later no more is read
    deadline = time.monotonic() + 60
    before = -1
    while next(taken) != before + 1:
        assert time.monotonic() < deadline
        before = next(taken)
        time.sleep(0.1)
    results.close()
    assert no_threads_are_left()


def test_of_large_items_only_a_few_wait() -> None:
    taken = itertools.count()
    pipeline = Pipeline[int](
        lambda item, opened: photographs(1)[0], lambda x: np.zeros((len(x), 2)), 64, 2, bytes_of=lambda item: MOST_BYTES
    )
    results = pipeline.run(taken)
    next(results)
    # being decoded, being computed, being taken: twice the decoders each
    assert next(taken) <= 3 * AHEAD * 2
    results.close()


def test_all_decoders_work_for_small_batches() -> None:
    together = threading.Barrier(8)

    def decode(item: int, opened: object) -> np.ndarray:
        together.wait(10)
        return photographs(1)[0]

    pipeline = Pipeline[int](decode, lambda x: np.zeros((len(x), 2)), 1, 8)
    assert len(list(pipeline.run(range(16)))) == 16


def test_what_the_source_raises_comes_after_the_results_before_it() -> None:
    def source() -> Iterator[np.ndarray]:
        yield from photographs(10)
        raise KeyError("the disk is gone")

    results = small_net().stream(source(), batch=4)
    assert len(list(itertools.islice(results, 10))) == 10
    with pytest.raises(KeyError, match="the disk is gone"):
        next(results)
    assert no_threads_are_left()


def test_leaving_a_loop_early_ends_the_threads(pictures: list[Path]) -> None:
    for result in small_net().stream(pictures * 50, batch=3):
        assert result.item == pictures[0]
        break
    del result
    assert no_threads_are_left()


@pytest.mark.thread_unsafe
def test_ctrl_c_while_waiting() -> None:
    def slow(item: int, opened: None) -> np.ndarray:
        time.sleep(0.05)
        return np.zeros((8, 8, 3), np.uint8)

    net = small_net()
    pipeline = Pipeline(slow, lambda images: net.predict_proba(images), batch=64, workers=1)
    with pytest.raises(KeyboardInterrupt), interrupt_after(0.3):
        list(pipeline.run(range(100_000)))
    assert no_threads_are_left()


def test_decoding_goes_on_while_a_batch_is_computed() -> None:
    """The computation of the first batch waits for an image of the second to be decoded."""
    decoded, waited = threading.Event(), []

    def note(item: int, opened: None) -> np.ndarray:
        if item == 5:
            decoded.set()
        return np.zeros((8, 8, 3), np.uint8)

    def compute(images: np.ndarray) -> np.ndarray:
        waited.append(decoded.wait(20))
        return np.zeros((len(images), 2), np.float32)

    outcomes = list(Pipeline(note, compute, batch=4, workers=1).run(range(8)))
    assert len(outcomes) == 8
    assert all(waited)


def test_computing_goes_on_while_results_are_taken() -> None:
    """The consumer of the first batch waits for the second one to be computed."""
    second = threading.Event()
    calls = itertools.count()

    def compute(images: np.ndarray) -> np.ndarray:
        if next(calls) == 1:
            second.set()
        return np.zeros((len(images), 2), np.float32)

    outcomes = Pipeline(lambda item, opened: np.zeros((8, 8, 3), np.uint8), compute, batch=4, workers=1).run(range(12))
    next(outcomes)
    assert second.wait(20)
    outcomes.close()


def test_prefetched_fetches_one_ahead_and_passes_errors_on() -> None:
    fetched = []

    def source() -> Iterator[int]:
        for number in range(5):
            fetched.append(number)
            yield number
        raise KeyError("end")

    things = prefetched(source())
    assert next(things) == 0
    deadline = time.monotonic() + 20
    while len(fetched) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert fetched == [0, 1]
    assert list(itertools.islice(things, 4)) == [1, 2, 3, 4]
    with pytest.raises(KeyError):
        next(things)
    assert no_threads_are_left()


def test_decode_keeps_no_picture_alive() -> None:
    error = decode(b"no picture", Preprocess((8, 8)))
    assert isinstance(error, PictureError)
    assert error.__traceback__ is None
    assert stream.default_batch(1) == 128


def test_a_result_is_json_as_it_is(pictures: list[Path]) -> None:
    net = small_net()
    results = list(net.stream(pictures, batch=7))
    expected = net.records(np.stack([read_picture(path, net.preprocess) for path in pictures[:3]]), k=2)
    lines = [json.loads(json.dumps(result.record(k=2))) for result in results]
    assert [line["item"] for line in lines] == list(map(str, pictures))
    assert [line["labels"] for line in lines[:3]] == expected
    assert lines[17] == {"item": str(pictures[17]), "error": f"{pictures[17]}: no such file"}
    assert all(type(result.label) in (str, int) for i, result in enumerate(results) if i not in BROKEN)
    again = pickle.loads(pickle.dumps(results[0]))
    assert (again[1], again.record()) == (results[0][1], results[0].record())


def test_what_has_no_name_is_told_by_its_kind() -> None:
    (result,) = small_net().stream([np.zeros((9, 9, 3), np.uint8)])
    assert result.record()["item"] == "<ndarray>"
