"""Every image classifier of keras.applications through the reader of Keras, against Keras itself.

    python tools/keras_applications.py run [NAME ...]   build, save, read and compare; needs keras, torch and h5py
    python tools/keras_applications.py                  print the table of the results
    python tools/keras_applications.py --write          put it into docs/keras.md, between its markers
    python tools/keras_applications.py --check          fail if docs/keras.md holds another one

Weights are random, running means and variances included. Each network is saved as ``.keras`` and as ``.h5``; both must
give the same graph. 16 random images of bytes go through Keras and through cnnfast. With random weights some classes
win for every image, so the first class is compared a second time after the mean of each class is taken away.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results" / "keras_applications.json"
IMAGES = 16
SIDE = 96
"""Of the images; the networks are as deep at any size."""
GAIN, DEEP_GAIN = 1.5, 0.9
"""Of the random weights. The long chains of EfficientNetV2 amplify rounding: at a gain of 2 the scores of B0 by Keras
itself were 0.4 from those in float64, and those of cnnfast 0.06."""

BOUND = 1e-4
"""The largest deviation, as a part of the largest score."""


def names() -> list[str]:
    """Return the names of all classifiers."""
    applications = import_keras().applications
    return [name for name in dir(applications) if name[0].isupper() and callable(getattr(applications, name))]


def import_keras() -> Any:
    """Import Keras on PyTorch, quietly."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import logging

    import keras

    logging.getLogger("absl").setLevel(logging.ERROR)
    return keras


def build(name: str) -> Any:
    """Return a network of random weights whose scores are of the order of 1."""
    sys.path.insert(0, str(ROOT / "tests"))
    from formats.keras.models import randomize

    keras = import_keras()
    options = dict(weights=None, input_shape=(SIDE, SIDE, 3))
    if name == "NASNetMobile":
        # the function itself refuses PyTorch, for a fault in training; what it calls does not
        from keras.src.applications.nasnet import NASNet

        filters = dict(penultimate_filters=1056, num_blocks=4, stem_block_filters=32, filter_multiplier=2)
        model = NASNet(skip_reduction=False, default_size=224, **filters, **options)
    else:
        model = getattr(keras.applications, name)(**options)
    randomize(model, seed=1, gain=DEEP_GAIN if name.startswith("EfficientNetV2") else GAIN)
    spread = float(np.std(scores_of(model, images()[:4])))
    # a power of two, so that nothing is rounded
    factor = 2.0 ** -round(np.log2(max(spread, 1e-30)))
    last = next(layer for layer in reversed(model.layers) if layer.weights)
    for variable in last.weights:
        variable.assign(variable * factor)
    return model


def images() -> np.ndarray:
    """Return random pictures whose brightness and contrast differ, (N, H, W, C)."""
    rng = np.random.default_rng(2)
    contrast, brightness = rng.uniform(0.1, 1, (IMAGES, 1, 1, 3)), rng.uniform(0, 255, (IMAGES, 1, 1, 3))
    noise = rng.uniform(-128, 128, (IMAGES, SIDE, SIDE, 3))
    return np.clip(noise * contrast + brightness, 0, 255).astype(np.uint8)


def takes_bytes(model: Any) -> bool:
    """Return whether the preprocessing is part of the network; the others get bytes from -1 to 1."""
    return any(type(layer).__name__ in ("Rescaling", "Normalization") for layer in model.layers[:3])


def scores_of(model: Any, pixels: np.ndarray) -> np.ndarray:
    """Return what Keras computes in front of the last softmax."""
    keras, last = import_keras(), model.layers[-1]
    values = pixels.astype(np.float32)
    if not takes_bytes(model):
        values = values / 127.5 - 1
    softmax, last.activation = last.activation, keras.activations.linear
    try:
        return np.asarray(model.predict(values, batch_size=4, verbose=0), np.float64)
    finally:
        last.activation = softmax


def same_graphs(first: Any, second: Any) -> bool:
    """Return whether two graphs have the same nodes and bit-identical constants."""
    return (
        first.nodes == second.nodes
        and first.constants.keys() == second.constants.keys()
        and all(np.array_equal(array, second.constants[name]) for name, array in first.constants.items())
    )


def compare(name: str) -> dict[str, Any]:
    """Build a network, and return how far cnnfast is from Keras."""
    from cnnfast import Network

    model, pixels = build(name), images()
    wanted = scores_of(model, pixels).reshape(IMAGES, -1)
    parameters = model.count_params()
    options = {} if takes_bytes(model) else {"preprocess": "tf"}
    with tempfile.TemporaryDirectory() as folder:
        graphs = []
        for suffix in (".keras", ".h5"):
            path = Path(folder) / f"model{suffix}"
            model.save(path)
            net = Network.load(path, **options)
            path.unlink()
            graphs.append(net.graph)
    del model
    same = same_graphs(*graphs)
    (output,) = net.graph.outputs
    start = time.perf_counter()
    probabilities = net.forward(pixels)
    seconds = time.perf_counter() - start
    scores = net.truncate(net.graph.by_name[output].inputs[0]).forward(pixels).reshape(IMAGES, -1)
    ideal = np.exp(wanted - wanted.max(axis=1, keepdims=True))
    ideal /= ideal.sum(axis=1, keepdims=True)
    return {
        "parameters": parameters,
        "same graph": same,
        "top-1": same_winners(scores, wanted),
        "top-1 of differences": same_winners(scores - wanted.mean(axis=0), wanted - wanted.mean(axis=0)),
        "winners": len(set((wanted - wanted.mean(axis=0)).argmax(axis=1).tolist())),
        "scores": float(np.abs(scores - wanted).max() / np.abs(wanted).max()),
        "probabilities": float(np.abs(probabilities.reshape(IMAGES, -1) - ideal).max()),
        "seconds": round(seconds, 2),
    }


def same_winners(scores: np.ndarray, wanted: np.ndarray) -> int:
    """Return for how many images the same class is first."""
    return int((scores.argmax(axis=1) == wanted.argmax(axis=1)).sum())


def passed(result: dict[str, Any]) -> bool:
    """Return whether a result is within the bounds and means something: images must have different winners."""
    close = result["scores"] <= BOUND and result["probabilities"] <= BOUND
    first = result["top-1"] == result["top-1 of differences"] == IMAGES
    return close and first and result["same graph"] and result["winners"] > 4


def run(wanted: list[str]) -> int:
    """Compare networks and write the results; results of networks that are not named stay."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    failed = 0
    for name in wanted or names():
        result = compare(name)
        results[name] = result
        RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
        failed += not passed(result)
        print(f"{name}: {'passed' if passed(result) else 'FAILED'} {result}", flush=True)
    return 1 if failed else 0


def table() -> str:
    """Return a row for each network."""
    results = json.loads(RESULTS.read_text())
    lines = [
        (
            "network",
            "parameters",
            "same graph from both files",
            "same top-1",
            "of differences",
            "scores",
            "probabilities",
        )
    ]
    for name, result in results.items():
        lines.append(
            (
                name,
                f"{result['parameters']:,}",
                "yes" if result["same graph"] else "no",
                f"{result['top-1']} of {IMAGES}",
                f"{result['top-1 of differences']} of {IMAGES}",
                f"{result['scores']:.1e}",
                f"{result['probabilities']:.1e}",
            )
        )
    return marked.as_table(lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        sys.exit(run(sys.argv[2:]))
    import marked

    marked.run(ROOT / "docs" / "keras.md", "applications", table())
