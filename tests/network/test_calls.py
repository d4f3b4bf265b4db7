"""A call: the short way through buffers, the long way through NumPy, results in given memory, and compiled networks."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from small_networks import head, photographs, small_net

from cnnfast import ConfigError, InputError, Network, Preprocess, UnsupportedError
from cnnfast.images import arrays
from cnnfast.layers import Conv2d, Flatten, Linear, Relu
from cnnfast.network.runner import Runner
from cnnfast.runtime import dispatch, threads
from cnnfast.runtime.dispatch import kernels

VALUES = np.random.default_rng(5).standard_normal((40, 3, 8, 8)).astype(np.float32)


def misaligned(x: np.ndarray) -> np.ndarray:
    memory = np.zeros(x.nbytes + 1, np.uint8)
    result = memory[1:].view(x.dtype).reshape(x.shape)
    result[...] = x
    return result


def read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


WAYS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "planar": (lambda x: x, "nchw"),
    "interleaved": (lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)), "nhwc"),
    "interleaved view": (lambda x: x.transpose(0, 2, 3, 1), "nhwc"),
    "every other image": (lambda x: np.repeat(x, 2, axis=0)[::2], "nchw"),
    "backwards": (lambda x: np.ascontiguousarray(x[::-1, :, ::-1])[::-1, :, ::-1], "nchw"),
    "cut out": (lambda x: np.pad(x, ((0, 0), (1, 1), (2, 0), (0, 3)))[:, 1:-1, 2:, :-3], "nchw"),
    "misaligned": (misaligned, "nchw"),
    "read-only": (read_only, "nchw"),
    "other byte order": (lambda x: x.astype(">f4"), "nchw"),
    "float64": (lambda x: x.astype(np.float64), "nchw"),
    "fortran": (np.asfortranarray, "nchw"),
    "subclass": (lambda x: x.view(np.recarray), "nchw"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("nan_policy", ["raise", "propagate"])
def test_the_same_values_give_the_same_bits_however_they_are_stored(way: str, nan_policy: str) -> None:
    net = small_net()
    stored, layout = WAYS[way][0](VALUES), WAYS[way][1]
    expected = net.forward(VALUES, layout="nchw")
    np.testing.assert_array_equal(net.forward(stored, layout=layout, nan_policy=nan_policy), expected)
    np.testing.assert_array_equal(net.forward(stored[7], layout=layout, nan_policy=nan_policy), expected[7:8])


def test_bytes_are_the_same_as_their_values() -> None:
    net = small_net()
    assert net.preprocess is not None
    pixels = photographs()
    views = (pixels, pixels[::-1][::-1], np.repeat(pixels, 2, axis=2)[:, :, ::2], read_only(pixels))
    for view in views:
        np.testing.assert_array_equal(net.forward(view), net.forward(pixels.tolist() and pixels))
    planar = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(net.forward(planar, layout="nchw"), net.forward(pixels))
    np.testing.assert_allclose(net.forward(pixels), net.forward(net.preprocess(pixels), layout="nchw"), atol=1e-5)


@pytest.mark.parametrize("nan_policy", ["raise", "propagate"])
def test_what_is_not_finite_is_found_both_ways(nan_policy: str) -> None:
    net = small_net()
    for bad in (np.nan, np.inf, -np.inf):
        for store in (lambda x: x, lambda x: np.repeat(x, 2, axis=0)[::2]):
            values = VALUES.copy()
            values[17, 2, 3, 4] = bad
            if nan_policy == "raise":
                with pytest.raises(
                    InputError, match=r"image 17 has the value -?(nan|inf) at channel 2, row 3, column 4"
                ):
                    net.forward(store(values), layout="nchw")
            else:
                result = net.forward(store(values), layout="nchw", nan_policy=nan_policy)
                others = np.arange(40) != 17
                np.testing.assert_array_equal(result[others], net.forward(VALUES, layout="nchw")[others])
    with pytest.raises(InputError, match="nan_policy must be one of"):
        net.predict_proba(VALUES, layout="nchw", nan_policy="ignore")


def gray() -> Network:
    rng = np.random.default_rng(0)
    layers = [Conv2d(rng.standard_normal((2, 1, 3, 3))), Relu(), Flatten(), Linear(rng.standard_normal((3, 24)))]
    return Network.from_layers(layers, (1, 5, 6), preprocess=Preprocess((5, 6), channels="gray"))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_axis_of_a_single_channel_may_be_missing(dtype: type) -> None:
    net = gray()
    images = np.random.default_rng(1).integers(0, 2, (9, 5, 6)).astype(dtype)
    expected = net.forward(images)
    assert expected.shape == (9, 3)
    for other, layout in ((images[..., None], "nhwc"), (images[:, None], "nchw"), (images[..., None], None)):
        np.testing.assert_array_equal(net.forward(other, layout=layout), expected)
    np.testing.assert_array_equal(net.forward(images[4]), expected[4:5])
    np.testing.assert_array_equal(net.forward(images[4][..., None]), expected[4:5])


def test_rows_of_features() -> None:
    net, rows = head(), np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(net.forward(rows), rows)
    np.testing.assert_array_equal(net.forward(rows[2]), rows[2:3])
    np.testing.assert_array_equal(net.forward(rows.T.copy().T), rows)
    np.testing.assert_array_equal(net.forward(rows[:, :, None, None], layout="nchw"), rows)
    assert net.forward(rows[:0]).shape == (0, 3)


def test_the_usual_goes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The long way is closed, so these must pass without it."""
    net = small_net()
    net.forward(photographs()), net.predict_proba(photographs())

    def closed(*_: object) -> None:
        raise AssertionError("the long way")

    monkeypatch.setattr(Runner, "_run_long", closed)
    net.forward(photographs()), net.predict_proba(photographs(1)[0]), net.forward(VALUES, layout="nchw")
    net.forward(VALUES.transpose(0, 2, 3, 1).copy(), layout="nhwc", out=np.empty((40, 4), np.float32))
    net.compile(batch=2)(photographs(2))


