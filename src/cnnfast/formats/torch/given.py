"""What the user hands over becomes a module that can be traced, or an error that says what to hand over instead."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import torch

from cnnfast.errors import ConfigError, UnsupportedError
from cnnfast.formats.torch.multihead import written_out
from cnnfast.ops import Shape

WRAPPERS = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)


def module_of(given: object, input_shape: Shape, images: int) -> torch.nn.Module:
    """Return a copy of a module on the CPU, in evaluation mode, in float32 or float64; what is given stays as it is.

    Parameters
    ----------
    given : torch.nn.Module, torch.jit.ScriptModule or torch.export.ExportedProgram
        Wrapped or not.
    input_shape : tuple
        Of one image.
    images : int
        How many a script is converted with.

    Raises
    ------
    ConfigError
        If it is something else, or has no numbers yet.
    UnsupportedError
        If it cannot be copied or converted.
    """
    if isinstance(given, torch.jit.ScriptModule):
        return _converted(given, input_shape, images)
    if isinstance(given, torch.export.ExportedProgram):
        return given.module()
    if not isinstance(given, torch.nn.Module):
        raise ConfigError(f"module must be a torch.nn.Module, but is {_described(given)}")
    module = _unwrapped(given)
    _check_numbers(module)
    try:
        module = copy.deepcopy(module, _computed(module)).cpu().eval()
    # whatever the user's classes raise when they are copied
    except Exception as error:
        raise UnsupportedError(
            f"the module cannot be copied ({type(error).__name__}: {str(error).strip():.300}); "
            "make a new one, load the weights with load_state_dict, and give that"
        ) from error
    return written_out(module if precision(module) == torch.float64 else module.float())


def precision(module: torch.nn.Module) -> torch.dtype:
    """Return float64 where the first weights of a module are that, else float32."""
    first = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    return torch.float64 if first == torch.float64 else torch.float32


def _described(given: object) -> str:
    """Return what was given in place of a module, and what to do with it."""
    if isinstance(given, type) and issubclass(given, torch.nn.Module):
        return f"the class {given.__name__} itself; make a module of it: from_torch({given.__name__}(…), …)"
    if isinstance(given, Mapping):
        return (
            f"a {type(given).__name__}, perhaps a state dict: weights without a network; call "
            "module.load_state_dict(…) and give the module, or read the file with Network.load(path, architecture=…)"
        )
    if isinstance(given, str | PurePath):
        return f"a {type(given).__name__}; a file is read with Network.load(path, …)"
    kind = "None" if given is None else f"a {type(given).__name__}"
    if callable(given):
        return f"{kind}; put what it computes into the forward() of a torch.nn.Module"
    return kind


def _unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """Return what DataParallel, DistributedDataParallel and torch.compile hold: they change no number."""
    while True:
        inner: Any = module.module if isinstance(module, WRAPPERS) else getattr(module, "_orig_mod", None)
        if not isinstance(inner, torch.nn.Module):
            return module
        module = inner


def _check_numbers(module: torch.nn.Module) -> None:
    named = [*module.named_parameters(), *module.named_buffers()]
    empty = [name for name, tensor in named if getattr(tensor, "is_meta", False)]
    if empty:
        raise ConfigError(
            f"the module has {len(empty)} tensors on the meta device ({', '.join(empty[:4])}), which hold no numbers: "
            'call module.to_empty(device="cpu") and then module.load_state_dict(…)'
        )


def _computed(module: torch.nn.Module) -> dict[int, Any]:
    """Return the copies of computed tensors that a module keeps, as weight_norm does; PyTorch copies none."""
    kept = (value for part in module.modules() for value in vars(part).values() if isinstance(value, torch.Tensor))
    return {id(tensor): tensor.detach() for tensor in kept if tensor.grad_fn is not None}


def _converted(script: Any, input_shape: Shape, images: int) -> torch.nn.Module:
    """Return the module that a TorchScript program stands for; PyTorch has loaded it, so what it runs is the user's."""
    try:
        from torch._export.converter import TS2EPConverter

        script = script.cpu().eval()
        sample = torch.zeros(images, *input_shape, dtype=precision(script))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return TS2EPConverter(script, (sample,)).convert().module()
    # the converter raises whatever it stumbles over, and is not part of every version of PyTorch
    except Exception as error:
        raise UnsupportedError(
            f"torch.export cannot convert the TorchScript program ({type(error).__name__}: {str(error).strip():.300}); "
            "give the module that it was made from, or write it with torch.onnx.export and read the ONNX file"
        ) from error
