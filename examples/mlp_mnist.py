"""Digits: 784-500-50-10 with sigmoids, and plain stochastic gradient descent.

python examples/mlp_mnist.py DATA    # a folder with the four files of MNIST, as `cnnfast download mnist` fetches them
"""

from __future__ import annotations

from showing import arguments, both_parts, print_row, show

from cnnfast import Network, Preprocess
from cnnfast.architectures import build
from cnnfast.train import SGD, Cosine, Recipe, fit, fit_scaling, initialize


def main() -> None:
    """Train and show."""
    args = arguments(__doc__ or "", "a folder with MNIST", epochs=10)
    training, test = both_parts(args.data, None, args.limit)
    preprocess = fit_scaling(training.images, Preprocess(size=(28, 28), channels="gray"))
    net = Network.from_graph(initialize(build("mlp")), classes=training.classes, preprocess=preprocess)
    recipe = Recipe(epochs=args.epochs, batch=32, optimizer=SGD(learning_rate=0.5), schedule=Cosine())
    fitted = fit(net, training, recipe, validation=0.1, report=print_row)
    show(fitted, test, args.plots, "mlp-mnist")


if __name__ == "__main__":
    main()
