"""Ten classes: conv, ReLU, pool, twice, and three dense layers.

python examples/cifar10_cnn.py DATA    # a folder with CIFAR-10, as `cnnfast download cifar10` fetches it
"""

from __future__ import annotations

from showing import arguments, both_parts, print_row, show

from cnnfast import Network, Preprocess
from cnnfast.architectures import build
from cnnfast.train import AdamW, Flip, Recipe, Shift, fit, fit_scaling, initialize


def main() -> None:
    """Train and show."""
    args = arguments(__doc__ or "", "a folder with CIFAR-10", epochs=15)
    training, test = both_parts(args.data, None, args.limit)
    preprocess = fit_scaling(training.images, Preprocess(size=(32, 32)))
    net = Network.from_graph(initialize(build("lenet")), classes=training.classes, preprocess=preprocess)
    recipe = Recipe(epochs=args.epochs, optimizer=AdamW(learning_rate=0.003), augment=[Flip(), Shift(2)])
    fitted = fit(net, training, recipe, validation=0.1, report=print_row)
    show(fitted, test, args.plots, "cifar10-cnn")


if __name__ == "__main__":
    main()
