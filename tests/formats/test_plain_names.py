"""Networks whose names no model file can hold are saved under names that one can."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfast import Network
from cnnfast.formats.plain_names import plain_names, with_plain_names
from cnnfast.formats.tensors import MAX_NAME, METADATA, is_name
from cnnfast.graph import Graph, Node
from cnnfast.ops import Add, Relu

ODD = [
    "слой",
    "model/" + "block/" * 99,
    "model/" + "block/" * 99 + "2",
    "a\tb",
    "a\u200bb",
    "a\xa0b",
    "f\n.x",
    "\ud800",
]


def chain(names: list[str]) -> Graph:
    """Return a graph that adds its weight to a relu of the value before, with all of these names."""
    source, weight, *values = names
    nodes = [Node(values[0], Add(), (source, weight))]
    nodes += [Node(name, Relu(), (before,)) for before, name in pairwise(values)]
    return Graph({source: (3,)}, tuple(nodes), {weight: np.array([1, -2, 3], np.float32)}, (values[-1],))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", range(4))
def test_what_is_odd_is_saved_and_loaded(odd: str, place: int, tmp_path: Path) -> None:
    names = ["x", "w", "a", "y"]
    names[place] = odd
    net = Network.from_graph(chain(names))
    net.save(tmp_path / "net.safetensors")
    again = Network.load(tmp_path / "net.safetensors")
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    np.testing.assert_array_equal(again.forward(x), net.forward(x))
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "net.safetensors").read_bytes()


def test_a_tensor_called_as_the_metadata(tmp_path: Path) -> None:
    Network.from_graph(chain(["x", METADATA, "a", "y"])).save(tmp_path / "net.safetensors")
    assert f"{METADATA}.1" in Network.load(tmp_path / "net.safetensors").graph.constants


def test_names_that_can_be_saved_stay_as_they_are() -> None:
    graph = chain(["x", "w é/1", "вход 图", "a:0"])
    assert with_plain_names(graph) is graph


@given(st.lists(st.text(max_size=6) | st.text("a\t", min_size=MAX_NAME - 2, max_size=MAX_NAME + 3), max_size=12))
def test_no_name_is_given_twice(names: list[str]) -> None:
    renamed = plain_names(names)
    final = [renamed.get(name, name) for name in dict.fromkeys(names)]
    assert len(set(final)) == len(final)
    assert all(is_name(name) for name in final)
    assert all(is_name(name) == (name not in renamed) or name == METADATA for name in names)
