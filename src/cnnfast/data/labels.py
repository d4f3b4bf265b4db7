"""Finding a data set's classes among those of a network, by name."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from cnnfast.data.base import Dataset
from cnnfast.errors import DataError

# From strict to lenient: folders may be called "Cats" where the network has "cat".
SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda name: name,
    str.casefold,
    lambda name: name.casefold().removesuffix("s"),
)


def match_class(name: str, classes: Sequence[str]) -> int:
    """Return the index of the class that a name stands for.

    The first of these rules that finds one decides: the same spelling, the same but for upper and lower case, the same
    but for a final "s".

    Raises
    ------
    DataError
        If there is none, or more than one.

    Examples
    --------
    >>> match_class("Cats", ["bird", "cat"])
    1
    """
    found = find_class(name, classes)
    if found is None:
        raise DataError(f"class {name!r} is none of the network's: {', '.join(classes)}; rename it, or leave it out")
    return found


def find_class(name: str, classes: Sequence[str]) -> int | None:
    """Return the index of the class that a name stands for by the rules of `match_class`, or None if there is none.

    Raises
    ------
    DataError
        If there is more than one.

    Examples
    --------
    >>> find_class("Cats", ["bird", "cat"]), find_class("fox", ["bird", "cat"])
    (1, None)
    """
    for spell in SPELLINGS:
        found = [i for i, candidate in enumerate(classes) if spell(candidate) == spell(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise DataError(f"class {name!r} may be any of {[classes[i] for i in found]}; rename it to one of them")
    return None


def relabel(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    """Return a data set with the labels of a network, found by name where the data set names its classes.

    Raises
    ------
    DataError
        If a class of the data set that has images is not one of ``classes``, or a label is out of range.

    Examples
    --------
    >>> from cnnfast.data.arrays import ArraySource
    >>> source = ArraySource(2, str, lambda size: iter(()))
    >>> pets = Dataset("pets", ("cats", "dogs"), np.array([0, 1]), source)
    >>> relabel(pets, ["bird", "dog", "cat"]).labels
    array([2, 1])
    """
    classes = tuple(classes)
    if dataset.labels is None:
        return dataclasses.replace(dataset, classes=classes)
    if dataset.classes is None:
        most = int(dataset.labels.max())
        if most >= len(classes):
            raise DataError(f"{dataset.name}: has the label {most}, but the network has {len(classes)} classes")
        return dataclasses.replace(dataset, classes=classes)
    table = np.zeros(len(dataset.classes), np.int64)
    for used in np.unique(dataset.labels):
        try:
            table[used] = match_class(dataset.classes[used], classes)
        except DataError as error:
            raise DataError(f"{dataset.name}: {error}") from None
    return dataclasses.replace(dataset, classes=classes, labels=table[dataset.labels])


def alike_but_for_case(names: Iterable[object]) -> list[str]:
    """Return a line about classes that only differ in capital letters or spaces, if there are any.

    Examples
    --------
    >>> alike_but_for_case(["Cat", "cat ", "dog"])
    ["warning: these classes are told apart, though their names are nearly the same: 'Cat', 'cat '"]
    """
    together = defaultdict(list)
    for name in map(str, names):
        together[name.strip().casefold()].append(name)
    doubtful = [repr(name) for several in together.values() if len(several) > 1 for name in several]
    told = "warning: these classes are told apart, though their names are nearly the same:"
    return [f"{told} {', '.join(doubtful)}"] if doubtful else []
