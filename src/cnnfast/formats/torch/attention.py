"""Products of two values that are computed from the images: attention, and what surrounds it."""

from __future__ import annotations

import math

from cnnfast.errors import UnsupportedError
from cnnfast.formats.torch.builder import TorchGraph, need_images
from cnnfast.formats.torch.elementwise import binary
from cnnfast.formats.torch.table import aten
from cnnfast.formats.torch.values import TorchImages
from cnnfast.ops import MatMul, Mul, Softmax


@aten("bmm")
def bmm(b: TorchGraph, self: object, mat2: object) -> TorchImages:
    """``torch.bmm``: a matrix for each image on either side."""
    return product(b, need_images(self), need_images(mat2))


def product(b: TorchGraph, left: TorchImages, right: TorchImages) -> TorchImages:
    """Return the products of the matrices in the last two axes of two values."""
    if len(left.shape) < 2 or len(left.shape) != len(right.shape):
        raise UnsupportedError(f"a product of {left.shape} and {right.shape}; both must have as many axes, two or more")
    return b.emit(MatMul(), left, right)


@aten("scaled_dot_product_attention")
def attention(
    b: TorchGraph,
    query: object,
    key: object,
    value: object,
    attn_mask: object = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> TorchImages:
    """Return ``softmax(q k^T / sqrt(d)) v``; Vaswani et al., 2017 (1706.03762)."""
    if attn_mask is not None or is_causal or dropout_p or enable_gqa:
        raise UnsupportedError("attention with a mask, dropout or shared heads; supported: without")
    q, k, v = (need_images(x) for x in (query, key, value))
    rank = len(k.shape)
    turned = b.permuted(k, [*range(rank - 2), rank - 1, rank - 2])
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = binary(b, Mul(), product(b, q, turned), factor)
    return product(b, b.emit(Softmax(rank), scores), v)
