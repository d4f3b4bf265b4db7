"""Labels as a user gives them → the number of each class."""

from __future__ import annotations

import numpy as np

from cnnfast.errors import InputError
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.runtime.arguments import is_whole, listed, quoted


def class_numbers(net: Network, labels: object, images: int) -> Array | None:
    """Return the number of each image's class; labels may be such numbers, or elements of `Network.classes_`.

    Raises
    ------
    InputError
        If there are not as many as images, or one is unknown.
    """
    if labels is None:
        return None
    given = listed("labels", labels, InputError)
    if len(given) != images:
        raise InputError(f"there must be a label for each image, but there are {images} images and {len(given)} labels")
    names = net.classes_.tolist()
    by_number = all(is_whole(label) for label in given)
    known = {label: number for number, label in enumerate(range(len(names)) if by_number else names)}
    for label in given:
        if not (isinstance(label, str) or is_whole(label)) or label not in known:
            raise InputError(
                f"the label {quoted(label)} is not one of this network's, which are {quoted(names)}, "
                f"or as numbers 0 to {len(names) - 1}"
            )
    return np.array([known[label] for label in given])
