"""How each op passes gradients back: a NumPy reference for every op that trains.

``gradient(op, inputs, y, dy)`` is the vector-Jacobian product of ``op.reference``: for each input, the derivative of
``sum(dy * y)``. Each family of ops has a file here that registers its functions in `GRADIENTS`; tests hold all of them
against central differences of the references in float64.
"""

from cnnfast.ops.gradients import arithmetic, conv_linear, elementwise, moves, normalize, pools  # noqa: F401  (they register)
from cnnfast.ops.gradients.base import GRADIENTS, gradient, has_gradient
from cnnfast.ops.gradients.batch_norm import batch_norm_gradient, batch_norm_training
from cnnfast.ops.gradients.dropout import dropout_keys, dropout_mask

__all__ = [
    "GRADIENTS",
    "batch_norm_gradient",
    "batch_norm_training",
    "dropout_keys",
    "dropout_mask",
    "gradient",
    "has_gradient",
]
