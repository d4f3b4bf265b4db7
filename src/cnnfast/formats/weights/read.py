"""What the readers of weights share: the user's options, and what makes a `Model` of the tensors."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from cnnfast._frozen import frozen
from cnnfast.architectures import ARCHITECTURES, build, find
from cnnfast.errors import ConfigError, GraphError, ModelFileError
from cnnfast.formats.model import Model
from cnnfast.formats.weights.expected import last_dense
from cnnfast.formats.weights.fit import IN_ORDER, Tensors, WeightLayout, filled, match
from cnnfast.formats.weights.mismatch import explanation, likeness, nearest
from cnnfast.formats.weights.skeleton import skeleton
from cnnfast.graph import Graph
from cnnfast.images.preprocess import check_preprocess, rule_of
from cnnfast.ops import Array, Shape

if TYPE_CHECKING:
    from cnnfast.images.preprocess import Preprocess

SHOWN = 20
ALIKE = 0.5
"""The share of equal shapes from which an architecture is tried; the number of classes may differ."""


@frozen
class WeightOptions:
    """What the user specifies about a file of weights.

    Attributes
    ----------
    architecture : str, Graph or Network, optional
        A name of `cnnfast.architectures.ARCHITECTURES`, or a network of one's own with named layers.
    input_shape : (C, H, W), optional
        Of a named architecture; by default the size of the preprocessing, else its own.
    classes : sequence of str, optional
        The label of each output. Their number, and without them that of the file's last dense layer, is that of the
        outputs of a named architecture.
    preprocess : Preprocess or str, optional
        A rule, or the name of one of `cnnfast.images.preprocess.MODES`.
    layout : {"oihw", "ohwi", "hwio"}
    flatten : {"chw", "hwc"}, optional
        See `WeightLayout`.
    rename : mapping of str to str, or "order", optional
        Layers of the file → layers of the architecture; or take them as they come.
    key : str, optional
        Where the weights are: keys of a checkpoint with dots between, or what the names of the tensors begin with.
    ignore_unexpected : bool
        Leave out tensors that the architecture has no place for; all that it does expect must still be there.
    """

    architecture: object = None
    input_shape: Shape | None = None
    classes: Sequence[str] | None = None
    preprocess: Preprocess | str | None = None
    layout: str = "oihw"
    flatten: str | None = None
    rename: Mapping[str, str] | str | None = None
    key: str | None = None
    ignore_unexpected: bool = False

    def __post_init__(self) -> None:
        WeightLayout(self.layout, self.flatten)
        check_preprocess(self.preprocess)
        if isinstance(self.architecture, str):
            find(self.architecture)
        elif self.architecture is not None and not isinstance(self._graph(), Graph):
            kind = type(self.architecture).__name__
            raise ConfigError(f"architecture must be a name, a Network or a Graph, but is a {kind}")
        if isinstance(self.rename, str) and self.rename != IN_ORDER:
            raise ConfigError(f"rename must be a mapping of layers or {IN_ORDER!r}, but is {self.rename!r}")
        if self.key is not None and (not isinstance(self.key, str) or not self.key):
            raise ConfigError(f'key must be a text such as "model" or "ema.state_dict", but is {self.key!r:.80}')
        if not isinstance(self.ignore_unexpected, bool):
            raise ConfigError(f"ignore_unexpected must be True or False, but is {self.ignore_unexpected!r:.80}")

    def _graph(self) -> object:
        """Return the graph of an architecture that is not a name; a `Network` is known by its graph."""
        return getattr(self.architecture, "graph", self.architecture)

    def graph(self, tensors: Tensors) -> Graph | None:
        """Return the network to be filled, or None if the user has named none."""
        if self.architecture is None:
            return None
        if isinstance(self.architecture, str):
            return self.built(self.architecture, tensors)
        graph = self._graph()
        assert isinstance(graph, Graph)
        return graph

    def built(self, architecture: str, tensors: Tensors) -> Graph:
        """Return an architecture for the image that the user names, and the classes of the file."""
        shape = self.input_shape
        if shape is None and self.preprocess is not None and not isinstance(self.preprocess, str):
            shape = self.preprocess.shape
        count = _class_count(tensors, architecture) if self.classes is None else len(self.classes)
        return build(architecture, shape, count)


WEIGHT_OPTIONS = tuple(field.name for field in fields(WeightOptions))
"""What the readers of weights take besides the path."""


def model_of(tensors: Tensors, options: WeightOptions, path: Path, source: str) -> Model:
    """Return the network that the options name, with the weights of a file.

    Where they name none, one is taken whose names and shapes are those of the file, if they tell it from all others.

    Raises
    ------
    ModelFileError
        If no architecture is given or the tensors do not fit; the message lists what differs and the nearest guess.
    ConfigError
        If an option is not what it may be.
    """
    floats, others = _by_kind(tensors)
    layout = WeightLayout(options.layout, options.flatten)
    notes = {"source": source}
    graph = options.graph(floats)
    if graph is None:
        name, graph = _recognized(floats, layout, options, path)
        notes["architecture"] = f"{name}, recognized by the names and shapes of its weights"
    found = match(graph, floats, layout, options.rename)
    ignored = list(found.unrelated)
    if options.ignore_unexpected:
        ignored, found.extra = ignored + found.extra, []
    if not found.is_complete:
        raise ModelFileError(explanation(graph, floats, layout, found, others))
    classes = None if options.classes is None else tuple(options.classes)
    rule = rule_of(options.preprocess, next(iter(graph.inputs.values())))
    return Model(filled(graph, floats, layout, found.found), rule, classes, notes=notes | _told(ignored))


def _recognized(tensors: Tensors, layout: WeightLayout, options: WeightOptions, path: Path) -> tuple[str, Graph]:
    fitting = []
    for name, architecture in ARCHITECTURES.items():
        if architecture.distinct and likeness(tensors, name) >= ALIKE:
            with contextlib.suppress(GraphError):
                graph = options.built(name, tensors)
                if match(graph, tensors, layout, options.rename).is_complete:
                    fitting.append((name, graph))
    if len(fitting) != 1:
        raise ModelFileError(_no_architecture(tensors, path, options.key, layout))
    return fitting[0]


def _by_kind(tensors: Tensors) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the floats, and the rest: integers, which no layer computes with; most count batches."""
    floats = {name: array for name, array in tensors.items() if array.dtype.kind == "f"}
    if not floats:
        raise ModelFileError(f"it holds no tensor of floats, only: {', '.join(list(tensors)[:20]) or 'nothing'}")
    return floats, {name: array for name, array in tensors.items() if name not in floats}


