"""Write the card and the golden outputs of a model file, all of it computed by cnnfast.

python models/recipes/card.py models/cifar10-cs61c.safetensors --data DIR --run DIR
python models/recipes/card.py models/cifar10-cs61c-int8.safetensors --data DIR --quantized-from cifar10-cs61c
"""

import argparse
import hashlib
import json
import re
from pathlib import Path

import numpy as np

import cnnfast
from cnnfast import Network
from cnnfast.calibration import Reliability
from cnnfast.data import open_dataset
from cnnfast.formats.narrow import NOTE as ROUNDED
from cnnfast.formats.native import lender_of
from cnnfast.runtime.info import cpu_model
from cnnfast.train.history import HISTORY

SEED, GOLDEN = 0, 4

LEARNED = {
    "cifar10": "the 50,000 training images of CIFAR-10 (Krizhevsky, 2009); nothing else",
    "mnist": "the 60,000 training images of MNIST (LeCun, Cortes and Burges, 1998); nothing else",
}
"""What a network has seen, by what its name begins with."""


def answers(network, dataset):
    """Return the index of the class that the network gives to each image, and how reliable its probabilities are."""
    found, reliability = [], Reliability()
    for batch in dataset.batches(1000, network.preprocess):
        probabilities = network.predict_proba(batch.images)
        found.append(probabilities.argmax(axis=1))
        reliability.add(batch.labels, probabilities)
    return np.concatenate(found), reliability


def confusion_matrix(found, labels):
    """Return how many images of each class (row) were put into each class (column)."""
    matrix = np.zeros((labels.max() + 1,) * 2, int)
    np.add.at(matrix, (labels, found), 1)
    return matrix


def golden(network, digest):
    """Return the outputs for images that a formula makes, so that no picture need be shipped."""
    channels, height, width = network.input_shape
    shape = (GOLDEN, height, width, channels)
    images = np.random.default_rng(SEED).integers(0, 256, shape, dtype=np.uint8)
    scores = network.graph.by_name[network.graph.outputs[0]].inputs[0]
    return {
        "images": f"numpy.random.default_rng({SEED}).integers(0, 256, {shape}, dtype=numpy.uint8)",
        "seed": SEED,
        "shape": list(shape),
        "sha256": digest,
        "logits": shortest(network.truncate(scores).forward(images)),
        "probabilities": shortest(network.predict_proba(images)),
    }


def shortest(rows):
    """Return float32 values as the shortest decimals that give the same float32 again."""
    return [[float(str(value)) for value in row] for row in rows]


def lines(fields):
    """Return JSON with one field a line."""
    return "{\n" + ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in fields.items()) + "\n}\n"


def table(header, rows):
    """Return a Markdown table."""
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in [header, ["---"] * len(header), *rows])


def trained(network, run, earlier):
    """Return how a network of floats was made, as rows of a table; without a run, by its earlier card."""
    taken = re.search(r"^\| training time \| (.+) \|$", earlier, re.MULTILINE)[1] if run is None else training_time(run)
    return [("recipe", f"`{network.notes['recipe']}`"), ("training time", taken)]


def quantized(name, lender, found, labels, origin, expected):
    """Return how a network of integers was made and what it lost, as rows of a table; `expected` is in float."""
    lent = f", then `cnnfast convert … --borrow models/{lender.name}`" if lender else ""
    return [
        ("made of", f"[{origin}]({origin}.md), which has the training recipe"),
        ("made by", f"`cnnfast quantize {origin} CIFAR --out models/{name}.safetensors`{lent}"),
        ("calibrated with", "500 of the training images, 50 of each class; nothing was trained"),
        ("accuracy in float", f"{(expected == labels).mean():.2%} of the same images"),
        ("labels that agree", f"{(found == expected).mean():.2%} of them are the same in float"),
    ]


def training_time(run):
    """Return how long training took by the history of its run, and on what."""
    last = json.loads((run / HISTORY).read_text().splitlines()[-1])
    seconds, epochs = last["seconds"], last["epoch"]
    taken = f"{seconds / 60:.0f} minutes" if seconds > 180 else f"{seconds:.0f} seconds"
    return f"{taken}, {epochs} epochs, threads: {cnnfast.get_num_threads()}, {cpu_model()}"


def rounded(values):
    """Return numbers as people read them."""
    return tuple(round(value, 4) for value in values)


def sentence(text):
    """Return a description as a sentence."""
    return text[0].upper() + text[1:].rstrip(".") + "."


