"""A multilayer perceptron 784-500-50-10 with sigmoid hidden units for MNIST."""

import common
import export
import small
import torch
import torch.nn.functional as F
from torch import nn

from cnnfast import Preprocess

DESCRIPTION = __doc__.splitlines()[0]
PREPROCESS = Preprocess(size=(28, 28), channels="grey")
PLAN = small.Plan(epochs=30, shift=1, flip=False)


def network():
    """Return the network as it is trained."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 500, bias=False),
        nn.BatchNorm1d(500),
        nn.Sigmoid(),
        nn.Linear(500, 50, bias=False),
        nn.BatchNorm1d(50),
        nn.Sigmoid(),
        nn.Linear(50, 10),
    )


def main():
    """Train, then write the model file."""
    arguments = common.parse_arguments(DESCRIPTION)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    images, labels = common.load(arguments.data, "train")
    test_images, test_labels = common.load(arguments.data, "test")
    images, test_images = (common.normalize(x, PREPROCESS) for x in (images, test_images))
    truth = F.one_hot(labels, 10).float()

    model = network()
    seconds = small.train(
        model, PLAN, images, lambda mirrored: truth, lambda: common.accuracy(model, test_images, test_labels), arguments
    )
    export.write("mnist-mlp", DESCRIPTION, export.MNIST, export.chain(model), PREPROCESS, seconds, arguments)


if __name__ == "__main__":
    main()