def _told(ignored: Sequence[str]) -> dict[str, str]:
    """Warn of tensors that are left out, and return the note about them."""
    if not ignored:
        return {}
    more = f" and {len(ignored) - SHOWN} more" if len(ignored) > SHOWN else ""
    text = ", ".join(f"{name:.80}" for name in ignored[:SHOWN]) + more
    warnings.warn(f"tensors that are not part of the network are left out: {text}", stacklevel=2)
    return {"left out": text}


def _no_architecture(tensors: Tensors, path: Path, key: str | None, layout: WeightLayout) -> str:
    near = nearest(tensors)
    advice = (
        f'its shapes are most like those of architecture="{near}"'
        if near
        else "architecture=NAME, or a Network of your own"
    )
    text = skeleton(tensors, path, key, layout.filters)
    program = f" Or write it down; names and shapes are of the file, all else is guessed:\n{text}" if text else ""
    return (
        f"it holds {len(tensors)} tensors ({_some(tensors)}) and no network; say which one they belong to: {advice}. "
        f"Known: {', '.join(ARCHITECTURES)}.{program}"
    )


def _class_count(tensors: Tensors, architecture: str) -> int | None:
    """Return how many outputs the last dense layer of the file has, if that layer can be determined."""
    last = last_dense(build(architecture))
    for name, array in tensors.items():
        if last is not None and array.ndim == 1 and any(f".{name}".endswith(f".{known}") for known in last.names):
            return len(array)
    return None


def _some(tensors: Tensors) -> str:
    shown = [f"{name} {array.shape}" for name, array in list(tensors.items())[:4]]
    return ", ".join(shown) + (" …" if len(tensors) > 4 else "")
