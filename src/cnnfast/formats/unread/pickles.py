"""Objects of Python: loading them runs code, so they are recognized by the names in them and never loaded."""

from __future__ import annotations

from collections.abc import Callable

from cnnfast.formats.unread.kind import Kind


def _is_pickle(head: bytes) -> bool:
    """Protocol 2 to 5, or a name of a class in the older text form."""
    return (head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")) or head.startswith(
        (b"ccopy_reg\n", b"csklearn", b"c__builtin__\n", b"cnumpy")
    )


def _of(*names: bytes) -> Callable[[bytes], bool]:
    return lambda head: _is_pickle(head) and any(name in head for name in names)


KINDS = (
    Kind(
        "a pickled estimator of scikit-learn",
        ": export it where it was trained, `skl2onnx.to_onnx(estimator, X[:1])`, and load that with output=NAME of its "
        "probabilities",
        _of(b"sklearn"),
    ),
    Kind(
        "a pickled model of Keras",
        ': load it where it was made and save it, `model.save("net.keras")`',
        _of(b"keras", b"tensorflow"),
    ),
    Kind(
        "a pickle of Python, whose loading would run code",
        ": load it where it was made, and save the network as ONNX, its weights as .safetensors, or arrays as .npz",
        _is_pickle,
    ),
)
