"""The list of architectures, and how a name becomes a graph."""

from __future__ import annotations

from collections.abc import Callable

from cnnfast._frozen import frozen
from cnnfast.architectures.weights import LayerMaker, Layers
from cnnfast.errors import ConfigError
from cnnfast.graph import Graph
from cnnfast.layers import build_graph
from cnnfast.ops import Shape
from cnnfast.runtime.arguments import quoted
from cnnfast.runtime.registry import Registry
from cnnfast.runtime.suggest import did_you_mean

Maker = Callable[[LayerMaker, Shape, int], Layers]


@frozen
class Architecture:
    """An untrained network.

    Attributes
    ----------
    name : str
        What the user calls it.
    description : str
        In half a line, with the source of the names of its layers where it follows one.
    input_shape : (C, H, W)
        Of one image, unless the user states another.
    classes : int
        How many, unless the user states another number.
    layers : callable (weights, input_shape, classes) -> list of layers
        Up to the scores: neither softmax nor sigmoid at the end.
    distinct : bool
        Whether names and shapes of its weights distinguish it from other networks, so that a file of them needs no
        name. Names such as ``conv1`` and ``fc1`` do not, unless the sizes are those of an example that many have run.
    """

    name: str
    description: str
    input_shape: Shape
    classes: int
    layers: Maker
    distinct: bool = False


ARCHITECTURES: Registry[str, Architecture] = Registry("architectures")
"""Every architecture by its name."""


def register(
    name: str, description: str, input_shape: Shape, classes: int = 10, *, distinct: bool = False
) -> Callable[[Maker], Maker]:
    """Enter a function that makes layers into `ARCHITECTURES`."""

    def enter(layers: Maker) -> Maker:
        ARCHITECTURES.add(name, Architecture(name, description, input_shape, classes, layers, distinct))
        return layers

    return enter


def find(name: str) -> Architecture:
    """Return an architecture by its name.

    Raises
    ------
    ConfigError
        If there is none; the message lists all of them.
    """
    if isinstance(name, str) and name in ARCHITECTURES:
        return ARCHITECTURES[name]
    hint = did_you_mean(name, ARCHITECTURES) if isinstance(name, str) else ""
    raise ConfigError(f"there is no architecture {quoted(name)}{hint or '.'} Known: {', '.join(ARCHITECTURES)}")


def build(name: str, input_shape: Shape | None = None, classes: int | None = None, *, seed: int | None = None) -> Graph:
    """Return the graph of an architecture, from one image (C, H, W) to the scores (classes,).

    Parameters
    ----------
    name : str
        One of `ARCHITECTURES`.
    input_shape : (C, H, W), optional
        By default that of the architecture.
    classes : int, optional
        By default that of the architecture.
    seed : int, optional
        Of the random weights, He et al. (2015); without it all weights are zero, to be filled.

    Raises
    ------
    ConfigError
        If there is no such architecture.
    GraphError
        If it cannot take images of that shape.

    Examples
    --------
    >>> graph = build("lenet", (1, 28, 28), seed=0)
    >>> graph.shapes[graph.outputs[0]]
    (10,)
    >>> graph.shapes["conv1.weight"]
    (6, 1, 5, 5)
    """
    architecture = find(name)
    shape = architecture.input_shape if input_shape is None else tuple(input_shape)
    if len(shape) != 3 or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ConfigError(f"the input shape of {name} must be (C, H, W), positive integers, but is {input_shape!r}")
    count = architecture.classes if classes is None else classes
    if not isinstance(count, int) or count < 1:
        raise ConfigError(f"the number of classes of {name} must be an integer from 1 up, but is {classes!r}")
    return build_graph(architecture.layers(LayerMaker(seed), shape, count), shape)
