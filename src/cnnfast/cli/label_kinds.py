"""What a label is an observation of, as formats of camera traps see it: an animal, a person, a vehicle, or nothing."""

from __future__ import annotations

BLANK = "blank"
WORDS = {
    BLANK: ("blank", "empty", "nothing", "none", "background"),
    "human": ("human", "person", "people", "hunter", "hiker", "man", "woman", "child"),
    "vehicle": (
        "vehicle",
        "car",
        "automobile",
        "truck",
        "bus",
        "motorcycle",
        "bicycle",
        "airplane",
        "ship",
        "boat",
        "train",
    ),
    "unknown": ("unknown", "unsure"),
}
"""Labels of each kind; all others are animals."""


def kind_of(label: str) -> str:
    """Return blank, human, vehicle, unknown or animal.

    Examples
    --------
    >>> kind_of("Empty"), kind_of("truck"), kind_of("red deer")
    ('blank', 'vehicle', 'animal')
    """
    word = label.strip().lower()
    return next((kind for kind, words in WORDS.items() if word in words), "animal")
