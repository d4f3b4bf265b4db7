"""Images in every type of column that is read, and the truth about them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

SHAPE = (32, 32, 3)
NEST = pa.list_(pa.list_(pa.list_(pa.uint8(), 3), 32), 32)


def random_images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def encoded(images: np.ndarray, kind: Any = None) -> Any:
    return pa.array([png(image) for image in images], kind or pa.binary())


def tensor(images: np.ndarray, **options: Any) -> Any:
    kind = pa.fixed_shape_tensor(pa.uint8(), images.shape[1:], **options)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(images.ravel()), int(np.prod(images.shape[1:])))
    return pa.ExtensionArray.from_storage(kind, flat)


def in_structs(images: np.ndarray) -> Any:
    none = pa.nulls(len(images), pa.string())
    return pa.StructArray.from_arrays([encoded(images), none], ["bytes", "path"])


TYPES: dict[str, Callable[[np.ndarray], Any]] = {
    "binary": encoded,
    "large_binary": lambda images: encoded(images, pa.large_binary()),
    "binary_view": lambda images: encoded(images, pa.binary_view()),
    "dictionary of binary": lambda images: encoded(images).dictionary_encode(),
    "runs of binary": lambda images: pc.run_end_encode(encoded(images)),
    "struct<bytes, path>": in_structs,
    "tensor": tensor,
    "tensor, channels first by name": lambda images: tensor(
        np.ascontiguousarray(images.transpose(0, 3, 1, 2)), dim_names=["C", "H", "W"]
    ),
    "tensor, channels first by permutation": lambda images: tensor(
        np.ascontiguousarray(images.transpose(0, 3, 1, 2)), permutation=[1, 2, 0]
    ),
    "list": lambda images: pa.array([image.ravel() for image in images], pa.list_(pa.uint8())),
    "large_list": lambda images: pa.array([image.ravel() for image in images], pa.large_list(pa.uint8())),
    "fixed_size_list": lambda images: tensor(images).storage,
    "nested fixed_size_list": lambda images: pa.array([image.tolist() for image in images], NEST),
}
"""Names of the types, and what makes a column of each; all rows read as equal pixels."""
