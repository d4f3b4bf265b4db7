"""Where the weights of a layer are: ``.h5`` files name places after layers, ``.keras`` files after classes."""

from __future__ import annotations

import re
from typing import Protocol

from cnnfast.errors import ModelFileError
from cnnfast.formats.keras.config import KerasLayer, KerasModel
from cnnfast.formats.keras.store import Store
from cnnfast.ops import Array


class KerasWeights(Protocol):
    """The weights of the layers of one model."""

    def of(self, layer: KerasLayer, roles: tuple[str, ...]) -> list[Array]:
        """Return the weights of a layer in the order in which Keras makes them, one for each role."""

    def inside(self, layer: KerasLayer) -> KerasWeights:
        """Return the weights of the layers of a layer that is a model."""


def _check_count(found: int, roles: tuple[str, ...], where: str) -> None:
    if found != len(roles):
        raise ModelFileError(f"it needs the weights {', '.join(roles)}, but {where} holds {found}")


class LegacyWeights:
    """Weights of an ``.h5`` file: ``model_weights/<layer>``, whose attribute ``weight_names`` has their order."""

    ROOT = "model_weights"

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, layer: KerasLayer, roles: tuple[str, ...]) -> list[Array]:
        where = f"{self.ROOT}/{layer.name}"
        names = self._store.texts(where, "weight_names")
        _check_count(len(names), roles, where)
        return [self._store.array(f"{where}/{name}") for name in names]

    def inside(self, layer: KerasLayer) -> KerasWeights:
        where = f"{self.ROOT}/{layer.name}"
        return _NestedLegacyWeights(self._store, where, layer, self._store.texts(where, "weight_names"))


class _NestedLegacyWeights:
    """Weights of a model in a model: all of them are in one group, and their names end in ``<layer>/<weight>``."""

    def __init__(self, store: Store, where: str, layer: KerasLayer, names: list[str]) -> None:
        self._store, self._where, self._names = store, where, names
        layers = () if layer.model is None else layer.model.layers
        self._models = {inner.name for inner in layers if inner.model is not None}
        self._of: dict[str, list[str]] = {}
        self._within: dict[str, list[str]] = {}
        for name in names:
            *models, own = name.split("/")[:-1] or [""]
            self._of.setdefault(own, []).append(name)
            for model in set(models):
                self._within.setdefault(model, []).append(name)

    def of(self, layer: KerasLayer, roles: tuple[str, ...]) -> list[Array]:
        names = self._of.get(layer.name, [])
        if len(names) > len(roles):
            # a model in this one has a layer of the same name; Keras 3 writes <model>/<layer>/<weight>
            names = [name for name in names if self._models.isdisjoint(name.split("/")[:-2])]
        _check_count(len(names), roles, f"{self._where}/…/{layer.name}")
        return [self._store.array(f"{self._where}/{name}") for name in names]

    def inside(self, layer: KerasLayer) -> KerasWeights:
        names = self._within.get(layer.name)
        return _NestedLegacyWeights(self._store, self._where, layer, names or self._names)


class ContainerWeights:
    """Weights of a ``.keras`` file: ``layers/<class of the layer>_<number>/vars/0``, ``1``, …"""

    def __init__(self, store: Store, model: KerasModel, root: str = "") -> None:
        self._store, self._model = store, model
        # Keras 2.12 called it by its longer name
        long, short = f"{root}_layer_checkpoint_dependencies", f"{root}layers"
        self._root = long if not store.has_group(short) and store.has_group(long) else short
        self._places = container_names(model)

    def of(self, layer: KerasLayer, roles: tuple[str, ...]) -> list[Array]:
        where = f"{self._root}/{self._places[layer.name]}/vars"
        _check_count(len(self._store.names(where)), roles, where)
        return [self._store.array(f"{where}/{index}") for index in range(len(roles))]

    def inside(self, layer: KerasLayer) -> KerasWeights:
        assert layer.model is not None
        return ContainerWeights(self._store, layer.model, f"{self._root}/{self._places[layer.name]}/")


def container_names(model: KerasModel) -> dict[str, str]:
    """Return the place of each layer: its class in lower case, numbered from the second on.

    Examples
    --------
    >>> layers = tuple(KerasLayer(name, "Conv2D", "", {}, ()) for name in ("stem", "head"))
    >>> container_names(KerasModel(layers, (), ()))
    {'stem': 'conv2d', 'head': 'conv2d_1'}
    """
    seen: dict[str, int] = {}
    places = {}
    for layer in model.layers:
        # functions of keras.ops are not layers, so they do not count
        if layer.module.startswith("keras.src.ops"):
            continue
        kind = snake_case(layer.kind)
        number = seen.get(kind, -1) + 1
        seen[kind] = number
        places[layer.name] = f"{kind}_{number}" if number else kind
    return places


def snake_case(name: str) -> str:
    """Return the name of a class as Keras writes it in paths.

    Examples
    --------
    >>> snake_case("SeparableConv2D"), snake_case("PReLU")
    ('separable_conv2d', 'p_re_lu')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
