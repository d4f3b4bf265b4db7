"""What every reader returns: a network and all that travels with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError
from cnnfast.formats.remembered import Remembered
from cnnfast.graph import Graph
from cnnfast.graph.answers import label_counts
from cnnfast.graph.feature_layer import feature_layer

if TYPE_CHECKING:
    from cnnfast.images.preprocess import Preprocess


@frozen(eq=False)
class Model:
    """Everything that a model file holds.

    Parameters
    ----------
    graph : Graph
        With one input and one output.
    preprocess : Preprocess, optional
        How a picture becomes the input.
    classes : tuple of str, optional
        The label of each output.
    license : str, optional
        What others may do with the weights.
    notes : mapping of str to str
        Free text: source, recipe, accuracy.
    remembered : Remembered, optional
        Features of pictures that the network has learned from.

    Raises
    ------
    GraphError
        If the graph has several inputs or outputs, the preprocessing does not fit the input, the labels do not fit
        the output, or the remembered features do not fit what the last dense layer reads.
    """

    graph: Graph
    preprocess: Preprocess | None = None
    classes: tuple[str, ...] | None = None
    license: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    remembered: Remembered | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", MappingProxyType(dict(self.notes)))
        for kind, names in (("input", tuple(self.graph.inputs)), ("output", self.graph.outputs)):
            if len(names) != 1:
                raise GraphError(f"a model must have one {kind}, but has {len(names)}: {', '.join(names[:8])}")
        (output,) = self.graph.outputs
        if (dtype := self.graph.dtypes.get(output, "float32")) != "float32":
            raise GraphError(f"the output {output!r} is {dtype}, but must be float32; put a dequantize behind it")
        self._check_preprocess()
        if self.remembered is not None:
            count = math.prod(self.graph.shapes[output])
            self.remembered.check(self.graph.shapes[feature_layer(self.graph)], max(count, 2))
        if self.classes is not None:
            object.__setattr__(self, "classes", tuple(self.classes))
            self._check_classes(len(self.classes))

    def _check_preprocess(self) -> None:
        ((name, shape),) = self.graph.inputs.items()
        if self.preprocess is not None and not self.preprocess.fits(shape):
            raise GraphError(
                f"the preprocessing gives images of shape {self.preprocess.shape}, "
                f"but the input {name!r} has the shape {tuple(shape)}" + self._advice(shape)
            )

    def _advice(self, shape: tuple[int, ...]) -> str:
        if len(shape) != 3:
            return "; rows and tables take gray pictures only, of as many pixels"
        assert self.preprocess is not None
        is_turned = (shape[2], *shape[:2]) == self.preprocess.shape
        return '; if the file has its channels last, load it with input_layout="nhwc"' if is_turned else ""

    def _check_classes(self, count: int) -> None:
        (output,) = self.graph.outputs
        allowed = label_counts(self.graph)
        if count not in allowed:
            raise GraphError(
                f"the output {output!r} has the shape {self.graph.shapes[output]}, so there must be "
                f"{' or '.join(map(str, allowed))} labels, but there are {count}"
            )
