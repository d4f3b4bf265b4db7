"""Walks the nodes of a module; all that is not supported is gathered and reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cnnfast.formats.torch.attention
import cnnfast.formats.torch.conv_linear
import cnnfast.formats.torch.elementwise
import cnnfast.formats.torch.moves
import cnnfast.formats.torch.pools  # noqa: F401  (each of the five enters its ops into the table)
from cnnfast.errors import GraphError, UnsupportedError
from cnnfast.formats.model import Model
from cnnfast.formats.torch.batch import check_alone, same_for_any
from cnnfast.formats.torch.builder import TorchGraph, need_images
from cnnfast.formats.torch.export import (
    BATCHES,
    AtenNode,
    Exported,
    Reference,
    export,
    fold,
    leaves,
    references,
    resolve,
)
from cnnfast.formats.torch.given import module_of
from cnnfast.formats.torch.table import ATEN
from cnnfast.formats.torch.values import Behind, TorchConstant, TorchImages
from cnnfast.formats.unsupported import UnsupportedReport, nearest
from cnnfast.graph import Graph
from cnnfast.ops import Shape

if TYPE_CHECKING:
    from cnnfast.images.preprocess import Preprocess

SILENT = ("_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range_for_size")
"""What only checks."""
MOVING = ("transpose", "t", "permute", "select", "unbind")
"""What may read images that another axis than the first one counts."""


def read_module(
    module: Any, input_shape: Shape, classes: Sequence[str] | None = None, preprocess: Preprocess | None = None
) -> Model:
    """Turn a module of PyTorch into a model.

    Parameters
    ----------
    module : torch.nn.Module
        Called with one tensor of images, it returns one tensor of scores. A copy of it is used, in evaluation mode.
    input_shape : (C, H, W) or (F,)
        Of one image.
    classes : sequence of str, optional
    preprocess : Preprocess, optional

    Raises
    ------
    UnsupportedError
        If it runs ops that cnnfast does not have, all of which are listed, cannot be traced, or gives an image another
        result in another batch.
    GraphError
        If it does not take images of that shape.
    ConfigError
        If it is not a module, or one without numbers.
    """
    shape = tuple(input_shape)
    ours = module_of(module, shape, BATCHES[0])
    graph = same_for_any(lambda batch: graph_of(export(ours, shape, batch), shape))
    check_alone(ours, shape)
    labels = None if classes is None else tuple(classes)
    return Model(graph, preprocess, labels, notes={"source": f"PyTorch module {type(module).__qualname__}"})


def graph_of(exported: Exported, input_shape: Shape) -> Graph:
    """Translate the nodes of a module.

    Raises
    ------
    UnsupportedError
        If some are not known, all of which are listed.
    """
    builder = TorchGraph(exported.source, input_shape, exported.batch)
    known: dict[str, Any] = {exported.source: builder.source, **exported.constants}
    refused = UnsupportedReport(f"the {len(exported.steps)} nodes of this module")
    for step in exported.steps:
        known[step.name] = _result(builder, step, known, refused)
    refused.raise_if_any()
    output = known.get(exported.result)
    if isinstance(output, Behind):
        raise UnsupportedError(f"what the module returns counts the images by axis {output.at}; they must come first")
    if not isinstance(output, TorchImages):
        raise UnsupportedError("what the module returns does not depend on the images")
    return builder.graph(output)


def _result(builder: TorchGraph, step: AtenNode, known: dict[str, Any], refused: UnsupportedReport) -> Any:
    arguments = resolve(step.arguments, known)
    if not any(_depends(known[name]) for name in references(step.arguments)):
        return _folded(builder, step, arguments, refused)
    if step.op in SILENT:
        return None
    if "getitem" in step.op:
        results, index = arguments.values()
        if results[index] is None:
            refused.add(step.op, _row(step, "this result is not computed"))
            return _stand_in(builder, step)
        return results[index]
    try:
        return _translated(builder, step, arguments)
    except (UnsupportedError, GraphError) as error:
        refused.add(step.op, _row(step, str(error)))
        return _stand_in(builder, step)
    # the node is known here, and nowhere further out
    except Exception as error:
        refused.add(step.op, _row(step, f"cnnfast fails on it ({type(error).__name__}: {error!s:.200})"))
        return _stand_in(builder, step)


def _folded(builder: TorchGraph, step: AtenNode, arguments: dict[str, Any], refused: UnsupportedReport) -> Any:
    try:
        return fold(step, arguments)
    except UnsupportedError as error:
        refused.add(step.op, _row(step, str(error)))
        return _stand_in(builder, step)


def _depends(value: Any) -> bool:
    """Return whether a value is computed from the images."""
    return isinstance(value, TorchImages | Behind) or (isinstance(value, tuple | list) and any(map(_depends, value)))


def _translated(builder: TorchGraph, step: AtenNode, arguments: dict[str, Any]) -> Any:
    handler = ATEN.get(step.op)
    if handler is None:
        raise UnsupportedError(nearest("torch", step.op, ATEN))
    behind = [leaf for leaf in leaves(arguments) if isinstance(leaf, Behind)]
    if behind and step.op not in MOVING:
        raise UnsupportedError(
            f"it reads a value whose axis {behind[0].at} counts the images; supported there: {', '.join(MOVING)}"
        )
    builder.begin(step.name, [shape[1:] for shape in step.shapes])
    try:
        result = handler(builder, **arguments)
    except GraphError:
        _check_batch(step.shapes[:1], builder.batch)
        raise
    for value, shape in zip(result if isinstance(result, tuple) else (result,), step.shapes, strict=False):
        if value is None or isinstance(value, TorchConstant):
            continue
        if isinstance(value, Behind):
            _check_behind(value, shape, builder.batch)
            continue
        _check_batch([shape], builder.batch)
        if need_images(value).shape != shape[1:]:
            hint = "; keepdim=True keeps an axis" if shape[1:] == () else ""
            raise UnsupportedError(f"it would give {value.shape}, but PyTorch states {shape[1:]}{hint}")
    return result


def _check_batch(shapes: Sequence[Shape], batch: int) -> None:
    for shape in shapes:
        if shape[:1] != (batch,):
            raise UnsupportedError(f"it mixes the images of a batch: of {batch} images it makes {shape}")


def _check_behind(value: Behind, shape: Shape, batch: int) -> None:
    """Check that images whose number comes later have the shape that PyTorch states."""
    inner = value.images.shape
    if (*inner[: value.at], batch, *inner[value.at :]) != shape:
        raise UnsupportedError(f"it would give {inner} with the images counted by axis {value.at}, but is {shape}")


def _stand_in(builder: TorchGraph, step: AtenNode) -> Any:
    """Return values of the right shape, so that what follows is looked at too."""
    values = tuple(builder.stand_in(shape[1:] or (1,)) for shape in step.shapes)
    return values[0] if len(values) == 1 else values


def _row(step: AtenNode, reason: str) -> str:
    told = {n: v for n, v in step.arguments.items() if v is not None and not isinstance(v, Reference)}
    text = ", ".join([step.op, *(f"{name}={value!r:.60}" for name, value in told.items())])
    shape = str(("N", *step.shapes[0][1:])).replace("'", "") if step.shapes else "unknown"
    return f"{step.name!r} ({text:.300}) of shape {shape}: {reason}"
