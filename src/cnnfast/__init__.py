"""Classify batches of small images on a CPU, fast.

>>> import cnnfast
>>> net = cnnfast.Network.load("cifar10-resnet")
>>> net.classes_[3]
np.str_('cat')

Everything below is imported when it is first used, so that ``import cnnfast`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "Network": "network",
    "from_torch": "from_module",
    "load_weights": "formats.weights.load",
    "Preprocess": "preprocess",
    "read_picture": "pictures",
    "read_pictures": "pictures",
    "find_pictures": "picture_files",
    "open_dataset": "data",
    "download": "data.download",
    "list_models": "_shipped",
    "threads": "_threads",
    "get_max_pixels": "_pixels",
    "set_max_pixels": "_pixels",
    "set_num_threads": "_threads",
    "get_num_threads": "_threads",
    "show_config": "config_report",
    "CnnfastError": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "GraphError": "errors",
    "InputError": "errors",
    "ModelFileError": "errors",
    "OutputError": "errors",
    "PictureError": "errors",
    "TrainingError": "errors",
    "UnsupportedError": "errors",
}

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from cnnfast._pixels import get_max_pixels as get_max_pixels
    from cnnfast._pixels import set_max_pixels as set_max_pixels
    from cnnfast._shipped import list_models as list_models
    from cnnfast._threads import get_num_threads as get_num_threads
    from cnnfast._threads import set_num_threads as set_num_threads
    from cnnfast._threads import threads as threads
    from cnnfast.config_report import show_config as show_config
    from cnnfast.data import open_dataset as open_dataset
    from cnnfast.data.download import download as download
    from cnnfast.errors import CnnfastError as CnnfastError
    from cnnfast.errors import ConfigError as ConfigError
    from cnnfast.errors import DataError as DataError
    from cnnfast.errors import GraphError as GraphError
    from cnnfast.errors import InputError as InputError
    from cnnfast.errors import ModelFileError as ModelFileError
    from cnnfast.errors import OutputError as OutputError
    from cnnfast.errors import PictureError as PictureError
    from cnnfast.errors import TrainingError as TrainingError
    from cnnfast.errors import UnsupportedError as UnsupportedError
    from cnnfast.formats.weights.load import load_weights as load_weights
    from cnnfast.from_module import from_torch as from_torch
    from cnnfast.network import Network as Network
    from cnnfast.picture_files import find_pictures as find_pictures
    from cnnfast.pictures import read_picture as read_picture
    from cnnfast.pictures import read_pictures as read_pictures
    from cnnfast.preprocess import Preprocess as Preprocess


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'cnnfast' has no attribute {name!r}")
    value = getattr(import_module(f"cnnfast.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
