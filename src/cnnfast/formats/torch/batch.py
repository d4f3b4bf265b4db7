"""Whether a module gives an image the same result however many there are: cnnfast runs them in groups of any size."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as tree

from cnnfast.errors import GraphError, UnsupportedError
from cnnfast.formats.torch.export import BATCHES, run
from cnnfast.formats.torch.given import precision
from cnnfast.graph import Graph, Node
from cnnfast.ops import Array, Shape

MOST = 20
WAY_OUT = "the number of images (len(x), x.size(0), x.shape[0]) may be in a shape, but must not change what is computed"
ALONE = 0.01
"""How far the result of an image alone may be from that in a batch, as a part of the largest: PyTorch sums in another
order, which is far below this, and networks that round make more of it."""


def same_for_any(translate: Callable[[int], Graph]) -> Graph:
    """Return the graph of a module, provided that it is the same for both numbers of images.

    Raises
    ------
    UnsupportedError
        If it is not; what differs is listed.
    """
    first, second = (translate(batch) for batch in BATCHES)
    differences = list(_differences(first, second))
    if differences:
        more = f"\n  and {len(differences) - MOST} more" if len(differences) > MOST else ""
        rows = "".join(f"\n  {row}" for row in differences[:MOST])
        raise UnsupportedError(f"what the module computes depends on how many images there are; {WAY_OUT}:{rows}{more}")
    return first


def _differences(first: Graph, second: Graph) -> Iterator[str]:
    if [node.name for node in first.nodes] != [node.name for node in second.nodes]:
        ours, theirs = ({node.name for node in graph.nodes} for graph in (first, second))
        for batch, alone in zip(BATCHES, (ours - theirs, theirs - ours), strict=True):
            if alone:
                yield f"of {batch} images alone it computes {', '.join(sorted(alone)[:8])}"
        return
    for one, other in zip(first.nodes, second.nodes, strict=True):
        if one.op != other.op:
            yield f"{one.name!r} is {one.op} of {BATCHES[0]} images, and {other.op} of {BATCHES[1]}"
        elif one.inputs != other.inputs:
            yield f"{one.name!r} reads {one.inputs} of {BATCHES[0]} images, and {other.inputs} of {BATCHES[1]}"
        else:
            yield from _other_numbers(one, first, second)


def _other_numbers(node: Node, first: Graph, second: Graph) -> Iterator[str]:
    for name in node.inputs:
        if name not in first.constants:
            continue
        ours, theirs = first.constants[name], second.constants[name]
        if ours.shape != theirs.shape or not np.array_equal(ours, theirs, equal_nan=True):
            shown = (f"{_shown(array)} of {batch} images" for array, batch in zip((ours, theirs), BATCHES, strict=True))
            yield f"{node.name!r} ({node.op.name}) computes with {', and with '.join(shown)}"


def _shown(array: Array) -> str:
    return f"{float(array.reshape(-1)[0]):g}" if array.size == 1 else f"numbers of shape {array.shape}"


def check_alone(module: torch.nn.Module, input_shape: Shape) -> None:
    """Check that a module gives an image alone what it gives it in a batch: no trace shows a branch for one image.

    Raises
    ------
    UnsupportedError
        If it does not.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, *input_shape, generator=generator, dtype=precision(module)) * 2 - 1
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        together = _numbers(run(module, images))
        try:
            alone = _numbers(run(module, images[:1]))
        except GraphError:
            # a module may need a batch; cnnfast does not
            return
    first = together[0]
    finite = first[np.isfinite(first)]
    scale = float(abs(finite).max(initial=0))
    if alone.size != first.size or not np.allclose(
        alone.reshape(-1), first.reshape(-1), rtol=0, atol=ALONE * scale, equal_nan=True
    ):
        raise UnsupportedError(
            f"the module gives an image alone another result than in a batch of {len(images)}; {WAY_OUT}"
        )


def _numbers(result: Any) -> Array:
    tensors = [leaf for leaf in tree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]
    numbers: Array = tensors[0].numpy()
    return numbers
