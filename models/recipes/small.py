"""How the three small networks are trained: one cycle of Adam on mirrored and shifted images."""

from dataclasses import dataclass

import common
import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Plan:
    """The choices in which the small recipes differ."""

    epochs: int
    batch: int = 128
    rate: float = 0.01
    decay: float = 1e-4
    shift: int = 2
    flip: bool = True


def train(model, plan, images, targets, test, arguments):
    """Train on float images and return the seconds it took.

    Parameters
    ----------
    targets : callable
        Maps the mirrored images' mask, (N,) bool, to the class probabilities to be learnt, (N, classes).
    test : callable
        Returns the accuracy on the test images; only printed.
    """
    epochs = arguments.epochs or plan.epochs
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), plan.rate, weight_decay=plan.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate, epochs * (len(images) // plan.batch))

    def run_epoch(epoch):
        generator = common.epoch_generator(arguments.seed, epoch)
        mirrored = common.mirrored_views(len(images), epoch, arguments.seed) & plan.flip
        views = common.translate(common.mirror(images, mirrored), plan.shift, generator)
        total_loss = total_hits = count = 0
        for x, y in common.shuffled_batches(views, targets(mirrored), plan.batch, generator):
            scores = model(x.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(scores, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total_loss += loss.item() * len(y)
            total_hits += (scores.argmax(1) == y.argmax(1)).sum().item()
            count += len(y)
        return total_loss / count, total_hits / count

    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    return common.train(parts, epochs, run_epoch, test, arguments.checkpoint, arguments.resume)
