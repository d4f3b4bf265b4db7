"""What methods and functions of Keras, scikit-learn, timm and PyTorch are called here."""

from __future__ import annotations

from collections.abc import Iterable

from cnnfast.runtime.suggest import did_you_mean

FIT = "cnnfast.train.fit(net, (images, labels)); cnnfast.sklearn.CNNClassifier has fit and score"
EVALUATE = "(net.predict(images) == labels).mean(), or cnnfast evaluate MODEL DATA on the command line"
CLASSES = "net.classes_, the label of each output as an array, or net.class_names"
WEIGHTS = "net.graph.constants, the weights by name"
CPU = "nothing: networks run on the CPU; cnnfast.set_num_threads(n) sets how many threads"
TRAINS = "nothing: a network only predicts; cnnfast.train.fit(net, ...) returns a trained one"
LOAD = 'cnnfast.Network.load("cifar10-resnet"), by name or from a file'

OF_NETWORK = {
    "fit": FIT,
    "train_on_batch": FIT,
    "score": EVALUATE,
    "evaluate": EVALUATE,
    "predict_classes": "net.predict(images)",
    "predict_on_batch": "net.predict_proba(images)",
    "decision_function": "net.forward(images)",
    "predict_log_proba": "numpy.log(net.predict_proba(images))",
    "transform": "net.features(images)",
    "forward_features": "net.features(images)",
    "classes": CLASSES,
    "labels": CLASSES,
    "layers": "net.graph.nodes, or print(net) for a table",
    "modules": "net.graph.nodes, or print(net) for a table",
    "named_modules": "net.graph.by_name",
    "get_layer": "net.graph.by_name[name]",
    "weights": WEIGHTS,
    "get_weights": WEIGHTS,
    "parameters": WEIGHTS,
    "named_parameters": WEIGHTS,
    "state_dict": WEIGHTS,
    "count_params": "net.summary(), whose last line has the total",
    "load_state_dict": 'cnnfast.Network.load("weights.pt", architecture="resnet20-cifar")',
    "load_weights": 'cnnfast.Network.load("weights.pt", architecture="resnet20-cifar")',
    "save_weights": 'net.save("net.safetensors")',
    "export": 'net.save("net.onnx")',
    "to_onnx": 'net.save("net.onnx")',
    "eval": TRAINS,
    "train": TRAINS,
    "to": CPU,
    "cpu": CPU,
    "cuda": CPU,
    "half": "cnnfast.quantize(net, images), which makes a network of eight-bit integers",
    "default_cfg": "net.preprocess",
    "pretrained_cfg": "net.preprocess",
    "input": "net.input_shape",
    "inputs": "net.input_shape",
    "output": "net.output_shape",
    "outputs": "net.output_shape",
    "num_classes": "len(net.classes_)",
    "reset_classifier": "net.with_head(classes)",
}
"""Attributes that others have, and what is written here."""

OF_PACKAGE = {
    "load": LOAD,
    "load_model": LOAD,
    "create_model": LOAD,
    "hub": LOAD,
    "models": "cnnfast.list_models(), the names for cnnfast.Network.load",
    "applications": "cnnfast.list_models(), the names for cnnfast.Network.load",
    "Model": "cnnfast.Network",
    "Sequential": "cnnfast.Network.build(layers, input_shape=(3, 32, 32)), with layers of cnnfast.layers",
    "nn": "cnnfast.layers",
    "classify": 'cnnfast.Network.load("cifar10-resnet").classify(pictures)',
    "predict": 'cnnfast.Network.load("cifar10-resnet").classify(pictures)',
    "pipeline": 'cnnfast.Network.load("cifar10-resnet").classify(pictures)',
    "fit": "cnnfast.train.fit(net, (images, labels))",
    "save": 'net.save("net.safetensors")',
    "load_dataset": "cnnfast.open_dataset(path)",
    "datasets": "cnnfast.open_dataset(path), or cnnfast.download(name)",
    "imread": "cnnfast.read_picture(path, net.preprocess)",
    "from_keras": 'cnnfast.Network.load("net.keras")',
    "from_onnx": 'cnnfast.Network.load("net.onnx")',
    "from_pretrained": LOAD,
    "CNNClassifier": "cnnfast.sklearn.CNNClassifier, after import cnnfast.sklearn",
}
"""The same for functions of a package."""


def about_unknown(owner: str, name: str, table: dict[str, str], known: Iterable[str]) -> str:
    """Return what to write instead of an attribute that does not exist.

    Examples
    --------
    >>> about_unknown("a network", "get_layer", OF_NETWORK, [])
    "a network has no 'get_layer'; write net.graph.by_name[name]"
    >>> about_unknown("a network", "pedict", OF_NETWORK, ["predict"])
    "a network has no 'pedict'; did you mean 'predict'?"
    """
    hint = f"; write {table[name]}" if name in table else did_you_mean(name, known)
    return f"{owner} has no {name!r}{hint}"
