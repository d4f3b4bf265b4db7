"""The network of Berkeley's CS61C project 3 (three 5x5 convolutions, 22,466 parameters), trained anew for CIFAR-10.

The original reached 75.7 %. A network this small cannot fit the training images, so what helps is an easier question:
batch normalization while it learns, and a teacher (cifar10_resnet.py) that tells which images are hard and what they
resemble.
"""

import common
import export
import small
import torch
import torch.nn.functional as F
from torch import nn

from cnnfast import Network, Preprocess

DESCRIPTION = __doc__.splitlines()[0]
PREPROCESS = Preprocess(size=(32, 32), mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0))
PLAN = small.Plan(epochs=64, shift=1)
TEACHER_SHARE = 0.7


def network():
    """Return the network as it is trained."""

    def block(inputs, outputs):
        return (
            nn.Conv2d(inputs, outputs, 5, padding=2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )

    return nn.Sequential(*block(3, 16), *block(16, 20), *block(20, 20), nn.Flatten(), nn.Linear(320, 10))


def teacher_answers(teacher, images):
    """Return the class probabilities that a network gives the images and their mirror images, (2, N, 10)."""
    pixels = images.permute(0, 2, 3, 1)
    return torch.stack([torch.from_numpy(teacher.predict_proba(view.numpy())) for view in (pixels, pixels.flip(2))])


def main():
    """Train, then write the model file."""
    arguments = common.parse_arguments(DESCRIPTION, teacher="model file of cifar10_resnet.py")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    images, labels = common.load(arguments.data, "train")
    test_images, test_labels = common.load(arguments.data, "test")
    answers = teacher_answers(Network.load(arguments.teacher), images)
    images, test_images = (common.normalize(x, PREPROCESS) for x in (images, test_images))
    truth, everyone = F.one_hot(labels, 10).float(), torch.arange(len(labels))

    def targets(mirrored):
        return torch.lerp(truth, answers[mirrored.long(), everyone], TEACHER_SHARE)

    model = network()
    seconds = small.train(
        model, PLAN, images, targets, lambda: common.accuracy(model, test_images, test_labels), arguments
    )
    export.write("cifar10-cs61c", DESCRIPTION, export.CIFAR10, export.chain(model), PREPROCESS, seconds, arguments)


if __name__ == "__main__":
    main()
