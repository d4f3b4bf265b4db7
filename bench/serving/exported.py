"""A network as an ONNX file that takes pixels, with its labels next to it, for the servers around ONNX Runtime."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from onnx import TensorProto, helper, numpy_helper
from peers.to_onnx import front

from cnnfast import Network
from cnnfast.calibration.scores import ending_of


def export(net: Network, path: Path) -> None:
    """Write both files: what `Network.save` writes, from pixels to probabilities."""
    assert net.preprocess is not None
    Network.from_graph(ending_of(net).graph).save(path)
    model = onnx.load(path)
    graph = model.graph
    name, (channels, height, width) = graph.input[0].name, net.preprocess.shape
    nodes = [*front(name), *graph.node]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ("N", height, width, channels))
    graph.input.append(pixels)
    factor, shift = (values.reshape(channels, 1, 1) for values in net.preprocess.affine())
    graph.initializer.extend([numpy_helper.from_array(factor, "factor"), numpy_helper.from_array(shift, "shift")])
    onnx.checker.check_model(model)
    onnx.save(model, path)
    path.with_suffix(".json").write_text(json.dumps(net.classes_.tolist()))
