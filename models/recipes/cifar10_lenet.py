"""The LeNet of PyTorch's CIFAR-10 tutorial (two 5x5 convolutions, three dense layers, 62,006 parameters)."""

import common
import export
import small
import torch
import torch.nn.functional as F
from torch import nn

from cnnfast import Preprocess

DESCRIPTION = __doc__.splitlines()[0]
PREPROCESS = Preprocess(size=(32, 32), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
PLAN = small.Plan(epochs=40)


def network():
    """Return the network as it is trained."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120, bias=False),
        nn.BatchNorm1d(120),
        nn.ReLU(),
        nn.Linear(120, 84, bias=False),
        nn.BatchNorm1d(84),
        nn.ReLU(),
        nn.Linear(84, 10),
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
    export.write("cifar10-lenet", DESCRIPTION, export.CIFAR10, export.chain(model), PREPROCESS, seconds, arguments)


if __name__ == "__main__":
    main()
