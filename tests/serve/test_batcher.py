"""The batcher, without HTTP: who shares a batch never matters, and an error reaches no one else."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnfast import BusyError, ConfigError, InputError, LateError, Network, PictureError, Preprocess, read_picture
from cnnfast.layers import Conv2d, Flatten, GlobalAvgPool, Linear, Softmax
from cnnfast.serve import Batcher, BatchReport

RNG = np.random.default_rng(19)


def picture(form: str = "PNG", size: tuple[int, int] = (32, 32)) -> bytes:
    file = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (*size, 3), np.uint8).astype(np.uint8)).save(file, form)
    return file.getvalue()


@pytest.fixture(scope="module")
def net() -> Network:
    return Network.load("cifar10-cs61c")


class Held(Network):
    """A network whose next batch waits until it is let go."""

    def hold(self) -> None:
        self.go, self.began, self.sizes = threading.Event(), threading.Event(), list[int]()

    def predict_proba(self, images: Any, **options: Any) -> Any:
        self.sizes.append(len(images))
        self.began.set()
        assert self.go.wait(10)
        return super().predict_proba(images, **options)


@pytest.fixture
def held() -> Held:
    net = Held(Network.load("cifar10-cs61c")._model)
    net.hold()
    return net


async def began(net: Held) -> None:
    await asyncio.get_running_loop().run_in_executor(None, net.began.wait, 10)


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(30):
            return await main()

    return asyncio.run(bounded())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_batcher_that_has_served_serves_in_a_forked_process_too(net: Network) -> None:
    batcher, one = Batcher(net, timeout=20), picture()
    expected = run(lambda: batcher.classify(one))
    child = os.fork()
    if child == 0:
        same = False
        try:
            same = np.array_equal(run(lambda: batcher.classify(one)), expected)
            run(batcher.close)
        finally:
            os._exit(10 + int(same))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 11
    run(batcher.close)


def test_loops_that_have_ended_are_forgotten(net: Network) -> None:
    batcher, one, loops = Batcher(net), picture(), []

    async def main() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await batcher.classify(one)

    for _ in range(5):
        run(main)
    gc.collect()
    assert [loop() is None for loop in loops] == [True] * 4 + [False]
    run(batcher.close)


def test_64_callers_get_the_bits_of_predict_proba_in_any_interleaving(net: Network) -> None:
    assert net.preprocess is not None
    pictures = [picture(form, (20 + i, 40)) for i, form in enumerate(["PNG", "JPEG", "BMP"] * 8)]
    pixels = np.stack([read_picture(one, net.preprocess) for one in pictures])
    values = net.preprocess(pixels)
    expected = net.predict_proba(pixels)
    of_values = net.predict_proba(values, layout="nchw")

    async def caller(batcher: Batcher, seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(6):
            first = random.integers(0, len(pictures))
            part = slice(first, first + random.integers(1, 9))
            way = random.integers(0, 4)
            if way == 0:
                assert np.array_equal(await batcher.classify(pictures[first]), expected[first])
            elif way == 1:
                assert np.array_equal(await batcher.classify_many(pictures[part]), expected[part])
            elif way == 2:
                assert np.array_equal(await batcher.predict_proba(pixels[part]), expected[part])
            else:
                assert np.array_equal(await batcher.predict_proba(values[part]), of_values[part])
            await asyncio.sleep(random.random() * 0.01)

    async def main() -> None:
        async with Batcher(net, threads=2) as batcher:
            await asyncio.gather(*(caller(batcher, seed) for seed in range(64)))

    run(main)


def test_what_arrives_during_a_batch_is_the_next_one_up_to_its_size(held: Held) -> None:
    image = picture()

    async def main() -> None:
        async with Batcher(held, batch=8) as batcher:
            first = asyncio.create_task(batcher.classify(image))
            await began(held)
            others = [asyncio.create_task(batcher.classify(image)) for _ in range(11)]
            await asyncio.sleep(0)
            assert batcher.waiting == 11
            held.go.set()
            rows = await asyncio.gather(first, *others)
            assert held.sizes == [1, 8, 3]
            assert all(np.array_equal(row, rows[0]) for row in rows)
            assert batcher.waiting == 0

    run(main)


def test_callers_of_one_turn_of_the_loop_share_a_batch(held: Held) -> None:
    held.go.set()

    async def main() -> None:
        async with Batcher(held) as batcher:
            await asyncio.gather(*(batcher.classify(picture()) for _ in range(20)))

    run(main)
    assert held.sizes == [20]


def test_one_bad_picture_among_63(net: Network) -> None:
    pictures = [picture() for _ in range(63)]
    pictures.insert(17, pictures[3][:500])

    async def main() -> list[Any]:
        async with Batcher(net) as batcher:
            calls = (batcher.classify(one) for one in pictures)
            return await asyncio.gather(*calls, return_exceptions=True)

    rows = run(main)
    assert net.preprocess is not None
    assert isinstance(rows[17], PictureError)
    good = np.stack([read_picture(one, net.preprocess) for i, one in enumerate(pictures) if i != 17])
    assert np.array_equal([row for i, row in enumerate(rows) if i != 17], net.predict_proba(good))


def test_a_value_that_is_not_a_number_reaches_no_one_else(net: Network) -> None:
    values = RNG.random((3, 3, 32, 32), np.float32) - 0.5
    bad = values.copy()
    bad[1, 2, 3, 4] = np.nan

    async def main() -> list[Any]:
        async with Batcher(net) as batcher:
            calls = (batcher.predict_proba(one) for one in (values, bad, values))
            return await asyncio.gather(*calls, return_exceptions=True)

    good, error, same = run(main)
    assert np.array_equal(good, net.predict_proba(values, layout="nchw"))
    assert np.array_equal(good, same)
    assert isinstance(error, InputError)
    assert "image 1 has the value nan at channel 2, row 3, column 4" in str(error)


def test_a_result_that_is_not_a_number_is_an_error_of_its_own_image() -> None:
    weights = np.zeros((2, 4), np.float32)
    weights[:, 0] = 1e38
    # a bright first pixel makes both scores infinite
    net = Network.from_layers(
        [Flatten(), Linear(weights, np.zeros(2)), Softmax()],
        (1, 2, 2),
        preprocess=Preprocess((2, 2), "gray", scale=1.0),
    )
    pixels = np.zeros((3, 2, 2, 1), np.uint8)
    pixels[1, 0, 0] = 255

    async def main() -> list[Any]:
        async with Batcher(net) as batcher:
            calls = (batcher.predict_proba(part) for part in (pixels[:1], pixels[1:], pixels[2:]))
            return await asyncio.gather(*calls, return_exceptions=True)

    first, error, last = run(main)
    assert isinstance(error, InputError)
    assert str(error) == "image 0: the network's result is not a number"
    assert np.array_equal(first, last)


def test_callers_that_have_left_are_not_computed(held: Held) -> None:
    async def main() -> None:
        async with Batcher(held) as batcher:
            first = asyncio.create_task(batcher.classify(picture()))
            await began(held)
            gone = [asyncio.create_task(batcher.classify(picture())) for _ in range(500)]
            stays = asyncio.create_task(batcher.classify(picture()))
            await asyncio.sleep(0)
            for task in gone:
                task.cancel()
            await asyncio.gather(*gone, return_exceptions=True)
            held.go.set()
            await asyncio.gather(first, stays)
            assert held.sizes == [1, 1]

    run(main)


def test_callers_whose_time_is_over_are_told_and_not_computed(held: Held) -> None:
    async def main() -> None:
        async with Batcher(held, timeout=0.05) as batcher:
            tasks = [asyncio.create_task(batcher.classify(picture()))]
            await began(held)
            tasks += [asyncio.create_task(batcher.classify(picture())) for _ in range(3)]
            errors = await asyncio.gather(*tasks, return_exceptions=True)
            assert [str(error) for error in errors] == ["there was no result within 0.05 seconds"] * 4
            assert all(isinstance(error, LateError) for error in errors)
            held.go.set()
            await batcher.classify(picture())
            assert held.sizes == [1, 1]

    run(main)


def test_a_full_queue_refuses(held: Held) -> None:
    async def main() -> None:
        async with Batcher(held, waiting=4) as batcher:
            first = asyncio.create_task(batcher.classify(picture()))
            await began(held)
            many = asyncio.create_task(batcher.classify_many([picture()] * 6))
            await asyncio.sleep(0)
            assert batcher.waiting == 6
            with pytest.raises(BusyError, match="6 images wait already, of at most 4; try again later"):
                await batcher.classify(picture())
            held.go.set()
            assert len(await many) == 6
            await first
            await batcher.classify(picture())

    run(main)


def test_closing_finishes_what_waits_and_takes_no_more(held: Held) -> None:
    async def main() -> None:
        batcher = Batcher(held)
        tasks = [asyncio.create_task(batcher.classify(picture()))]
        await began(held)
        tasks += [asyncio.create_task(batcher.classify(picture())) for _ in range(5)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="closed"):
            await batcher.classify(picture())
        held.go.set()
        assert len(await asyncio.gather(*tasks)) == 6
        await closing
        assert not [t for t in threading.enumerate() if t.name.startswith("cnnfast-batch")]

    run(main)


def test_a_batcher_that_was_never_used_closes(net: Network) -> None:
    run(Batcher(net).close)


def test_large_pictures_are_decoded_by_several_threads(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnnfast.serve import work

    names = set()

    def decode(*arguments: Any) -> Any:
        names.add(threading.current_thread().name.split("_")[0])
        return decode_here(*arguments)

    decode_here = work.decode
    monkeypatch.setattr(work, "decode", decode)

    async def main() -> None:
        async with Batcher(net, threads=2) as batcher:
            assert len(await batcher.classify_many([picture(size=(100, 100))] * 4)) == 4
            assert names == {"cnnfast-decode"}
            await batcher.classify_many([picture()] * 4)
            assert names == {"cnnfast-decode", "cnnfast-batch"}

    run(main)


def test_statistics_of_a_batch(net: Network) -> None:
    reports: list[BatchReport] = []

    async def main() -> None:
        async with Batcher(net, report=reports.append) as batcher:
            await batcher.classify_many([picture()] * 5)

    run(main)
    (report,) = reports
    assert report.images == 5
    assert min(report.decoding, report.computing, *report.waiting) > 0


def test_whatever_fails_every_caller_hears_of_it(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise MemoryError("none left")

    async def main() -> list[Any]:
        async with Batcher(net) as batcher:
            monkeypatch.setattr(Network, "predict_proba", fails)
            return await asyncio.gather(*(batcher.classify(picture()) for _ in range(3)), return_exceptions=True)

    with contained():
        assert [type(error) for error in run(main)] == [MemoryError] * 3


@contextmanager
def contained() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([[1.0]], "must be an array"),
        (np.zeros((0, 32, 32, 3), np.uint8), "one or more images"),
        (np.zeros((1, 32, 32, 3), np.int64), "their dtype is int64"),
        (np.zeros((1, 16, 16, 3), np.uint8), r"\(N, 32, 32, 3\), but it is \(1, 16, 16, 3\)"),
        (np.zeros((1, 3, 16, 16), np.float32), "do not fit this network"),
    ],
)
def test_arrays_that_do_not_fit(net: Network, images: Any, message: str) -> None:
    async def main() -> None:
        async with Batcher(net) as batcher:
            await batcher.predict_proba(images)

    with pytest.raises(InputError, match=message):
        run(main)


def test_a_network_without_preprocessing_takes_floats_only() -> None:
    net = Network.from_layers([Linear(np.eye(3)), Softmax()], (3,))
    values = np.float64([[1, 2, 3]])

    async def main() -> None:
        async with Batcher(net) as batcher:
            assert np.array_equal(await batcher.predict_proba(values), net.predict_proba(values))
            for call in (batcher.classify(b"x"), batcher.predict_proba(np.zeros((1, 3), np.uint8))):
                with pytest.raises(InputError, match="no uint8 pixels or pictures"):
                    await call

    run(main)


def test_a_path_is_not_a_picture(net: Network) -> None:
    async def main() -> None:
        async with Batcher(net) as batcher:
            await batcher.classify("cat.png")  # type: ignore[arg-type]

    with pytest.raises(InputError, match=r"must be bytes, the content of its file, but is 'cat\.png'"):
        run(main)


@pytest.mark.parametrize("setting", [{"batch": 0}, {"waiting": 0}, {"timeout": 0}, {"threads": 0}])
def test_settings_out_of_range(net: Network, setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Batcher(net, **setting)


def test_few_small_images_are_computed_by_one_thread_and_large_ones_by_all(net: Network) -> None:
    batcher = Batcher(net, threads=4)
    assert [batcher._threads_for(images) for images in (1, 16, 17, 64, 500)] == [1, 1, 2, 4, 4]
    convolution = Conv2d(np.zeros((64, 64, 3, 3), np.float32), padding=1)
    large = Network.from_layers([convolution, GlobalAvgPool(), Flatten(), Softmax()], (64, 224, 224))
    assert Batcher(large, threads=4)._threads_for(1) == 4
