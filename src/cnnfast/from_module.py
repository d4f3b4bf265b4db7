"""`cnnfast.from_torch`: a module of PyTorch becomes a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnnfast._optional import needs
from cnnfast.errors import ConfigError
from cnnfast.formats import Model
from cnnfast.network import Network, frozen
from cnnfast.ops import Shape
from cnnfast.preprocess import Preprocess

if TYPE_CHECKING:
    import torch


def from_torch(
    module: torch.nn.Module,
    input_shape: Shape | None = None,
    *,
    classes: Sequence[str] | None = None,
    preprocess: Preprocess | None = None,
) -> Network:
    """Turn a module of PyTorch into a network, through ``torch.export`` and without a file in between.

    Parameters
    ----------
    module : torch.nn.Module
        Called with one tensor of images it returns one tensor, whatever mode it is in: a copy of it is put into
        evaluation mode. float64 weights stay float64, all others become float32.
    input_shape : (C, H, W) or (F,), optional
        Of one image; by default that of the preprocessing.
    classes : sequence of str, optional
        The label of each output.
    preprocess : Preprocess, optional
        How a picture becomes the input.

    Raises
    ------
    UnsupportedError
        If the module runs ops that cnnfast does not have, all of which are listed with name, arguments, shape and what
        is nearest; if it cannot be traced; or if PyTorch is not installed.
    GraphError
        If it does not take images of that shape, or labels or preprocessing do not fit.
    ConfigError
        If no input shape is given, or what is given is no module.

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten())  # doctest: +SKIP
    >>> from_torch(module, (3, 32, 32)).output_shape  # doctest: +SKIP
    (7200,)
    """
    with needs("reading a module", "cnnfast[torch]"):
        from cnnfast.formats.torch.read import read_module
    if not callable(getattr(module, "named_parameters", None)):
        raise ConfigError(f"module must be a torch.nn.Module, but is a {type(module).__name__}")
    shape: Any = preprocess.shape if input_shape is None and preprocess is not None else input_shape
    if not isinstance(shape, tuple | list) or not shape or not all(isinstance(n, int) and n > 0 for n in shape):
        raise ConfigError(
            f"input_shape must be that of one image, (C, H, W) or (F,), without the number of images, but is {shape!r}"
        )
    model = read_module(module, tuple(shape), classes, preprocess)
    return Network(Model(frozen(model.graph), model.preprocess, model.classes, None, model.notes))
