"""Tensors of a file become the constants of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError
from cnnfast.formats.weights.expected import Wanted, wanted
from cnnfast.graph import Graph, constant
from cnnfast.ops import Array, Shape

Tensors = Mapping[str, Array]

FILTERS = {"oihw": (0, 1, 2, 3), "ohwi": (0, 3, 1, 2), "hwio": (3, 2, 0, 1)}
"""The axes that make filters of a file (OC, C, KH, KW), by their layout: that of PyTorch; MLX, TFLite; Keras, Flax."""

IN_ORDER = "order"


@frozen
class WeightLayout:
    """How a file lays out its weights.

    Attributes
    ----------
    filters : {"oihw", "ohwi", "hwio"}
        With "hwio" dense layers are (F, O), as in Keras and Flax.
    flatten : {"chw", "hwc"}
        The order in which the features of the first dense layer run over the image before it; by default what belongs
        to the filters: "chw" with "oihw", else "hwc".

    Raises
    ------
    ConfigError
        For another value.
    """

    filters: str = "oihw"
    flatten: str | None = None

    def __post_init__(self) -> None:
        if self.filters not in FILTERS:
            raise ConfigError(f"layout must be one of {', '.join(FILTERS)}, but is {self.filters!r}")
        if self.flatten not in (None, "chw", "hwc"):
            raise ConfigError(f"flatten must be chw or hwc, but is {self.flatten!r}")

    @property
    def is_hwc(self) -> bool:
        """Whether the columns of the first dense layer must be put into another order."""
        return (self.flatten or ("chw" if self.filters == "oihw" else "hwc")) == "hwc"

    def shape(self, want: Wanted) -> Shape:
        """Return the shape that a tensor must have in the file."""
        if len(want.shape) == 4:
            order = FILTERS[self.filters]
            return tuple(want.shape[order.index(axis)] for axis in range(4))
        return want.shape[::-1] if len(want.shape) == 2 and self.filters == "hwio" else want.shape

    def ours(self, tensor: Array, want: Wanted) -> Array:
        """Return a tensor of the file as the graph has it."""
        if tensor.ndim == 4:
            return tensor.transpose(FILTERS[self.filters])
        if tensor.ndim == 2 and self.filters == "hwio":
            tensor = tensor.T
        if tensor.ndim == 2 and want.volume is not None and self.is_hwc:
            c, h, w = want.volume
            tensor = tensor.reshape(-1, h, w, c).transpose(0, 3, 1, 2).reshape(-1, c * h * w)
        return tensor


@dataclass(eq=False, repr=False)
class Match:
    """Which tensor of a file is which of a graph.

    Attributes
    ----------
    found : dict of str to str
        Constant of the graph → name in the file.
    missing, misshaped : list of Wanted
        What has no tensor, and what has one of another shape.
    extra : list of str
        Tensors of the file that nothing wants.
    unrelated : list of str
        Tensors outside the only prefix under which everything wanted was found: a loss, a metric.
    prefixes : list of str
        Where all that is wanted is several times.
    """

    found: dict[str, str] = field(default_factory=dict)
    missing: list[Wanted] = field(default_factory=list)
    misshaped: list[Wanted] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    unrelated: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every tensor has found its place."""
        return not (self.missing or self.misshaped or self.extra)