# Results in given memory -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["forward", "predict_proba"])
def test_out_is_filled_and_returned(method: str) -> None:
    net = small_net()
    call = getattr(net, method)
    for images in (photographs(), memoryview(photographs())):
        out = np.full((50, 4), np.nan, np.float32)
        assert call(images, out=out) is out
        np.testing.assert_array_equal(out, call(photographs()))


def test_out_of_an_image_shape() -> None:
    part = small_net().truncate("first_relu")
    out = np.empty((50, 6, 8, 8), np.float32)
    assert part.forward(photographs(), out=out) is out
    np.testing.assert_array_equal(out, part.forward(photographs()))


def test_out_of_two_classes() -> None:
    net, scores = head(outputs=1), np.array([[2.0], [-1.0]], np.float32)
    out = np.empty((2, 2), np.float32)
    assert net.predict_proba(scores, out=out) is out
    np.testing.assert_array_equal(out, net.predict_proba(scores))
    with pytest.raises(InputError, match=r"out must be float32 of shape \(2, 2\), but is float32 of shape \(2, 1\)"):
        net.predict_proba(scores, out=out[:, :1])


FULL = (50, 4)
BAD_OUT = {
    "list": ([[0.0] * 4] * 50, "out must be a NumPy array, but is a list"),
    "dtype": (np.empty(FULL), r"out must be float32 of shape \(50, 4\), but is float64"),
    "bytes": (np.empty(FULL, ">f4"), r"out must be float32 of shape \(50, 4\), but is >f4"),
    "too few": (np.empty((49, 4), np.float32), r"is float32 of shape \(49, 4\)"),
    "flat": (np.empty(200, np.float32), r"is float32 of shape \(200,\)"),
    "turned": (np.empty((4, 50), np.float32).T, "out must be contiguous"),
    "read-only": (read_only(np.empty(FULL, np.float32)), "out must be contiguous"),
    "misaligned": (misaligned(np.zeros(FULL, np.float32)), "out must be contiguous"),
}


@pytest.mark.parametrize("name", BAD_OUT)
def test_out_that_does_not_fit(name: str) -> None:
    out, message = BAD_OUT[name]
    net = small_net()
    for call in (net.forward, net.predict_proba, net.compile(batch=50), net.compile(batch=50, raw=True)):
        with pytest.raises(InputError, match=message):
            call(photographs(), out=out)  # type: ignore[operator]