def calibration(network, reliability):
    """Return what the probabilities are worth, as rows of a table."""
    stated = [("calibration", network.notes["calibration"])] if "calibration" in network.notes else []
    error, loss = reliability.calibration_error, reliability.negative_log_likelihood
    return [
        *stated,
        ("expected calibration error", f"{error:.4f} of the same images, in 10 bins"),
        ("negative log likelihood", f"{loss:.4f}"),
    ]


def rounding(network):
    """Return what storing the weights in fewer bytes has changed, as rows of a table."""
    text = network.notes.get(ROUNDED)
    return [("rounding", f"{text}, after training and calibration in float32")] if text else []


def card(name, network, matrix, digest, size, besides, origin, remark):
    """Return the card as Markdown; `origin` are the rows on how the network was made and what it is worth."""
    hits, total = matrix.diagonal(), matrix.sum(axis=1)
    graph = network.graph
    description = network.notes["description"] + ("; in eight-bit integers" if "quantization" in network.notes else "")
    preprocess = network.preprocess
    facts = [
        ("file", f"`{name}.safetensors`, {size:,} bytes{besides}"),
        ("SHA-256", f"`{digest}`"),
        ("accuracy", f"**{hits.sum() / total.sum():.2%}** of the {total.sum():,} test images, in one forward pass"),
        ("parameters", f"{sum(graph.parameter_count(node) for node in graph.nodes):,}"),
        ("multiply-adds", f"{sum(graph.cost(node).macs for node in graph.nodes):,} per image"),
        (
            "input",
            f"{preprocess.size[0]}×{preprocess.size[1]} {preprocess.channels}, `(byte/255 - mean) / std` with "
            f"mean {rounded(preprocess.mean)} and std {rounded(preprocess.std)}",
        ),
        ("training data", LEARNED[name.partition("-")[0]]),
        *origin,
        *rounding(network),
        ("license of the weights", network.license),
    ]
    classes = network.classes_
    per_class = [(label, f"{hit / count:.1%}", count) for label, hit, count in zip(classes, hits, total, strict=True)]
    rows = [(f"**{label}**", *row) for label, row in zip(classes, matrix, strict=True)]
    parts = [
        f"# {name}",
        sentence(description),
        table(("", ""), facts),
        remark,
        "## Layers",
        f"```\n{network.summary()}\n```",
        "## Accuracy per class",
        table(("class", "accuracy", "test images"), per_class),
        "## Confusion matrix",
        "Rows are true classes, columns are predictions.",
        table(("", *classes), rows),
        "## Check it",
        f"`{name}.golden.json` holds the outputs for {GOLDEN} synthetic images, which its `images` "
        f"formula makes, before and after the softmax.\n\n```\ncnnfast evaluate {name} DATA\n```",
        "Written by `models/recipes/card.py`.",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def main():
    """Evaluate a model file and write the result next to it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with the official test files")
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument(
        "--run",
        type=Path,
        help="folder of the run of `cnnfast train`, which holds its history; without it the earlier card is asked",
    )
    origin.add_argument("--quantized-from", metavar="NAME", help="the network of floats that `cnnfast quantize` read")
    parser.add_argument("--remark", help="a sentence for the card")
    arguments = parser.parse_args()

    content = arguments.model.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    network = Network.load(arguments.model)
    dataset = open_dataset(arguments.data, classes=network.classes_)
    lender = lender_of(arguments.model)
    name, (found, reliability), labels = arguments.model.stem, answers(network, dataset), dataset.labels
    matrix = confusion_matrix(found, labels)
    print(f"{name}: {matrix.trace() / matrix.sum():.4f}")
    if arguments.quantized_from is None:
        earlier = "" if arguments.run else arguments.model.with_suffix(".md").read_text()
        origin = trained(network, arguments.run, earlier)
    else:
        expected, _ = answers(Network.load(arguments.quantized_from), dataset)
        origin = quantized(name, lender, found, labels, arguments.quantized_from, expected)
    origin = [*calibration(network, reliability), *origin]
    besides = "" if lender is None else f", and weights of `{lender.name}` in the same folder"
    text = card(name, network, matrix, digest, len(content), besides, origin, arguments.remark)
    arguments.model.with_suffix(".md").write_text(text)
    arguments.model.with_suffix(".golden.json").write_text(lines(golden(network, digest)))


if __name__ == "__main__":
    main()
