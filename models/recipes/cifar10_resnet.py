"""A small residual network for CIFAR-10 after airbench94 (Keller Jordan, arXiv 2404.00498), 2 M parameters.

Differences from airbench94: a shortcut around the second convolution of each block, GELU in its tanh form, more epochs
with a lower learning rate, shifts of up to 3 pixels, and no test-time augmentation.
"""

import common
import export
import torch
import torch.nn.functional as F
from torch import nn

from cnnfast import Preprocess, layers

DESCRIPTION = __doc__.splitlines()[0]
PREPROCESS = Preprocess(size=(32, 32), mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
EPOCHS, BATCH = 24, 1024
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 10.0, 0.85, 0.0140
BIAS_SPEEDUP, WHITENING_BIAS_EPOCHS = 64, 3
LABEL_SMOOTHING, SHIFT, LOGIT_SCALE = 0.2, 3, 1 / 9


def convolution(inputs, outputs):
    """Return a 3x3 convolution that starts by passing its inputs through."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[:inputs])
    return layer


def normalization(channels):
    """Return a batch normalization with a learnt bias and a fixed scale of 1."""
    # torch's momentum is the weight of the new batch: 0.4 follows the quickly moving weights
    layer = nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4)
    layer.weight.requires_grad_(False)
    return layer


def gelu(x):
    """Return the tanh form of GELU."""
    return F.gelu(x, approximate="tanh")


class Block(nn.Module):
    """Convolution, 2x2 max-pool and GELU; then a convolution with a shortcut around it."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1, self.norm1 = convolution(inputs, outputs), normalization(outputs)
        self.conv2, self.norm2 = convolution(outputs, outputs), normalization(outputs)

    def forward(self, x):
        x = gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return gelu(x + self.norm2(self.conv2(x)))


class ResNet(nn.Module):
    """Whitening convolution, three blocks, 3x3 max-pool, scaled dense layer."""

    def __init__(self):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.block1, self.block2, self.block3 = Block(24, 64), Block(64, 256), Block(256, 256)
        self.dense = nn.Linear(256, 10, bias=False)

    def forward(self, x):
        x = gelu(self.whiten(x))
        x = self.block3(self.block2(self.block1(x)))
        return self.dense(F.max_pool2d(x, 3).flatten(1)) * LOGIT_SCALE


def set_whitening(layer, images, eps=5e-4):
    """Set the weights to the whitened principal components of the 2x2 patches, each with both signs."""
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
    components = (directions / (variances + eps).sqrt()).T.reshape(12, 3, 2, 2)
    layer.weight.data = torch.cat([components, -components])
    layer.weight.requires_grad_(False)
    nn.init.zeros_(layer.bias)


class Lookahead(nn.Module):
    """A slow average of the network, to which the network is set back every few steps."""

    def __init__(self, model):
        super().__init__()
        self.model = [model]
        for index, value in enumerate(self.values()):
            self.register_buffer(f"slow{index}", value.clone())

    def values(self):
        """Return the network's weights and statistics."""
        return [value for value in self.model[0].state_dict().values() if value.is_floating_point()]

    @torch.no_grad()
    def update(self, decay):
        """Move the average towards the network by 1 - decay, and the network onto the average."""
        for slow, value in zip(self.buffers(), self.values(), strict=True):
            slow.lerp_(value, 1 - decay)
            value.copy_(slow)


def make_optimizer(model):
    """Return SGD whose weight decay does not depend on the learning rate, and fast biases for the normalizations."""
    # The size of a Nesterov step relative to a constant gradient: dividing by it makes momentum and rate independent.
    kilostep = 1024 * (1 + 1 / (1 - MOMENTUM))
    rate, decay = LEARNING_RATE / kilostep, WEIGHT_DECAY * BATCH / kilostep
    biases = [p for name, p in model.named_parameters() if "norm" in name and p.requires_grad]
    others = [p for name, p in model.named_parameters() if "norm" not in name and name != "whiten.weight"]
    return torch.optim.SGD(
        [
            {"params": biases, "lr": rate * BIAS_SPEEDUP, "weight_decay": decay / (rate * BIAS_SPEEDUP)},
            {"params": others, "lr": rate, "weight_decay": decay / rate},
        ],
        momentum=MOMENTUM,
        nesterov=True,
    )


def triangle(step, steps, start=0.2, end=0.07, peak=0.23):
    """Return the learning rate relative to its maximum, which is reached at the fraction `peak` of training."""
    done = step / steps
    return start + (1 - start) * done / peak if done < peak else end + (1 - end) * (1 - done) / (1 - peak)


def measure_statistics(model, images):
    """Measure the normalizations' means and variances in float32: those of training are rounded to bfloat16."""
    for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    with torch.no_grad():
        for x in images.split(1000):
            model(x.contiguous(memory_format=torch.channels_last))
    model.eval()


def chain(model):
    """Return the network as cnnfast layers."""

    def block(part):
        # The scale of norm1 is positive, so it may be folded across the max-pool.
        return (
            export.convolution(part.conv1, part.norm1),
            layers.MaxPool(2),
            layers.Gelu("tanh"),
            layers.Residual([export.convolution(part.conv2, part.norm2)]),
            layers.Gelu("tanh"),
        )

    return [
        export.convolution(model.whiten),
        layers.Gelu("tanh"),
        *block(model.block1),
        *block(model.block2),
        *block(model.block3),
        layers.MaxPool(3),
        layers.Flatten(),
        export.dense(model.dense, scale=LOGIT_SCALE),
    ]


def main():
    """Train, then write the model file."""
    arguments = common.parse_arguments(DESCRIPTION)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    images, labels = common.load(arguments.data, "train")
    test_images, test_labels = common.load(arguments.data, "test")
    images, test_images = (common.normalize(x, PREPROCESS) for x in (images, test_images))
    epochs = arguments.epochs or EPOCHS

    model = ResNet()
    set_whitening(model.whiten, images[:5000])
    model.to(memory_format=torch.channels_last)
    lookahead, optimizer = Lookahead(model), make_optimizer(model)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: triangle(step, steps))

    def run_epoch(epoch):
        model.whiten.bias.requires_grad_(epoch < WHITENING_BIAS_EPOCHS)
        generator = common.epoch_generator(arguments.seed, epoch)
        mirrored = common.mirrored_views(len(images), epoch, arguments.seed)
        views = common.translate(common.mirror(images, mirrored), SHIFT, generator)
        total_loss = total_hits = count = 0
        for x, y in common.shuffled_batches(views, labels, BATCH, generator):
            with torch.autocast("cpu", torch.bfloat16):
                scores = model(x.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(scores.float(), y, label_smoothing=LABEL_SMOOTHING, reduction="sum")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if schedule.last_epoch % 5 == 0:
                lookahead.update(0.95**5 * (schedule.last_epoch / steps) ** 3)
            total_loss += loss.item()
            total_hits += (scores.argmax(1) == y).sum().item()
            count += len(y)
        return total_loss / count, total_hits / count

    def test():
        with torch.autocast("cpu", torch.bfloat16):
            return common.accuracy(model, test_images, test_labels)

    parts = {"model": model, "optimizer": optimizer, "schedule": schedule, "lookahead": lookahead}
    seconds = common.train(parts, epochs, run_epoch, test, arguments.checkpoint, arguments.resume)
    lookahead.update(1.0)
    measure_statistics(model, images[:20_000])
    export.write("cifar10-resnet", DESCRIPTION, export.CIFAR10, chain(model), PREPROCESS, seconds, arguments)


if __name__ == "__main__":
    main()
