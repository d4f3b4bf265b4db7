"""Functions of a file, written out where they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto

from cnnfast.errors import ModelFileError

MAX_NODES = 100_000
"""Of a graph with its functions written out: functions that call each other a few deep double it each time."""

Name = tuple[str, str]


def written_out(model: ModelProto) -> GraphProto:
    """Return the graph with the functions of the file written out.

    Raises
    ------
    ModelFileError
        If a function calls itself, or all of them together become too many nodes.
    """
    if not model.functions:
        return model.graph
    from onnx import inliner

    if (count := _node_count(model)) > MAX_NODES:
        raise ModelFileError(f"its functions would become {count} nodes; at most {MAX_NODES} are allowed")
    try:
        return inliner.inline_local_functions(model).graph
    except Exception as error:
        # the inliner is C++ and raises what it likes for a damaged file
        raise ModelFileError(f"its functions cannot be written out: {str(error)[:200]}") from None


def _node_count(model: ModelProto) -> int:
    """Return how many nodes the graph has with all functions written out, without writing them out."""
    functions: dict[Name, FunctionProto] = {(f.domain, f.name): f for f in model.functions}
    sizes: dict[Name, int] = {}
    for name in _callees_first(functions):
        sizes[name] = _size(functions[name].node, sizes)
    return _size(model.graph.node, sizes)


def _size(nodes: Iterable[NodeProto], sizes: dict[Name, int]) -> int:
    return sum(sizes.get((node.domain, node.op_type), 1) for node in _all_nodes(nodes))


def _all_nodes(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Yield nodes and those of their branches."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _all_nodes(attribute.g.node)


def _callees_first(functions: dict[Name, FunctionProto]) -> list[Name]:
    """Return the functions in an order in which each comes behind those that it calls."""
    calls = {
        name: {(n.domain, n.op_type) for n in _all_nodes(function.node)} & functions.keys()
        for name, function in functions.items()
    }
    callers: dict[Name, list[Name]] = {name: [] for name in calls}
    for name, called in calls.items():
        for callee in called:
            callers[callee].append(name)
    missing = {name: len(called) for name, called in calls.items()}
    ready = [name for name, count in missing.items() if count == 0]
    order = []
    while ready:
        order.append(name := ready.pop())
        for caller in callers[name]:
            missing[caller] -= 1
            if missing[caller] == 0:
                ready.append(caller)
    if len(order) < len(functions):
        circle = next(name for name, count in missing.items() if count)
        raise ModelFileError(f"its function {circle[1]!r:.200} calls itself, or others that do")
    return order
