"""What users of other frameworks type gives the right thing, or says what to type."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest
from fresh_python import output_of
from small_networks import photographs, small_net

import cnnfast
from cnnfast import GraphError, Network
from cnnfast.network.foreign import OF_NETWORK, OF_PACKAGE

NET = small_net()


@pytest.mark.parametrize("name", OF_NETWORK)
def test_an_attribute_that_others_have_says_what_is_written_here(name: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(f"a network has no {name!r}; write {OF_NETWORK[name]}")):
        getattr(NET, name)
    assert not hasattr(Network, name)


@pytest.mark.parametrize("name", OF_PACKAGE)
def test_a_function_that_others_have_says_what_is_written_here(name: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(f"cnnfast has no {name!r}; write {OF_PACKAGE[name]}")):
        getattr(cnnfast, name)


@pytest.mark.parametrize("text", sorted({*OF_NETWORK.values(), *OF_PACKAGE.values()}))
def test_what_is_suggested_exists(text: str) -> None:
    for owner, name in re.findall(r"\b(net|cnnfast|cnnfast\.Network|cnnfast\.train|net\.graph)\.(\w+)", text):
        things = {"net": NET, "cnnfast": cnnfast, "cnnfast.Network": Network, "cnnfast.train": cnnfast.train}
        things["net.graph"] = NET.graph
        # modules that need a package of their own
        if name not in ("sklearn", "safetensors", "onnx", "keras"):
            assert hasattr(things[owner], name), (owner, name)


def test_a_misspelled_name_is_suggested() -> None:
    with pytest.raises(AttributeError, match="a network has no 'predict_prob'; did you mean 'predict_proba'"):
        NET.predict_prob  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="cnnfast has no 'Netwrk'; did you mean 'Network'"):
        cnnfast.Netwrk  # type: ignore[attr-defined]  # noqa: B018
    assert getattr(NET, "quux", 3) == 3
    assert not hasattr(cnnfast, "quux")


def test_a_network_is_still_copied_and_pickled() -> None:
    assert copy.copy(NET) is copy.deepcopy(NET) is NET
    again = pickle.loads(pickle.dumps(NET))
    np.testing.assert_array_equal(again.forward(photographs()), NET.forward(photographs()))
    assert not hasattr(NET, "_ipython_display_")


def test_a_call_gives_the_output() -> None:
    np.testing.assert_array_equal(NET(photographs()), NET.forward(photographs()))


def test_a_name_instead_of_a_model() -> None:
    with pytest.raises(GraphError, match=r"must be a Model.*Network\.load.*but is 'cifar10-resnet'"):
        Network("cifar10-resnet")  # type: ignore[arg-type]


def test_parts_of_the_package_need_no_import_of_their_own() -> None:
    code = "import cnnfast; print(cnnfast.layers.Relu().op.name, cnnfast.train.Recipe().epochs, 'ops' in dir(cnnfast))"
    assert output_of(code).split() == ["relu", "20", "True"]
