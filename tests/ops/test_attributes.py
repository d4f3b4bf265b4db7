"""Attributes: what is refused, how they come from a file, and how they are shown."""

from __future__ import annotations

import json

import pytest
from cases import CASES, Case
from hypothesis import given
from hypothesis import strategies as st

from cnnfast.errors import GraphError
from cnnfast.ops import (
    OPS,
    AvgPool,
    BatchNorm,
    Clip,
    Conv2d,
    Dropout,
    Fused,
    Gelu,
    Linear,
    Lrn,
    MaxPool,
    Op,
    Pad,
    Relu,
    Reshape,
    Transpose,
    decode_op,
)

WRONG = {
    "conv2d": [
        {"stride": 0},
        {"stride": (1, -1)},
        {"stride": (1, 2, 3)},
        {"dilation": 0},
        {"padding": -1},
        {"padding": (1, 2, 3)},
        {"padding": 1 << 21},
        {"groups": 0},
    ],
    "max_pool": [
        {"kernel": 0},
        {"kernel": (2, 2, 2)},
        {"kernel": 2, "padding": 2},
        {"kernel": 2, "padding": (0, 0, 0, 5)},
        {"kernel": 3, "stride": (2, 0)},
        {"kernel": 2, "stride": -1},
        {"kernel": 2, "dilation": 0},
    ],
    "avg_pool": [{"kernel": (0, 1)}, {"kernel": 1, "padding": 1}],
    "clip": [{"low": 1.0, "high": 0.0}, {"low": float("nan")}],
    "gelu": [{"approximate": "quick"}],
    "batch_norm": [{"eps": -1e-3}, {"eps": float("nan")}],
    "lrn": [{"size": 0}],
    "dropout": [{"rate": 1.0}, {"rate": -0.1}],
    "reshape": [{"target": ()}, {"target": (-1, -1)}, {"target": (0, 4)}, {"target": (-2,)}],
    "transpose": [
        {"order": ()},
        {"order": (1, 0)},
        {"order": (0, 1, 1)},
        {"order": (0, 2)},
        {"order": tuple(range(10))},
    ],
    "pad": [{"padding": -1}, {"padding": (1,)}, {"padding": 1, "mode": "mirror"}, {"padding": 1, "channels": (1, -1)}],
    "slice": [
        {"start": (), "count": ()},
        {"start": (0,), "count": (1, 1)},
        {"start": (-1,), "count": (1,)},
        {"start": (0,), "count": (0,)},
        {"start": (0,), "count": (1,), "step": (0,)},
    ],
    "resize": [
        {"size": 0},
        {"size": 2, "mode": "area"},
        {"size": 2, "coordinates": "half"},
        {"size": 2, "rounding": "up"},
        {"size": 2, "scale_h": -1.0},
    ],
    "reduce_mean": [{"axes": ()}, {"axes": (0, 1)}, {"axes": (1, 1)}],
    "layer_norm": [{"axes": ()}, {"axes": (0,)}, {"eps": -1.0}],
    "group_norm": [{"groups": 0}, {"groups": 1, "eps": -1.0}],
}


@pytest.mark.parametrize(
    ("name", "attributes"), [(name, wrong) for name, several in WRONG.items() for wrong in several], ids=str
)
def test_attribute_out_of_range_is_refused(name: str, attributes: dict[str, object]) -> None:
    with pytest.raises(GraphError, match=next(iter(attributes)) if len(attributes) == 1 else name):
        OPS[name](**attributes)


def test_short_forms_of_attributes() -> None:
    assert Conv2d(stride=2, padding=1, dilation=3) == Conv2d((2, 2), (1, 1, 1, 1), (3, 3))
    assert Conv2d(padding=(1, 2)) == Conv2d(padding=(1, 2, 1, 2))
    assert MaxPool(3).stride == (3, 3)
    assert Pad((1, 2)) == Pad((1, 2, 1, 2))
    assert Reshape([3, -1]) == Reshape((3, -1))
    assert Transpose([0, 1]) == Transpose((0, 1))


def test_attributes_become_json_and_come_back() -> None:
    for case in CASES:
        written = json.dumps(case.op.attributes())
        assert decode_op(case.op.name, json.loads(written)) == case.op


