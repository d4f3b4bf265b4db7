"""Give a shipped network the temperature of one that was trained by the same recipe with training images held out.

python models/recipes/temperature.py models/cifar10-cs61c.safetensors --held-out held-out.safetensors

The shipped network has learned from all training images, and the test images are there to measure with, so neither can
say how sure it should be. The other one, of `cnnfast train ... --validation 0.1`, has images that it has not seen.
"""

import argparse
from pathlib import Path

import numpy as np

from cnnfast import Network
from cnnfast.calibration.api import TEMPERATURE, temperature_of, uncalibrated
from cnnfast.calibration.familiarity import NOTE, noted, threshold_in
from cnnfast.calibration.fold import with_scores
from cnnfast.calibration.scores import ending_of


def main():
    """Fold the temperature into the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--held-out", type=Path, required=True, help="the file of the run with held-out images")
    parser.add_argument("--recipe", help="how that run differs, if by more than --validation 0.1")
    arguments = parser.parse_args()

    network, other = uncalibrated(Network.load(arguments.model)), Network.load(arguments.held_out)
    temperature = round(temperature_of(other), 4)
    how = arguments.recipe or "5,000 training images held out"
    notes = {
        **network.notes,
        TEMPERATURE: repr(temperature),
        "calibration": f"temperature {temperature:g}, of a network trained by the same recipe with {how}",
        **noted(round(threshold_in(other.notes), 3)),
    }
    graph = with_scores(ending_of(network), np.array([1 / temperature]))
    Network.from_graph(
        graph, classes=network.class_names, preprocess=network.preprocess, license=network.license, notes=notes
    ).save(arguments.model)
    print(f"{arguments.model}: {notes['calibration']}; {NOTE} {notes[NOTE]}")


if __name__ == "__main__":
    main()
