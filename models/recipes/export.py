"""From a trained torch network to the model file of cnnfast."""

from dataclasses import dataclass

import torch

from cnnfast import Network, layers
from cnnfast.config_report import cpu_model
from cnnfast.data import cifar10


@dataclass(frozen=True)
class Task:
    """What a network learns from, and what it tells apart."""

    data: str
    classes: tuple[str, ...]


CIFAR10 = Task("50,000 training images of CIFAR-10 (Krizhevsky, 2009)", cifar10.CLASSES)


def folded(layer, norm=None, scale=1.0):
    """Return weight and bias of the layer that does the work of `layer`, then of `norm`, then of a factor."""
    weight = layer.weight.detach().double()
    bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach().double()
    if norm is not None:
        gain = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
        weight = weight * gain.view(-1, *(1,) * (weight.dim() - 1))
        bias = (bias - norm.running_mean.double()) * gain + norm.bias.detach().double()
    return (weight * scale).float().numpy(), (bias * scale).float().numpy()


def convolution(layer, norm=None):
    """Return the cnnfast layer of a torch convolution and the batch normalization after it."""
    return layers.Conv2d(*folded(layer, norm), stride=layer.stride, padding=layer.padding)


def dense(layer, scale=1.0):
    """Return the cnnfast layer of a torch dense layer and a factor."""
    return layers.Linear(*folded(layer, scale=scale))


def write(name, description, task, chain, preprocess, seconds, arguments):
    """Write `name`.safetensors: the layers and a softmax, and beside them all that a user must know."""
    notes = {
        "description": description,
        "data": task.data,
        "recipe": f"models/recipes/{name.replace('-', '_')}.py --seed {arguments.seed}",
        "training": f"{seconds / 60:.0f} minutes, threads: {arguments.threads}, {cpu_model()}, "
        f"torch {torch.__version__.partition('+')[0]}",
    }
    network = Network.from_layers(
        [*chain, layers.Softmax()],
        preprocess.shape,
        classes=task.classes,
        preprocess=preprocess,
        licence="BSD-3-Clause",
        notes=notes,
    )
    network.save(arguments.out / f"{name}.safetensors")
