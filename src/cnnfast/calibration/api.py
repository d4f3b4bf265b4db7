"""`calibrate`: a network and labeled images that it has not learned from become one with honest probabilities."""

from __future__ import annotations

import numpy as np

from cnnfast.calibration.familiarity import known_above, noted
from cnnfast.calibration.fits import Scaling, fit_temperature, fit_vector
from cnnfast.calibration.fold import with_scores
from cnnfast.calibration.likelihood import losses_of, probabilities_of
from cnnfast.calibration.measures import Reliability
from cnnfast.calibration.result import CalibrateResult
from cnnfast.calibration.scores import Ending, ending_of, scores_network
from cnnfast.errors import InputError
from cnnfast.formats import Model
from cnnfast.network.class_numbers import class_numbers
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.runtime.arguments import instance, one_of

METHODS = {"temperature": fit_temperature, "vector": fit_vector}
"""How scores may be changed, the simplest first."""

AUTO = "auto"
FOLDS = 5
TEMPERATURE = "temperature"
"""The note of a network that holds by what its scores are divided, all calibrations together."""


def calibrate(
    net: Network,
    images: object,
    labels: object,
    *,
    method: str = AUTO,
    layout: str | None = None,
    threads: int | None = None,
) -> CalibrateResult:
    """Make probabilities of a network right as often as they say.

    Networks that were trained until they were right are too sure, and those that were trained with smoothed labels or a
    teacher not sure enough. The scores before the softmax or sigmoid are divided by a **temperature**, which changes no
    label, or each class gets a factor and a shift (**vector scaling**), which may change some (Guo, Pleiss, Sun and
    Weinberger 2017). Both become part of the last layer, so that the network is as fast as before.

    Parameters
    ----------
    net : Network
        Of floats or of integers.
    images : array-like
        Images that the network has not learned from, as for `Network.forward`: a hundred at least, better a thousand.
    labels : sequence
        The class of each, as its number or its name.
    method : {"auto", "temperature", "vector"}
        With "auto" each class gets its own numbers if that makes the likelihood of images that were not fitted to
        certainly better: by more than two standard errors, in five parts of the images in turn.
    layout, threads
        As for `Network.forward`.

    Returns
    -------
    CalibrateResult
        Its ``network`` also knows above which familiarity 95 % of the images are; see `Recognizer`.

    Raises
    ------
    InputError
        If images or labels do not fit.
    DataError
        If the scores say nothing about the labels.
    UnsupportedError
        If the network gives several answers for each image.

    Examples
    --------
    >>> net = Network.load("cifar10-lenet")
    >>> images = np.random.default_rng(0).integers(0, 256, (200, 32, 32, 3), dtype=np.uint8)
    >>> result = calibrate(net, images, net.predict(images))
    >>> result.changed, result.scaling.method
    (0, 'temperature')
    """
    instance("the network", net, Network, "such as Network.load(...)")
    one_of("method", method, (AUTO, *METHODS))
    ending = ending_of(net)
    scores = scores_of(net, ending, images, layout, threads)
    numbers = class_numbers(net, labels, len(scores))
    if numbers is None:
        raise InputError("calibration needs the label of each image, but labels is None")
    return calibrated(net, ending, scores, numbers, method)


def scores_of(
    net: Network, ending: Ending, images: object, layout: str | None = None, threads: int | None = None
) -> Array:
    """Return the scores of images, float64 (N, K).

    Raises
    ------
    InputError
        If the images do not fit, there are none, or a score is not a number.
    """
    found = scores_network(net, ending).forward(images, layout=layout, threads=threads)
    if not len(found):
        raise InputError("calibration needs labeled images: a hundred at least that were not learned from")
    scores = found.reshape(len(found), -1).astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(bad):
        raise InputError(f"the network's result for image {bad[0]} is not a number; look at its weights")
    return scores


