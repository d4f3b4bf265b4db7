"""Layers without weights have the signatures of their ops: for editors, for help() and for type checkers."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest

from cnnfast import layers, ops
from cnnfast.layers.foreign import FOREIGN
from cnnfast.ops import OPS
from cnnfast.ops.base import Op

PLAIN = {
    name: getattr(ops, name)
    for name in dir(layers)
    if name[0].isupper() and getattr(ops, name, None) in OPS.values() and not getattr(ops, name).parameters
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_layer_takes_the_attributes_of_its_op_with_the_same_defaults(name: str) -> None:
    op: type[Op] = PLAIN[name]
    signature = inspect.signature(getattr(layers, name), eval_str=True)
    *attributes, last = signature.parameters.values()
    fields = {field.name: field for field in dataclasses.fields(op)}  # type: ignore[arg-type]
    assert [parameter.name for parameter in attributes] == list(fields)
    assert (last.name, last.kind, last.annotation) == ("name", last.KEYWORD_ONLY, str | None)
    assert signature.return_annotation is layers.Layer
    values = {"kernel": 3, "padding": 1, "target": (6,), "order": (0, 1), "start": (0,), "count": (1,), "size": 2}
    needed = {key: values[key] for key, field in fields.items() if field.default is dataclasses.MISSING}
    made = getattr(layers, name)(**needed, name="called")
    assert made.op == op(**needed)
    assert (made.parameters, made.name) == ({}, "called")
    assert getattr(layers, name)(*needed.values()).op == made.op


def test_every_op_of_one_value_without_weights_is_a_layer() -> None:
    assert {op for op in OPS.values() if op.data == ("x",) and not op.parameters} == set(PLAIN.values())


@pytest.mark.parametrize("name", PLAIN)
def test_help_says_what_it_does_and_where_the_rest_is(name: str) -> None:
    text = inspect.getdoc(getattr(layers, name))
    assert text is not None
    assert f"`cnnfast.ops.{name}`" in text
    assert len(text) > len(name) + 30


@pytest.mark.parametrize("name", FOREIGN)
def test_names_of_other_frameworks_say_what_is_written_here(name: str) -> None:
    with pytest.raises(AttributeError, match=f"has no '{name}'; write {re.escape(FOREIGN[name])}"):
        getattr(layers, name)
    ours = FOREIGN[name].partition("(")[0]
    assert ours.startswith("cnnfast.Network.build") or callable(getattr(layers, ours))


def test_a_misspelled_layer_is_suggested() -> None:
    with pytest.raises(AttributeError, match="did you mean 'Softmax'"):
        layers.Softmaxx  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(layers, "Quux")
