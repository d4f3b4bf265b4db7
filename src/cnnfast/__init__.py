"""Classify batches of small images on a CPU, fast.

>>> import cnnfast
>>> net = cnnfast.Network.load("cifar10-resnet")
>>> net.classes_[3]
np.str_('cat')

Everything below is imported when it is first used, so that ``import cnnfast`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
"""As in `typing`, which takes longer to import than all of this."""

__version__ = "0.1.0"

_HOMES = {
    "Network": "network.network",
    "from_torch": "network.from_torch",
    "quantize": "quantization.api",
    "calibrate": "calibration.api",
    "load_weights": "formats.weights.load",
    "Preprocess": "images.preprocess",
    "read_picture": "images.pictures.decode",
    "read_pictures": "images.pictures.many",
    "fit_images": "images.pictures.decode",
    "find_pictures": "images.pictures.files",
    "open_dataset": "data",
    "download": "data.download",
    "list_models": "runtime.shipped",
    "threads": "runtime.threads",
    "get_max_pixels": "images.pictures.pixels",
    "set_max_pixels": "images.pictures.pixels",
    "set_num_threads": "runtime.threads",
    "get_num_threads": "runtime.threads",
    "show_config": "runtime.info",
    "BusyError": "errors",
    "CnnfastError": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "GraphError": "errors",
    "InputError": "errors",
    "LateError": "errors",
    "ModelFileError": "errors",
    "OutputError": "errors",
    "PictureError": "errors",
    "TrainingError": "errors",
    "UnsupportedError": "errors",
}

_MODULES = ("architectures", "arrow", "compare", "data", "layers", "ops", "report", "sklearn", "train")
"""Parts with many names, which keep them: ``cnnfast.layers.Relu``."""

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from cnnfast import architectures as architectures
    from cnnfast import arrow as arrow
    from cnnfast import compare as compare
    from cnnfast import data as data
    from cnnfast import layers as layers
    from cnnfast import ops as ops
    from cnnfast import report as report
    from cnnfast import sklearn as sklearn
    from cnnfast import train as train
    from cnnfast.calibration.api import calibrate as calibrate
    from cnnfast.data import open_dataset as open_dataset
    from cnnfast.data.download import download as download
    from cnnfast.errors import BusyError as BusyError
    from cnnfast.errors import CnnfastError as CnnfastError
    from cnnfast.errors import ConfigError as ConfigError
    from cnnfast.errors import DataError as DataError
    from cnnfast.errors import GraphError as GraphError
    from cnnfast.errors import InputError as InputError
    from cnnfast.errors import LateError as LateError
    from cnnfast.errors import ModelFileError as ModelFileError
    from cnnfast.errors import OutputError as OutputError
    from cnnfast.errors import PictureError as PictureError
    from cnnfast.errors import TrainingError as TrainingError
    from cnnfast.errors import UnsupportedError as UnsupportedError
    from cnnfast.formats.weights.load import load_weights as load_weights
    from cnnfast.images.pictures.decode import fit_images as fit_images
    from cnnfast.images.pictures.decode import read_picture as read_picture
    from cnnfast.images.pictures.files import find_pictures as find_pictures
    from cnnfast.images.pictures.many import read_pictures as read_pictures
    from cnnfast.images.pictures.pixels import get_max_pixels as get_max_pixels
    from cnnfast.images.pictures.pixels import set_max_pixels as set_max_pixels
    from cnnfast.images.preprocess import Preprocess as Preprocess
    from cnnfast.network.from_torch import from_torch as from_torch
    from cnnfast.network.network import Network as Network
    from cnnfast.quantization.api import quantize as quantize
    from cnnfast.runtime.info import show_config as show_config
    from cnnfast.runtime.shipped import list_models as list_models
    from cnnfast.runtime.threads import get_num_threads as get_num_threads
    from cnnfast.runtime.threads import set_num_threads as set_num_threads
    from cnnfast.runtime.threads import threads as threads


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None and name in _MODULES:
        return import_module(f"cnnfast.{name}")
    if home is None and not name.startswith("_"):
        from cnnfast.network.foreign import OF_PACKAGE, about_unknown

        raise AttributeError(about_unknown("cnnfast", name, OF_PACKAGE, [*_HOMES, *_MODULES]))
    if home is None:
        raise AttributeError(f"module 'cnnfast' has no attribute {name!r}")
    value = getattr(import_module(f"cnnfast.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
