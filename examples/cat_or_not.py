"""Cat or not: conv, ReLU, conv, ReLU, pool, ReLU, conv, ReLU, pool, dense.

python examples/cat_or_not.py train_catvnoncat.h5     # 209 photos of 64x64 pixels; next to it, the 50 of test_…
python examples/cat_or_not.py cifar-10-batches-bin    # the 5,000 cats of CIFAR-10, and as many other images
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from showing import arguments, both_parts, print_row, show, shuffled

from cnnfast import Network, Preprocess
from cnnfast.layers import Conv2d, Flatten, Linear, MaxPool, Relu
from cnnfast.train import (
    EMA,
    AdamW,
    Brightness,
    Crop,
    Examples,
    Flip,
    Recipe,
    Rotate,
    Shift,
    fit,
    fit_scaling,
)

CLASSES = ("not cat", "cat")
CAT = 3


def photos(file: Path) -> Examples:
    """Return the images of a file of the HDF5 kind that the Deep Learning course on Coursera gave out."""
    import h5py

    kind = file.name.partition("_")[0]
    with h5py.File(file) as content:
        images, labels = content[f"{kind}_set_x"][:], content[f"{kind}_set_y"][:]
    return Examples(images, labels, CLASSES, str(file))


def cats_and_others(examples: Examples) -> Examples:
    """Return all cats, and as many other images."""
    rng = np.random.default_rng(0)
    cats = np.flatnonzero(examples.labels == CAT)
    others = rng.choice(np.flatnonzero(examples.labels != CAT), len(cats), replace=False)
    labels = (examples.labels == CAT).astype(int)
    return replace(examples, labels=labels, classes=CLASSES).take(rng.permutation(np.concatenate([cats, others])))


def network(side: int, preprocess: Preprocess) -> Network:
    """Return the network with random weights."""
    layers = [
        Conv2d(16, 3, padding="same", name="conv1"),
        Relu(),
        Conv2d(16, 3, padding="same", name="conv2"),
        Relu(),
        MaxPool(2),
        Relu(),
        Conv2d(32, 3, padding="same", name="conv3"),
        Relu(),
        MaxPool(2),
        Flatten(),
        Linear(2, name="dense"),
    ]
    return Network.build(layers, input_shape=(3, side, side), classes=CLASSES, preprocess=preprocess)


def main() -> None:
    """Train and show."""
    args = arguments(__doc__ or "", "train_catvnoncat.h5, or a folder of CIFAR-10", epochs=0)
    few = args.data.suffix == ".h5"
    if few:
        training, test = photos(args.data), photos(args.data.with_name(args.data.name.replace("train", "test")))
        training = shuffled(training, args.limit)
    else:
        training, test = map(cats_and_others, both_parts(args.data, None, None))
        training = shuffled(training, args.limit)
    side = training.images.shape[1]
    preprocess = fit_scaling(training.images, Preprocess(size=(side, side)))
    views = [Flip(), Crop(0.7), Rotate(15), Brightness(0.3)] if few else [Flip(), Shift(3)]
    recipe = Recipe(
        epochs=args.epochs or (100 if few else 10),
        batch=16 if few else 64,
        optimizer=AdamW(learning_rate=0.002 if few else 0.005, weight_decay=0.05),
        augment=views,
        averaging=EMA(0.99),
    )
    fitted = fit(network(side, preprocess), training, recipe, validation=0.15 if few else 0.1, report=print_row)
    show(fitted, test, args.plots, "cat-or-not-photos" if few else "cat-or-not-cifar10")


if __name__ == "__main__":
    main()
