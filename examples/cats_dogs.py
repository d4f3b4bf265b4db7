"""Cats against dogs from scratch: 2,000 pictures, scaled features, and views that are sheared, zoomed and flipped.

python examples/cats_dogs.py DATA    # a folder with training_set and test_set, each with a folder of pictures a class
"""

from __future__ import annotations

from showing import arguments, both_parts, print_row, show

from cnnfast import Network, Preprocess
from cnnfast.layers import BatchNorm, Conv2d, Dropout, Flatten, Linear, MaxPool, Relu
from cnnfast.train import EMA, AdamW, Crop, Flip, Recipe, Shear, Zoom, fit, fit_scaling

SIDE = 64


def network(preprocess: Preprocess) -> Network:
    """Return four convolutions with batch-norm and pools, and a dense layer."""
    layers = []
    for number, filters in enumerate((16, 32, 64, 128), 1):
        layers += [
            Conv2d(filters, 3, padding="same", bias=False, name=f"conv{number}"),
            BatchNorm(name=f"norm{number}"),
            Relu(),
            MaxPool(2),
        ]
    layers += [Flatten(), Dropout(0.5), Linear(2, name="dense")]
    return Network.build(layers, input_shape=(3, SIDE, SIDE), classes=["cat", "dog"], preprocess=preprocess)


def main() -> None:
    """Train and show."""
    args = arguments(__doc__ or "", "pictures of cats and dogs, in folders", epochs=40)
    training, test = both_parts(args.data, Preprocess(size=(SIDE, SIDE)), args.limit)
    preprocess = fit_scaling(training.images, Preprocess(size=(SIDE, SIDE)))
    recipe = Recipe(
        epochs=args.epochs,
        batch=32,
        optimizer=AdamW(learning_rate=0.003, weight_decay=0.05),
        augment=[Flip(), Shear(0.2), Zoom(0.2), Crop(0.8)],
        averaging=EMA(0.99),
        label_smoothing=0.1,
    )
    fitted = fit(network(preprocess), training, recipe, validation=0.1, report=print_row)
    show(fitted, test, args.plots, "cats-dogs")


if __name__ == "__main__":
    main()
