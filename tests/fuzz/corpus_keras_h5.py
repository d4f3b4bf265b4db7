"""Models of Keras in HDF5, whose library has its own idea of what is damaged."""

from __future__ import annotations

from fuzz.corpora import Corpus


def seeds() -> list[bytes]:
    """Return a small network with a residual connection."""
    from formats.keras.crafted import h5_bytes, layers

    return [h5_bytes(layers())]


CORPUS = Corpus(
    "keras",
    seeds,
    words=(
        b"\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"weight_names",
        b"SNOD",
        b"TREE",
        b"HEAP",
        b'"class_name": "',
        b"null",
    ),
    needs=("h5py",),
)
