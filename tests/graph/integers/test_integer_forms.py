"""The table of ops in docs/quantization.md: every op is in it once, and it says what the pass does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from cases import CASES, Case

from cnnfast.graph import Graph, Node
from cnnfast.graph.integers.flow import has_integer_form
from cnnfast.ops import OPS

PAGE = Path(__file__).parents[3] / "docs" / "quantization.md"


def rows() -> dict[str, str]:
    """Return what the table says of each op: yes, partly or no."""
    text = PAGE.read_text().split("Which ops have an integer form")[1].split("\n\n")[1]
    found: dict[str, str] = {}
    for line in text.splitlines()[2:]:
        names, answer, _ = (cell.strip() for cell in line.strip("|").split("|", 2))
        for name in re.findall(r"`(\w+)`", names):
            assert name not in found, f"{name} is there twice"
            found[name] = answer
    return found


def is_of_bytes(case: Case) -> bool:
    """Return whether the op of a case can run on bytes, if nothing but its parameters is constant."""
    inputs = {f"x{i}": shape for i, shape in enumerate(case.inputs)}
    constants = {f"w{i}": np.ones(shape, np.float32) for i, shape in enumerate(case.parameters)}
    node = Node("y", case.op, (*inputs, *constants))
    return has_integer_form(Graph(inputs, (node,), constants, ("y",)), node)


def test_every_op_is_in_the_table_once() -> None:
    assert rows().keys() == OPS.keys()


@pytest.mark.parametrize("name", sorted(OPS))
def test_the_table_says_what_the_pass_does(name: str) -> None:
    cases = [case for case in CASES if case.op.name == name and not case.fixed and all(case.inputs)]
    answers = {is_of_bytes(case) for case in cases}
    assert answers, f"no case of {name}"
    with_constants = {"sub", "div", "maximum", "minimum"}
    if name in with_constants:
        # a table does it where one operand is a constant for each channel
        node = Node("y", OPS[name](), ("x", "c"))
        graph = Graph({"x": (3, 4, 4)}, (node,), {"c": np.ones((3, 1, 1), np.float32)}, ("y",))
        answers.add(has_integer_form(graph, node))
    expected = {frozenset({True}): "yes", frozenset({False}): "no"}.get(frozenset(answers), "partly")
    assert rows()[name] == expected
