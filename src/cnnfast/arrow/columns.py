"""Which column of a schema has the pictures; its type decides how they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cnnfast._frozen import frozen
from cnnfast.errors import CnnfastError, InputError
from cnnfast.images.preprocess import Preprocess
from cnnfast.runtime.arguments import quoted
from cnnfast.runtime.suggest import did_you_mean

ENCODED, PATHS, ENCODED_OR_PATHS, PIXELS = "encoded pictures", "paths", "encoded pictures or paths", "pixels"

KNOWN = (
    "binary (encoded pictures), string (paths), fixed_shape_tensor<uint8, [H, W, C]> or lists of uint8 (pixels), or "
    "struct<bytes, path>"
)

SPARK_IMAGE = {"origin", "height", "width", "nChannels", "mode", "data"}
WHY_NOT_SPARK = (
    "is the image struct of Spark, whose pixels were decoded by other rules (Java's ImageIO: photographs are not "
    "turned upright, what it cannot read is missing); read the files as format('binaryFile') and give the column "
    "content"
)

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")

IS_NULL = "is null"


@frozen
class PictureColumn:
    """The column that has the pictures.

    Attributes
    ----------
    name : str
    kind : str
        `ENCODED`, `PATHS`, `ENCODED_OR_PATHS` or `PIXELS`.
    shape : tuple of int
        (H, W, C) of pixels; empty for the others.
    """

    name: str
    kind: str
    shape: tuple[int, ...] = ()


def picture_column(
    schema: Any, name: str | None, preprocess: Preprocess, pixels: tuple[int, ...] | None = None
) -> PictureColumn:
    """Return the column of a name; without one the only column that has pictures, or else the only one of paths.

    Parameters
    ----------
    schema : pyarrow.Schema
    name : str, optional
    preprocess : Preprocess
    pixels : (H, W, C), optional
        What bytes are, where they are not a file of a picture.

    Raises
    ------
    InputError
        If there is none, there are several, or its type is not one that is read.

    Examples
    --------
    >>> rule = Preprocess(size=(8, 8))
    >>> picture_column(pa.schema({"path": pa.string(), "content": pa.binary()}), None, rule)
    PictureColumn(name='content', kind='encoded pictures', shape=())
    """
    if name is not None:
        return _of_type(name, schema.field(_index_of(schema, name)).type, preprocess, pixels)
    fitting = {field.name: field for field in schema if _fits(field.type, preprocess, pixels)}
    # a part of a frame of pandas in which no row has a picture
    if any(not pa.types.is_null(field.type) for field in fitting.values()):
        fitting = {key: field for key, field in fitting.items() if not pa.types.is_null(field.type)}
    if len(fitting) > 1:
        fitting = {key: field for key, field in fitting.items() if not _is_text(plain_type(field.type))}
    if len(fitting) != 1:
        found = f"{len(fitting)} columns could have them ({', '.join(fitting)})" if fitting else "no column fits"
        raise InputError(
            f"column is not given, and {found}; name one that is {KNOWN}. The columns are: {spelled(schema)}"
        )
    (name,) = fitting
    return picture_column(schema, name, preprocess, pixels)


def _index_of(schema: Any, name: str) -> int:
    found = schema.get_all_field_indices(name)
    if len(found) == 1:
        index: int = found[0]
        return index
    if found:
        columns = spelled(schema)
        raise InputError(
            f"there are {len(found)} columns {name!r}, of which one must be renamed; the columns are: {columns}"
        )
    raise InputError(f"there is no column {name!r}; {columns_instead_of(name, schema)}")


def columns_instead_of(name: str, schema: Any) -> str:
    """Return which columns there are where one of a name is not, and what may have been meant.

    Examples
    --------
    >>> columns_instead_of("contnt", pa.schema({"content": pa.binary()}))
    "the columns are: content (binary); did you mean 'content'?"
    """
    advice = did_you_mean(name, schema.names)
    if name.partition(".")[0] in schema.names:
        advice = "; select a field of a struct as a column of its own first"
    return f"the columns are: {spelled(schema)}{advice}"


def spelled(schema: Any) -> str:
    """Return the columns of a schema with their types, as a message lists them."""
    return ", ".join(f"{field.name} ({field.type})" for field in schema) or "(none)"


def plain_type(kind: Any) -> Any:
    """Return the type of the values of a column that is encoded as a dictionary or as runs."""
    while pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        kind = kind.value_type
    return kind


def _is_text(kind: Any) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def is_bytes(kind: Any) -> bool:
    """Return whether rows of a type are bytes."""
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def _fits(kind: Any, preprocess: Preprocess, pixels: tuple[int, ...] | None) -> bool:
    try:
        _of_type("", kind, preprocess, pixels)
    except InputError:
        return False
    return True


def _of_type(name: str, given: Any, preprocess: Preprocess, pixels: tuple[int, ...] | None) -> PictureColumn:
    kind = plain_type(given)
    if pixels is not None:
        if is_bytes(kind) or pa.types.is_null(kind):
            return PictureColumn(name, PIXELS, pixels)
        raise InputError(
            f"column {name!r} is {given}, but pixels={pixels} says that it is binary, with pixels as bytes"
        )
    if is_bytes(kind) or pa.types.is_null(kind):
        return PictureColumn(name, ENCODED)
    if _is_text(kind):
        return PictureColumn(name, PATHS)
    if pa.types.is_struct(kind):
        names = {field.name for field in kind}
        if names >= SPARK_IMAGE:
            raise InputError(f"column {name!r} {WHY_NOT_SPARK}")
        if names == {"bytes", "path"} and is_bytes(kind.field("bytes").type) and _is_text(kind.field("path").type):
            return PictureColumn(name, ENCODED_OR_PATHS)
    shape = _pixel_shape(name, kind, preprocess)
    if shape is None:
        raise InputError(f"column {name!r} is {given}, but pictures are {KNOWN}{_advice(kind)}")
    return PictureColumn(name, PIXELS, shape)


def _advice(kind: Any) -> str:
    while hasattr(kind, "value_type"):
        kind = kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "; pixels are uint8, 0 to 255: cast them"
    return ""


def is_list(kind: Any) -> bool:
    """Return whether rows of a type may be of different lengths."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _pixel_shape(name: str, kind: Any, preprocess: Preprocess) -> tuple[int, ...] | None:
    """Return (H, W, C) of pixels, or None for another type; InputError if pixels of that shape cannot be taken."""
    if isinstance(kind, pa.FixedShapeTensorType):
        if kind.value_type != pa.uint8():
            return None
        shape = tuple(kind.shape[axis] for axis in axes_of(kind))
    else:
        flat = (*preprocess.size, preprocess.channel_count)
        if is_list(kind):
            return flat if kind.value_type in (pa.uint8(), pa.int16()) else None
        sizes = []
        while pa.types.is_fixed_size_list(kind):
            sizes.append(kind.list_size)
            kind = kind.value_type
        if kind != pa.uint8() or not sizes:
            return None
        if len(sizes) == 1:
            needed = flat[0] * flat[1] * flat[2]
            if sizes[0] != needed:
                raise InputError(
                    f"column {name!r} has {sizes[0]} bytes in each row, but this network takes {flat[0]} x {flat[1]} x "
                    f"{flat[2]} = {needed}; give pixels of another size as fixed_shape_tensor<uint8, [H, W, C]>"
                )
            return flat
        shape = tuple(sizes)
    shape = (*shape, 1) if len(shape) == 2 else shape
    if len(shape) != 3 or shape[2] not in (1, 3, 4) or 0 in shape:
        raise InputError(
            f"column {name!r} has pixels of shape {list(shape)}, but they must be [H, W] or [H, W, C] with C of 1, 3 "
            "or 4; where channels come first, say so by dim_names=['C', 'H', 'W'] of the tensor"
        )
    return shape