def test_describe_shows_what_differs_from_the_defaults() -> None:
    assert Relu().describe() == ""
    assert Conv2d().describe() == ""
    assert Conv2d(stride=2, groups=3).describe() == "stride=(2, 2) groups=3"
    assert Clip(high=1.0).describe() == "high=1.0"
    assert Lrn(5).describe() == "size=5"
    assert Gelu("tanh").describe() == "approximate=tanh"
    assert Fused(Conv2d(stride=2), (Relu(), Clip(high=1.0)), 2).describe() == "stride=(2, 2) high=1.0"
    assert "ceil_mode=True" in AvgPool(2, ceil_mode=True).describe()


def test_ops_are_values() -> None:
    assert Conv2d(padding=1) == Conv2d(padding=(1, 1))
    assert hash(Conv2d(padding=1)) == hash(Conv2d(padding=(1, 1)))
    assert Dropout(0.5) != Dropout(0.25)


def test_decode_names_what_is_wrong() -> None:
    with pytest.raises(GraphError, match=r"unknown op 'convolve'; known ops: .*conv2d"):
        decode_op("convolve", {})
    with pytest.raises(GraphError, match="unknown op"):
        decode_op("fused", {})
    with pytest.raises(GraphError, match="conv2d has no attribute 'strides'; it has: stride"):
        decode_op("conv2d", {"strides": 1})
    with pytest.raises(GraphError, match="relu has no attribute 'slope'; it has: none"):
        decode_op("relu", {"slope": 1})
    with pytest.raises(GraphError, match="must be a mapping, not list"):
        decode_op("relu", [])
    with pytest.raises(GraphError, match=r"lrn: .*size"):
        decode_op("lrn", {})


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("conv2d", "stride", 1),
        ("conv2d", "stride", [1, 1.5]),
        ("conv2d", "stride", [True, True]),
        ("conv2d", "groups", 1.0),
        ("conv2d", "groups", True),
        ("max_pool", "ceil_mode", 1),
        ("clip", "low", "0"),
        ("clip", "low", False),
        ("clip", "low", float("nan")),
        ("clip", "low", float("-inf")),
        ("clip", "low", -(10**400)),
        ("gelu", "approximate", None),
        ("reshape", "target", "12"),
    ],
    ids=str,
)
def test_decode_refuses_the_wrong_type(name: str, key: str, value: object) -> None:
    with pytest.raises(GraphError, match=f"attribute {key} of {name} must be "):
        decode_op(name, {key: value})


def test_decode_takes_a_whole_number_for_a_float() -> None:
    assert decode_op("clip", {"low": -1, "high": 1}) == Clip(-1.0, 1.0)
    assert isinstance(decode_op("clip", {"low": 0}), Clip)
    assert decode_op("batch_norm", {"eps": 0}) == BatchNorm(0.0)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 5)
    | st.floats()
    | st.text(max_size=5)
    | st.just(10**400),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@given(st.data())
def test_decode_gives_an_op_or_an_error_for_anything_in_a_file(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(OPS)))
    keys = st.sampled_from([*OPS[name].__dataclass_fields__, "other"])
    attributes = data.draw(st.dictionaries(keys, JSON, max_size=4) | JSON)
    try:
        op = decode_op(name, attributes)
    except GraphError:
        return
    assert decode_op(name, op.attributes()) == op


@given(st.data())
def test_shape_rule_gives_a_shape_or_an_error_for_any_shapes(data: st.DataObject) -> None:
    case: Case = data.draw(st.sampled_from(CASES))
    sizes = st.tuples() | st.lists(st.integers(1, 9), max_size=4).map(tuple)
    count = len(case.inputs) + len(case.parameters)
    try:
        shape = case.op.shape(*data.draw(st.lists(sizes, min_size=count, max_size=count)))
    except GraphError:
        return
    assert all(isinstance(size, int) for size in shape)


@pytest.mark.parametrize(
    ("op", "count", "fits"),
    [
        (Relu(), 1, True),
        (Relu(), 2, False),
        (Conv2d(), 1, False),
        (Conv2d(), 2, True),
        (Conv2d(), 3, True),
        (Conv2d(), 4, False),
        (Linear(), 0, False),
        (OPS["concat"](), 0, False),
        (OPS["concat"](), 9, True),
        (OPS["add"](), 1, False),
        (OPS["prelu"](), 1, False),
    ],
    ids=str,
)
def test_arity(op: Op, count: int, fits: bool) -> None:
    if fits:
        op.check_arity(count)
    else:
        with pytest.raises(GraphError, match=f"{op.name} takes the inputs"):
            op.check_arity(count)
