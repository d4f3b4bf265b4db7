"""The graph under construction, and the node of ATen that is being translated."""

from __future__ import annotations

from collections.abc import Sequence

from cnnfast.errors import UnsupportedError
from cnnfast.formats.torch.values import TorchConstant, TorchImages
from cnnfast.graph import Graph, GraphBuilder
from cnnfast.graph.passes import push_transposes
from cnnfast.ops import Array, Op, Shape, Transpose


class TorchGraph:
    """Collects nodes and constants; a handler of `table.ATEN` appends what its node becomes.

    Attributes
    ----------
    shapes : list of tuple
        What the present node returns, as PyTorch states: the shape of one image for each result.
    batch : int
        How many images PyTorch was given.
    """

    def __init__(self, name: str, shape: Shape, batch: int) -> None:
        self.shapes: list[Shape] = []
        self.batch = batch
        self._builder = GraphBuilder()
        self.source = TorchImages(self._builder.input(name, shape), shape)
        self._wanted = ""

    def begin(self, name: str, shapes: list[Shape]) -> None:
        """Begin with the next node: its name, and the shapes that it returns."""
        self._wanted, self.shapes = name, shapes

    def graph(self, output: TorchImages) -> Graph:
        """Return the graph that computes a value."""
        return push_transposes(self._builder.finish(output.name))

    def stand_in(self, shape: Shape) -> TorchImages:
        """Return a value for what cannot be computed, so that all nodes behind it are looked at too."""
        return TorchImages(self._builder.input(self._builder.fresh(f"{self._wanted}:unknown"), shape), shape)

    def emit(
        self, op: Op, *inputs: TorchImages | Array, parameters: tuple[TorchConstant | Array, ...] = ()
    ) -> TorchImages:
        """Append an op.

        Raises
        ------
        GraphError
            If the op does not fit.
        """
        name = self._name(op, parameters)
        roles = [role.rstrip("?") for role in op.parameters]
        read = [v.name if isinstance(v, TorchImages) else self._constant(f"{name}.constant", v) for v in inputs]
        for role, parameter in zip(roles, parameters, strict=False):
            array = parameter.array if isinstance(parameter, TorchConstant) else parameter
            read.append(self._constant(f"{name}.{role}", array))
        return TorchImages(self._builder.add(name, op, *read), self._builder.shapes[name])

    def permuted(self, x: TorchImages, axes: Sequence[int]) -> TorchImages:
        """Return images with the axes of one in another order; where it can be, no element is moved in the end."""
        if tuple(axes) == tuple(range(len(x.shape))):
            return x
        name = self._builder.fresh(f"{self._wanted}:transpose")
        self._builder.add(name, Transpose((0, *(axis + 1 for axis in axes))), x.name)
        return TorchImages(name, self._builder.shapes[name])

    def _name(self, op: Op, parameters: tuple[TorchConstant | Array, ...]) -> str:
        """Return the part of the module that the weights belong to, else the name of the node."""
        layers = [p.layer for p in parameters if isinstance(p, TorchConstant) and p.layer]
        wanted = layers[0] if layers else self._wanted
        return wanted if wanted not in self._builder.shapes else self._builder.fresh(f"{wanted}:{op.name}")

    def _constant(self, wanted: str, array: Array) -> str:
        return self._builder.constant(self._builder.fresh(wanted), array)


def need_images(value: object) -> TorchImages:
    """Return a value that is computed from the images, or raise `UnsupportedError`."""
    if not isinstance(value, TorchImages):
        raise UnsupportedError("it needs a value that is computed from the images, but reads a constant")
    return value


def need_constant(value: object, what: str) -> TorchConstant:
    """Return a constant, or raise `UnsupportedError`."""
    if not isinstance(value, TorchConstant):
        raise UnsupportedError(f"its {what} is computed from the images; it must be a parameter or a buffer")
    return value


def image_axis(axis: int, rank: int) -> int:
    """Return the axis of one image for an axis that PyTorch counts from N = 0; ``rank`` counts those of one image."""
    axis = axis % (rank + 1)
    if axis == 0:
        raise UnsupportedError("it works along axis 0, which counts the images")
    return axis - 1