def match(graph: Graph, tensors: Tensors, layout: WeightLayout, rename: Mapping[str, str] | str | None = None) -> Match:
    """Find the tensor of the file for each one that a graph wants.

    Parameters
    ----------
    graph : Graph
    tensors : mapping of str to array
    layout : WeightLayout
    rename : mapping of str to str, or "order", optional
        Layer in the file → layer of the graph; or take the tensors as they come.

    Raises
    ------
    ConfigError
        If ``rename`` names a layer that is not in the file.
    """
    wants = wanted(graph)
    result = Match()
    if rename == IN_ORDER:
        names = dict(zip((want.constant for want in wants), in_order(tensors), strict=False))
    else:
        known = _known_names(tensors, wants, rename or {})
        if not _has_all(known, wants, "") and not rename:
            result.prefixes = [prefix for prefix in _prefixes(tensors, wants) if _has_all(tensors, wants, prefix)]
        if len(result.prefixes) == 1:
            (prefix,) = result.prefixes
            known = {name.removeprefix(prefix): name for name in tensors if name.startswith(prefix)}
            result.unrelated = [name for name in tensors if not name.startswith(prefix)]
        names = {want.constant: known[name] for want in wants for name in want.names[::-1] if name in known}
    result.found = names
    for want in wants:
        if want.constant not in names:
            result.missing.append(want)
        elif tensors[names[want.constant]].shape != layout.shape(want):
            result.misshaped.append(want)
    taken = {*names.values(), *result.unrelated}
    result.extra = [name for name in tensors if name not in taken]
    return result


def layers_of(tensors: Tensors) -> dict[str, list[str]]:
    """Return the layers of a file, as they come, and the tensors of each in the order of PyTorch."""
    layers: dict[str, list[str]] = {}
    for name in tensors:
        layers.setdefault(name.rpartition(".")[0], []).append(name)
    return {layer: sorted(names, key=_rank) for layer, names in layers.items()}


def in_order(tensors: Tensors) -> list[str]:
    """Return the tensors of a file layer by layer: weight, bias, mean, variance."""
    return [name for names in layers_of(tensors).values() for name in names]


def _rank(name: str) -> int:
    parameter = name.rpartition(".")[2]
    order = ("weight", "kernel", "gamma", "scale", "bias", "beta", "running_mean", "moving_mean", "mean")
    return order.index(parameter) if parameter in order else len(order)


def _known_names(tensors: Tensors, wants: list[Wanted], rename: object) -> dict[str, str]:
    """Return what each tensor is called once it is renamed, or stripped of a prefix that all of them have."""
    if isinstance(rename, Mapping) and rename:
        return _renamed(tensors, rename)
    ours = {name for want in wants for name in want.names}
    known = {name: name for name in tensors}
    while len({name.partition(".")[0] for name in known}) == 1:
        stripped = {name.partition(".")[2]: full for name, full in known.items()}
        if len(stripped.keys() & ours) < len(known.keys() & ours) or not all(stripped):
            break
        known = stripped
    return known


def _prefixes(tensors: Tensors, wants: list[Wanted]) -> list[str]:
    """Return what comes before a name of the first tensor that is wanted."""
    names = wants[0].names if wants else ()
    return [full.removesuffix(name) for full in tensors for name in names if full.endswith(f".{name}")]


def _has_all(tensors: Mapping[str, object], wants: list[Wanted], prefix: str) -> bool:
    return all(any(prefix + name in tensors for name in want.names) for want in wants)


def _renamed(tensors: Tensors, rename: Mapping[str, str]) -> dict[str, str]:
    known = {}
    used = set()
    for name in tensors:
        layer, _, parameter = name.rpartition(".")
        key = name if name in rename else layer
        used.add(key)
        known[rename.get(name, f"{rename.get(layer, layer)}.{parameter}")] = name
    if strange := [name for name in rename if name not in used]:
        raise ConfigError(
            f"rename has {strange[0]!r}, which the file does not have; "
            f"its tensors are: {', '.join(list(tensors)[:100])}"
        )
    return known


def filled(graph: Graph, tensors: Tensors, layout: WeightLayout, found: Mapping[str, str]) -> Graph:
    """Return the graph with the tensors of a complete `Match` as its weights."""
    constants = dict(graph.constants)
    for want in wanted(graph):
        tensor = layout.ours(tensors[found[want.constant]], want)
        kind = np.float64 if tensor.dtype == np.float64 else np.float32
        constants[want.constant] = constant(tensor, kind)
    return Graph(graph.inputs, graph.nodes, constants, graph.outputs)