def calibrated(net: Network, ending: Ending, scores: Array, numbers: Array, method: str = AUTO) -> CalibrateResult:
    """Return what `calibrate` does, from the scores of the images and the numbers of their classes."""
    kind = ending.kind
    trials = {name: _without_each(scores, numbers, kind, name) for name in METHODS if method in (AUTO, name)}
    chosen = method if method != AUTO else _better(trials, numbers, kind)
    scaling = METHODS[chosen](scores, numbers, kind)
    before, after = Reliability(), Reliability()
    before.add(numbers, probabilities_of(scores, kind))
    after.add(numbers, probabilities_of(trials[chosen], kind))
    new = scaling(scores)
    changed = probabilities_of(new, kind).argmax(axis=1) != probabilities_of(scores, kind).argmax(axis=1)
    notes = {**net.notes, **_account(net, scaling, before, after), **noted(known_above(new))}
    graph = with_scores(ending, scaling.factor, scaling.shift)
    # features are those of before: only what is behind them has changed
    made = Network(Model(graph, net.preprocess, net.class_names, net.license, notes, net.remembered))
    return CalibrateResult(made, scaling, before, after, int(changed.sum()), known_above(new))


def _without_each(scores: Array, numbers: Array, kind: str, method: str) -> Array:
    """Return the scores of each image after a scaling that was fitted to the others; to all if they are too few."""
    parts = np.arange(len(scores)) % FOLDS
    if len(scores) < 2 * FOLDS:
        return METHODS[method](scores, numbers, kind)(scores)
    # in an order that has nothing to do with the classes, which often come one after the other
    parts = parts[np.random.default_rng(0).permutation(len(scores))]
    found = np.empty_like(scores)
    for part in range(FOLDS):
        aside = parts == part
        found[aside] = METHODS[method](scores[~aside], numbers[~aside], kind)(scores[aside])
    return found


def _better(trials: dict[str, Array], numbers: Array, kind: str) -> str:
    """Return the simplest method, unless the other one is certainly better."""
    gain = losses_of(trials["temperature"], numbers, kind) - losses_of(trials["vector"], numbers, kind)
    error = float(gain.std()) / max(len(gain), 1) ** 0.5
    return "vector" if float(gain.mean()) > 2 * error > 0 else "temperature"


def _account(net: Network, scaling: Scaling, before: Reliability, after: Reliability) -> dict[str, str]:
    """Return what the file says about the calibration."""
    how = "vector scaling"
    stated = {}
    if scaling.temperature is not None:
        how = f"temperature {scaling.temperature:.4f}"
        stated[TEMPERATURE] = repr(scaling.temperature * temperature_of(net))
    text = (
        f"{how}, fitted to {before.images:,} images: expected calibration error {before.calibration_error:.4f} before, "
        f"{after.calibration_error:.4f} after; negative log likelihood {before.negative_log_likelihood:.4f} before, "
        f"{after.negative_log_likelihood:.4f} after"
    )
    return {**stated, "calibration": text}


def temperature_of(net: Network) -> float:
    """Return by what the scores of a network have been divided since it was trained: 1 if that is not stated.

    Examples
    --------
    >>> from cnnfast.layers import Linear
    >>> temperature_of(Network.from_layers([Linear(np.eye(2))], input_shape=(2,), notes={"temperature": "0.5"}))
    0.5
    """
    try:
        found = float(net.notes.get(TEMPERATURE, 1.0))
    except ValueError:
        return 1.0
    return found if 0 < found < float("inf") else 1.0


def uncalibrated(net: Network) -> Network:
    """Return the network as it was trained: what a teacher teaches must not depend on a temperature found later.

    Examples
    --------
    >>> net = Network.load("cifar10-cs61c")
    >>> temperature_of(uncalibrated(net))
    1.0
    """
    temperature = temperature_of(net)
    if temperature == 1:
        return net
    ending = ending_of(net)
    graph = with_scores(ending, np.array([temperature]))
    notes = {key: text for key, text in net.notes.items() if key != TEMPERATURE}
    return Network(Model(graph, net.preprocess, net.class_names, net.license, notes))
