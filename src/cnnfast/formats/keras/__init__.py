"""Models of Keras 2 and 3: ``.keras``, ``.h5`` and ``.hdf5``, read without Keras, without HDF5's library, as data.

`docs/keras.md` lists the layers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnfast.formats.error_context import error_context, name_of
from cnnfast.formats.keras.archive import sniff
from cnnfast.formats.model import Model
from cnnfast.formats.model_format import ModelFormat, register
from cnnfast.ops import Shape

if TYPE_CHECKING:
    from cnnfast.images.preprocess import Preprocess


def read(
    path: str | os.PathLike[str],
    classes: Sequence[str] | None = None,
    preprocess: Preprocess | str | None = None,
    input_shape: Shape | None = None,
) -> Model:
    """Read a model of Keras.

    Parameters
    ----------
    path : path-like
        What ``model.save()`` wrote.
    classes : sequence of str, optional
        The labels; no file of Keras holds them.
    preprocess : Preprocess or str, optional
        How a picture becomes the input, as a rule or as the name of one of `images.preprocess.MODES`. By default
        Rescaling and Normalization at the start of the network where it has them, bytes as they are where its input
        is of integers, and what Teachable Machine does for a file of its. All other networks take floats until they
        are told: no file states whether its network was trained on 0 to 255, 0 to 1, -1 to 1, or on what
        ``preprocess_input`` makes ("tf", "torch", "caffe").
    input_shape : (C, H, W), optional
        Of one image, for a network that takes images of any size.

    Raises
    ------
    ModelFileError
        If the file is damaged, or holds no model.
    UnsupportedError
        If the model has layers that cnnfast does not run; all of them are listed.
    ConfigError
        For an unknown ``preprocess``.
    """
    # read here: most users have no file of Keras
    from cnnfast.formats.keras.archive import read_archive
    from cnnfast.formats.keras.network import build, takes_integers
    from cnnfast.formats.keras.teachable import RULE, is_teachable_machine
    from cnnfast.formats.pixels import check_preprocess, with_pixels

    check_preprocess(preprocess)
    with error_context(path):
        archive = read_archive(Path(path))
        graph = build(archive, input_shape)
        if preprocess is None and is_teachable_machine(archive.model, *graph.inputs.values()):
            preprocess = RULE
        byte = (1.0, 0.0) if takes_integers(archive.model) else None
        graph, rule = with_pixels(graph, preprocess, byte)
        labels = None if classes is None else tuple(classes)
        return Model(graph, rule, labels, notes={"source": f"Keras {archive.version}, {name_of(path)}"})


FORMAT = register(
    ModelFormat(
        "keras",
        "a model of Keras 2 or 3",
        (".keras", ".h5", ".hdf5"),
        sniff,
        read,
        ("classes", "preprocess", "input_shape"),
    )
)
