"""Networks in MLflow: a ``pyfunc`` that holds the model file and nothing pickled.

>>> save_model("cifar10-resnet", "model")  # doctest: +SKIP
>>> mlflow.pyfunc.load_model("model").predict(pandas.DataFrame({"content": [jpeg]}))  # doctest: +SKIP

Needs ``pip install "cnnfast[mlflow]"``. A frame with a column of pictures, see ``docs/arrow.md``, becomes one with
their labels; ``params`` of ``predict`` are ``top``, ``probabilities`` and ``column``.
"""

from __future__ import annotations

import tempfile
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from cnnfast import __version__
from cnnfast._optional import needs
from cnnfast.errors import ConfigError, InputError
from cnnfast.network.network import Network
from cnnfast.network.runner import NO_PREPROCESSING
from cnnfast.runtime.arguments import quoted

FILE = "network.safetensors"

PARAMS = {"top": ("long", 1), "probabilities": ("boolean", False), "column": ("string", None)}
"""Of `predict`: their types as MLflow has them, and their defaults. It drops those that a model does not state."""


def save_model(network: Network | str | PathLike[str], path: str | PathLike[str], **options: Any) -> None:
    """Write a network to a folder as MLflow has it.

    Parameters
    ----------
    network : Network, str or path
        If not a network, what `Network.load` takes.
    path : path
        Must not exist.
    **options
        Of ``mlflow.pyfunc.save_model``, such as ``metadata``.

    Raises
    ------
    InputError
        If the network has no preprocessing.

    Examples
    --------
    >>> save_model("mnist-mlp", "model")  # doctest: +SKIP
    """
    _write(network, "save_model", {"path": fspath(path), **options})


def log_model(network: Network | str | PathLike[str], name: str, **options: Any) -> Any:
    """Log a network to the active run; returns what ``mlflow.pyfunc.log_model`` does.

    Parameters
    ----------
    network : Network, str or path
    name : str
        Of the model in the run.
    **options
        Of ``mlflow.pyfunc.log_model``, such as ``registered_model_name``.

    Raises
    ------
    InputError
        If the network has no preprocessing.

    Examples
    --------
    >>> log_model("mnist-mlp", "digits", registered_model_name="digits")  # doctest: +SKIP
    """
    return _write(network, "log_model", {"name": name, **options})


def _write(network: Network | str | PathLike[str], function: str, options: dict[str, Any]) -> Any:
    with needs("cnnfast.mlflow", "cnnfast[mlflow]"):
        from mlflow import pyfunc
    net = network if isinstance(network, Network) else Network.load(network)
    if net.preprocess is None:
        raise InputError(NO_PREPROCESSING)
    given = {"signature": _signature()}
    if "conda_env" not in options:
        given["pip_requirements"] = [f"cnnfast[arrow,mlflow]=={__version__}"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / FILE
        net.save(file)
        return getattr(pyfunc, function)(loader_module="cnnfast.mlflow", data_path=str(file), **{**given, **options})


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec

    return ModelSignature(params=ParamSchema([ParamSpec(name, kind, value) for name, (kind, value) in PARAMS.items()]))


class MlflowModel:
    """What ``mlflow.pyfunc.load_model`` returns the results of."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Return a frame with the labels of a frame with pictures.

        Raises
        ------
        ConfigError
            If there are unknown parameters.
        InputError
            If no column has pictures.
        """
        with needs("cnnfast.mlflow", "cnnfast[mlflow]"):
            from cnnfast.arrow import Classifier
        given = params or {}
        unknown = sorted(set(given) - set(PARAMS))
        if unknown:
            raise ConfigError(f"params can be {', '.join(PARAMS)}, but there is {quoted(unknown[0])}")
        return Classifier(self.network, **given)(model_input).to_pandas()


def _load_pyfunc(path: str) -> MlflowModel:
    """Return the model of a folder that `save_model` has written; MLflow calls this by its name."""
    file = Path(path)
    return MlflowModel(Network.load(file / FILE if file.is_dir() else file))