def axes_of(kind: Any) -> tuple[int, ...]:
    """Return which stored axes of a tensor are its rows, columns and channels, by their names if they have such."""
    order = tuple(kind.permutation or range(len(kind.shape)))
    names = [name.upper() for name in kind.dim_names or ()]
    wanted = "HWC"[: len(names)]
    return tuple(names.index(axis) for axis in wanted) if wanted and sorted(names) == sorted(wanted) else order


def picture_items(column: Any, kind: str) -> Iterator[Any]:
    """Yield what each row has to decode: a buffer, a path, or the error that explains why there is nothing.

    Examples
    --------
    >>> list(picture_items(pa.array(["a.png", None]), PATHS))
    ['a.png', InputError('is null')]
    """
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    for scalar in column:
        value = scalar.value if isinstance(scalar, pa.DictionaryScalar) and scalar.is_valid else scalar
        yield _item(value, kind)


def _item(value: Any, kind: str) -> Any:
    if not value.is_valid:
        return InputError(IS_NULL)
    if kind == ENCODED:
        return value.as_buffer()
    if kind == PATHS:
        return _path(value.as_buffer().to_pybytes())
    content, path = value["bytes"], value["path"]
    if content.is_valid:
        return content.as_buffer()
    return _path(path.as_buffer().to_pybytes()) if path.is_valid else InputError("has neither bytes nor a path")


def _path(name: bytes) -> str | CnnfastError:
    # any name of a file, and not only those that are valid text
    path = name.decode("utf-8", "surrogateescape")
    if ADDRESS.match(path):
        return InputError(
            f"{quoted(path)} is an address, not the path of a file of this machine; read it into a binary column"
        )
    return path