def test_out_must_not_be_the_images() -> None:
    net = head()
    memory = np.zeros((40, 3), np.float32)
    for images, out in ((memory, memory), (memory[:20], memory[10:30]), (memory[20::-1], memory[20:41])):
        with pytest.raises(InputError, match="out and images overlap"):
            net.forward(images[: len(out)], out=out[: len(images)])
    net.forward(memory[:20], out=memory[20:])
    net.forward(memory[20:], out=memory[:20])


# Compiled networks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("raw", [False, True])
def test_compiled_gives_the_same_bits(threads: int, raw: bool) -> None:
    net = small_net()
    expected = net.forward(photographs()) if raw else net.predict_proba(photographs())
    for batch in (1, 3, 50):
        fast = net.compile(batch=batch, threads=threads, raw=raw)
        for copy in (fast, pickle.loads(pickle.dumps(fast))):
            np.testing.assert_array_equal(copy(photographs()[:batch]), expected[:batch])
            out = np.empty((batch, 4), np.float32)
            assert copy(photographs()[:batch], out) is out
            np.testing.assert_array_equal(copy(memoryview(photographs()[:batch])), expected[:batch])
    one = net.compile(threads=threads, raw=raw)
    np.testing.assert_array_equal(one(photographs()[3]), expected[3:4])


def test_compiled_says_what_is_wrong() -> None:
    net = small_net()
    fast = net.compile(batch=8)
    with pytest.raises(InputError, match="compiled for 8 images per call, but got 50"):
        fast(photographs())
    with pytest.raises(InputError, match="do not fit this network"):
        fast(np.zeros((8, 9, 9, 3), np.uint8))
    with pytest.raises(InputError, match="say layout="):
        fast(VALUES[:8])
    values = VALUES[:8].copy()
    values[3, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="image 3 has the value nan"):
        net.compile(batch=8, layout="nchw")(values)
    assert np.isnan(net.compile(batch=8, layout="nchw", nan_policy="propagate")(values)[3]).all()
    with pytest.raises(InputError, match="takes floats, and no uint8 pixels"):
        head().compile()(np.zeros((1, 3), np.uint8))


@pytest.mark.parametrize("batch", [0, -1, 1.0, True, "2", None])
def test_batch_sizes_that_are_none(batch: int) -> None:
    with pytest.raises(ConfigError, match="batch must be an integer from 1 to 2147483648, but is"):
        small_net().compile(batch=batch)


def test_compiled_is_immutable_and_says_what_it_is() -> None:
    fast = small_net().compile(batch=2, threads=1)
    assert repr(fast) == "<cnnfast.Compiled <cnnfast.Network (3, 8, 8) -> (4,), 10 nodes>, batch 2, 1 threads>"
    with pytest.raises(AttributeError, match="immutable"):
        fast.batch = 3  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="immutable"):
        del fast._run
    with pytest.raises(UnsupportedError, match="raw=True"):
        head(outputs=1).compile()
    assert head(outputs=1).compile(raw=True)(np.zeros((1, 1), np.float32)).shape == (1, 1)


# What calls work with --------------------------------------------------------------------------------------------


def test_memory_is_given_back_and_bounded() -> None:
    net = small_net()
    net.forward(photographs(), threads=1)
    blocks, size = kernels.idle_memory()
    assert 1 <= blocks <= 16
    for _ in range(20):
        net.forward(photographs(), threads=1)
    assert kernels.idle_memory() == (blocks, size)
    for side in range(8, 300, 8):
        wide = Network.from_layers([Conv2d(np.ones((8, 1, 3, 3)), padding=1)], (1, side, side))
        wide.forward(np.zeros((1, side, side), np.float32))
    blocks, size = kernels.idle_memory()
    assert blocks <= 16
    assert size <= 64 << 20


def test_kernels_of_another_version_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "INTERFACE", kernels.INTERFACE + 1)
    with pytest.raises(ConfigError, match="build them again") as caught:
        dispatch._check_interface()
    assert kernels.__file__ in str(caught.value)
    monkeypatch.setattr(dispatch, "kernels", arrays)
    with pytest.raises(ConfigError, match="have interface 0"):
        dispatch._check_interface()


def test_a_call_hears_of_a_new_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "STALE", 0.0)
    monkeypatch.setattr(threads, "_recent_until", -1.0)
    for number in ("3", "5"):
        monkeypatch.setenv("CNNFAST_NUM_THREADS", number)
        assert threads.of_call() == int(number)
