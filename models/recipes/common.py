"""What a recipe in PyTorch needs beside the network: the data, views of it, the loop over epochs and checkpoints."""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cnnfast.data import open_dataset


def parse_arguments(description):
    """Return the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder with the official data files")
    parser.add_argument("--out", type=Path, required=True, help="folder that receives the model file")
    parser.add_argument("--checkpoint", type=Path, help="file written after every epoch")
    parser.add_argument("--resume", action="store_true", help="continue from --checkpoint if it exists")
    parser.add_argument("--epochs", type=int, help="train for another number of epochs than the recipe's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


# -- data ------------------------------------------------------------------------------------------------------------


def load(folder, split):
    """Return the "train" or "test" images of CIFAR-10, uint8 (N, C, H, W), and their labels."""
    dataset = open_dataset(folder, split=split)
    images = np.concatenate([batch.images for batch in dataset.batches(10_000)])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(dataset.labels)


def normalize(images, preprocess):
    """Return the values that cnnfast will compute from these bytes, as float32."""
    factor, shift = (torch.from_numpy(v).view(1, -1, 1, 1) for v in preprocess.affine())
    return images.float() * factor + shift


def translate(images, most, generator):
    """Return every image shifted by up to `most` pixels each way; the border is a reflection."""
    count, _, height, width = images.shape
    padded = F.pad(images, (most,) * 4, mode="reflect")
    rows, columns = torch.randint(0, 2 * most + 1, (2, count), generator=generator)
    shifted = torch.empty_like(images)
    for row in range(2 * most + 1):
        for column in range(2 * most + 1):
            chosen = (rows == row) & (columns == column)
            shifted[chosen] = padded[chosen, :, row : row + height, column : column + width]
    return shifted


def mirrored_views(count, epoch, seed):
    """Return which images this epoch mirrors, so that any two consecutive epochs show both views of each.

    A fresh coin per image and epoch would show one view twice half of the time (Jordan 2024, arXiv 2404.00498).
    """
    coin = torch.rand(count, generator=torch.Generator().manual_seed(seed)) < 0.5
    return coin ^ bool(epoch % 2)


def mirror(images, chosen):
    """Return the images, the chosen ones with left and right exchanged."""
    return torch.where(chosen.view(-1, 1, 1, 1), images.flip(-1), images)


def shuffled_batches(images, labels, size, generator):
    """Yield (images, labels) of the whole batches of one epoch, in random order."""
    order = torch.randperm(len(images), generator=generator)
    for chosen in order[: len(images) // size * size].split(size):
        yield images[chosen], labels[chosen]


def epoch_generator(seed, epoch):
    """Return the random numbers of one epoch: a resumed run repeats what an uninterrupted one would have drawn."""
    return torch.Generator().manual_seed(1_000_003 * seed + epoch)


# -- training --------------------------------------------------------------------------------------------------------


def accuracy(model, images, labels, batch=500):
    """Return the fraction of images that the model, in evaluation mode, puts into their class."""
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        batches = zip(images.split(batch), labels.split(batch), strict=True)
        hits = sum((model(x).argmax(1) == y).sum().item() for x, y in batches)
    model.train(was_training)
    return hits / len(images)


def train(parts, epochs, run_epoch, test, checkpoint=None, resume=False, test_every=4):
    """Call `run_epoch(epoch) -> (loss, accuracy)` for every epoch, saving `parts` after each.

    Parameters
    ----------
    parts : dict
        Everything with `state_dict` and `load_state_dict` that a resumed run needs.
    test : callable
        Returns the accuracy on the test images; only printed, no decision depends on it.
    """
    first, spent = 0, 0.0
    if resume and checkpoint and checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        first, spent = saved["epoch"], saved["seconds"]
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    for epoch in range(first, epochs):
        start = time.perf_counter()
        loss, hits = run_epoch(epoch)
        spent += time.perf_counter() - start
        line = f"epoch {epoch + 1:3}/{epochs}  {spent:7.1f} s  loss {loss:.4f}  train {hits:.4f}"
        if (epoch + 1) % test_every == 0:
            line += f"  test {test():.4f}"
        print(line, flush=True)
        if checkpoint:
            save_checkpoint(checkpoint, parts, epoch + 1, spent)
    return spent


def save_checkpoint(path, parts, epoch, seconds):
    """Write a checkpoint so that an interruption never leaves half a file."""
    partial = path.with_suffix(".partial")
    torch.save(
        {name: part.state_dict() for name, part in parts.items()} | {"epoch": epoch, "seconds": seconds}, partial
    )
    partial.replace(path)
