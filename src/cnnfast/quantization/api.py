"""The entry point: a network of floats and some images in, a network of integers out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError, GraphError
from cnnfast.graph import Graph, optimize
from cnnfast.graph.integers import FLOAT_PASSES, IntegerGraph, to_integers
from cnnfast.network.class_numbers import class_numbers
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.ops.quantized import Grid
from cnnfast.quantization.bias import bias_corrected
from cnnfast.quantization.equalize import equalized
from cnnfast.quantization.inputs import network_inputs
from cnnfast.quantization.ranges import best_grids
from cnnfast.quantization.result import QuantizeResult
from cnnfast.quantization.runs import Runs
from cnnfast.quantization.sensitivity import Sensitivity, decibels, layers_of, most_probable, sensitivities
from cnnfast.quantization.variants import Measured, evenly, measured, scores_of
from cnnfast.runtime.arguments import flag, instance, listed, quoted
from cnnfast.runtime.mapped import check_not_rewritten

COMPARED = 32
"""How many images decide between ways to calibrate; each is one more run of a network of integers."""


def quantize(
    net: Network,
    images: object,
    labels: object = None,
    *,
    layout: str | None = None,
    max_loss: float = 0.3,
    keep_float: Iterable[str] = (),
    threads: int | None = None,
    progress: bool | None = None,
) -> QuantizeResult:
    """Turn a trained network into one of eight-bit integers; nothing is trained, and no labels are needed.

    Parameters
    ----------
    net : Network
    images : array-like
        100 to 500 of the kind that the network will see; as for `Network.forward`.
    labels : sequence, optional
        The class of each image, as a number or as an element of `Network.classes_`. With labels, layers return to
        float, the most sensitive first, until no more than ``max_loss`` is lost on these images.
    layout : {"nchw", "nhwc"}, optional
        Of ``images``.
    max_loss : float
        In points of accuracy: 0.3 is from 93.8 % to 93.5 %.
    keep_float : iterable of str
        Layers that stay in float in any case.
    threads : int, optional
    progress : bool, optional
        Show a bar on stderr; by default if that is a terminal.

    Returns
    -------
    QuantizeResult
        Its ``network`` classifies like any other.

    Raises
    ------
    InputError
        If images or labels do not fit.
    ConfigError
        If an option is wrong.
    GraphError
        If the network is of integers already, there is no layer of a name, or no layer at all can become integers.

    Examples
    --------
    >>> import numpy as np
    >>> net = Network.load("mnist-mlp")
    >>> digits = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    >>> result = quantize(net, digits)
    >>> [node.op.name for node in result.network.graph.nodes][:3]
    ['quantize', 'flatten', 'integer_linear']
    """
    instance("the network", net, Network, "such as Network.load(...)")
    graph = _float_graph(net)
    check_not_rewritten(net.graph.constants.values())
    kept = dict.fromkeys(_names(net.graph, graph, keep_float), "asked for")
    lost = _points(max_loss)
    if progress is not None:
        flag("progress", progress)
    x = network_inputs(net, images, layout)
    numbers = class_numbers(net, labels, len(x))
    made = _best(graph, x, kept, threads, progress)
    runs = made.measured.detour.runs
    rows = _sensitivities(made, kept, _of(made.measured, x, numbers))
    expected = runs.output(scores_of(graph), x)
    found = to_integers(made.graph, made.grids, kept)
    if not found.graph.is_quantized:
        raise GraphError(f"no layer of this network can compute with integers: {_reasons(found)}")
    scores = runs.output(scores_of(found.graph), x)
    for row in rows:
        if numbers is None or _accuracy(expected, numbers) - _accuracy(scores, numbers) <= lost / 100:
            break
        kept[row.layer] = f"sensitive: {row.signal_to_noise:.1f} dB"
        found = to_integers(made.graph, made.grids, kept)
        scores = runs.output(scores_of(found.graph), x)
    return QuantizeResult(
        _network(net, found.graph),
        len(x),
        float((most_probable(scores) == most_probable(expected)).mean()),
        decibels(expected, scores),
        None if numbers is None else _accuracy(scores, numbers),
        None if numbers is None else _accuracy(expected, numbers),
        found.in_float,
        {name: rule for name, rule in made.rules.items() if name in found.rounded},
        made.steps,
        rows,
    )


def check_floats(net: Network) -> None:
    """Raise `GraphError` if a network computes with integers already."""
    if net.graph.is_quantized:
        raise GraphError(
            "this network computes with integers already; quantize the network of floats that it is from, or what "
            "Network.load(path, integers=False) makes of a quantized file"
        )


def _float_graph(net: Network) -> Graph:
    check_floats(net)
    return optimize(net.graph, FLOAT_PASSES)


def _names(own: Graph, graph: Graph, names: object) -> list[str]:
    """Return the layers that were named; one into which batch-norm was folded has the name of that."""
    layers = layers_of(graph, {})
    found = []
    for given in listed("keep_float", names, ConfigError):
        name = given
        while isinstance(name, str) and name not in layers and name in own.only_readers:
            name = own.only_readers[name].name
        if not isinstance(name, str) or name not in layers:
            raise GraphError(f"keep_float: there is no layer {quoted(given)}; the layers are {', '.join(layers)}")
        found.append(name)
    return found


def _points(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise ConfigError(f"max_loss must be a number of points from 0 to 100, but is {quoted(value)}")
    return float(value)


@frozen
class _Made:
    """The best way to calibrate: a graph of floats, perhaps with other weights and biases, and its grids.

    ``measured`` is the graph before its biases were corrected, ``rules`` the rule that each grid was found by, and
    ``steps`` what was done besides.
    """

    measured: Measured
    graph: Graph
    grids: Mapping[str, Grid]
    rules: Mapping[str, str]
    steps: tuple[str, ...]


def _best(
    graph: Graph, images: Array, in_float: Mapping[str, str], threads: int | None, progress: bool | None
) -> _Made:
    """Return the way to calibrate with which scores change least."""
    found, steps = _equalized_or_not(graph, images, in_float, threads, progress)
    grids, rules = best_grids([v for v in found.graph.shapes if v in found.rounded], found.found, found.detour)
    plain = to_integers(found.graph, grids, in_float)
    corrected = bias_corrected(found.graph, plain, found.detour.images, found.detour.runs)
    after = to_integers(corrected, grids, in_float)
    if found.error(after, COMPARED) < found.error(plain, COMPARED):
        return _Made(found, corrected, grids, rules, (*steps, "bias correction"))
    return _Made(found, found.graph, grids, rules, steps)


def _equalized_or_not(
    graph: Graph, images: Array, in_float: Mapping[str, str], threads: int | None, progress: bool | None
) -> tuple[Measured, tuple[str, ...]]:
    """Return the graph as it is or equalized, whichever is better with ranges that are found without a trial."""
    plain = measured(graph, images, in_float, Runs(threads, progress))
    other = equalized(graph, plain.found)
    if all(node.inputs == graph.by_name[node.name].inputs for node in other.nodes):
        return plain, ()
    even = measured(other, images, in_float, Runs(threads, progress))
    errors = [way.error(to_integers(way.graph, way.likely_grids, in_float), COMPARED) for way in (plain, even)]
    return (even, ("equalization",)) if errors[1] < errors[0] else (plain, ())


def _sensitivities(made: _Made, in_float: Mapping[str, str], numbers: Array | None) -> tuple[Sensitivity, ...]:
    detour = made.measured.detour
    grids = to_integers(made.measured.graph, made.grids, in_float).grids
    layers = [v for v in layers_of(detour.graph, in_float) if detour.graph.by_name[v].inputs[0] in grids]
    return sensitivities(detour.graph, grids, layers, detour, numbers)


def _of(found: Measured, images: Array, numbers: Array | None) -> Array | None:
    """Return the class numbers of the images that were tried."""
    return None if numbers is None else numbers[evenly(len(images), len(found.detour.images))]


def _accuracy(scores: Array, numbers: Array) -> float:
    return float((most_probable(scores) == numbers).mean())


def _reasons(found: IntegerGraph) -> str:
    return "; ".join(f"{name}: {why}" for name, why in list(found.in_float.items())[:8])


def _network(net: Network, graph: Graph) -> Network:
    notes = {**net.notes, "quantization": "eight-bit integers, made by cnnfast.quantize"}
    return Network.from_graph(
        graph, classes=net.class_names, preprocess=net.preprocess, license=net.license, notes=notes
    )
