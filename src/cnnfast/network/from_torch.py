"""`cnnfast.from_torch`: a module of PyTorch becomes a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnfast._optional import needs
from cnnfast.errors import ConfigError
from cnnfast.formats import Model
from cnnfast.images.preprocess import Preprocess, rule_of
from cnnfast.network.facts import with_own_constants
from cnnfast.network.network import Network
from cnnfast.ops import Shape

if TYPE_CHECKING:
    import torch


def from_torch(
    module: torch.nn.Module,
    input_shape: Shape | None = None,
    *,
    classes: Sequence[str] | None = None,
    preprocess: Preprocess | str | None = None,
) -> Network:
    """Turn a module of PyTorch into a network, through ``torch.export`` and without a file in between.

    Parameters
    ----------
    module : torch.nn.Module, torch.jit.ScriptModule or torch.export.ExportedProgram
        Called with one tensor of images it returns one tensor. A copy of it is put on the CPU and into evaluation
        mode; the module itself keeps its mode, device and numbers. float64 weights stay float64, all others become
        float32. What DataParallel, DistributedDataParallel or torch.compile wrap is taken out of them.
    input_shape : (C, H, W) or (F,), optional
        Of one image; by default that of the preprocessing.
    classes : sequence of str, optional
        The label of each output.
    preprocess : Preprocess or str, optional
        How a picture becomes the input, as a rule or as the name of one of `cnnfast.images.preprocess.MODES`.

    Raises
    ------
    UnsupportedError
        If the module runs ops that cnnfast does not have, all of which are listed with name, arguments, shape and what
        is nearest; if it cannot be copied or traced; or if what it computes for an image depends on how many there are.
    GraphError
        If it does not take images of that shape, or labels or preprocessing do not fit.
    ConfigError
        If the input shape is missing, the object is not a module or is on the meta device, or PyTorch is not installed.

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten())  # doctest: +SKIP
    >>> from_torch(module, (3, 32, 32)).output_shape  # doctest: +SKIP
    (7200,)
    """
    with needs("reading a module", "cnnfast[torch]"):
        from cnnfast.formats.torch.read import read_module
    if input_shape is None and isinstance(preprocess, Preprocess):
        input_shape = preprocess.shape
    shape = _shape_of_one(input_shape)
    model = read_module(module, shape, classes, rule_of(preprocess, shape))
    return Network(Model(with_own_constants(model.graph), model.preprocess, model.classes, None, model.notes))


def _shape_of_one(shape: object) -> Shape:
    sizes = list(shape) if isinstance(shape, tuple | list) else []
    whole = [int(size) for size in sizes if isinstance(size, int | np.integer) and not isinstance(size, bool)]
    if not sizes or len(whole) < len(sizes) or min(whole) < 1:
        raise ConfigError(
            "input_shape must be that of one image, (C, H, W) or (F,), without the number of images, "
            f"but is {shape!r:.80}"
        )
    return tuple(whole)
