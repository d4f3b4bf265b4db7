"""Which element a slope of PReLU belongs to follows from its shape, never from how many slopes there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("h5py", reason="writing models of Keras needs h5py")

from formats.keras.crafted import entry, h5_bytes, write

from cnnfast import Network
from cnnfast.errors import ModelFileError

SHARED = [None, [1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]]


def prelu(folder: Path, shape: tuple[int, ...], slope: np.ndarray, shared: object) -> Network:
    specs = [
        entry("x", "InputLayer", [], {"batch_shape": [None, *shape]}),
        entry("y", "PReLU", ["x"], {"shared_axes": shared}, [slope.astype(np.float32)]),
    ]
    return Network.load(write(folder / "model.h5", h5_bytes(specs)))


@pytest.mark.parametrize("shape", [(2, 2, 2), (1, 2, 2), (3, 2, 4)])
@pytest.mark.parametrize("shared", SHARED)
def test_every_way_to_share_slopes(shared: list[int] | None, shape: tuple[int, ...], tmp_path: Path) -> None:
    """Two slopes, or four, on a 2x2x2 input: only their shape tells rows, columns and channels apart."""
    rng = np.random.default_rng(0)
    slope = rng.uniform(-1, 1, [1 if axis + 1 in (shared or ()) else size for axis, size in enumerate(shape)])
    x = rng.standard_normal((5, *shape)).astype(np.float32)
    result = prelu(tmp_path, shape, slope, shared).forward(x, layout="nhwc").transpose(0, 2, 3, 1)
    np.testing.assert_allclose(result, np.where(x >= 0, x, slope * x), rtol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (4, 4)])
def test_rows(shape: tuple[int, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    slope, x = rng.uniform(-1, 1, shape), rng.standard_normal((5, *shape)).astype(np.float32)
    net = prelu(tmp_path, shape, slope, None)
    images, layout = (x, None) if x.ndim == 2 else (x[:, :, :, None], "nchw")
    result = net.forward(images, layout=layout)
    np.testing.assert_allclose(result.reshape(x.shape), np.where(x >= 0, x, slope * x), rtol=1e-6)


@pytest.mark.parametrize(("slope", "shared"), [(np.ones((1, 1, 2)), [1]), (np.ones(2), [1, 2]), (np.ones(8), None)])
def test_slopes_that_do_not_fit(slope: np.ndarray, shared: object, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="its slopes are of shape"):
        prelu(tmp_path, (2, 2, 2), slope, shared)
