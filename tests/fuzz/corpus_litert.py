"""Models of LiteRT, a flatbuffer: a file of offsets, each of which may point anywhere."""

from __future__ import annotations

from fuzz.corpora import Corpus


def seeds() -> list[bytes]:
    """Return a float and a quantized network."""
    from formats.litert.crafted import model_bytes, network

    return [model_bytes(*network()), model_bytes(*network(quantized=True))]


CORPUS = Corpus(
    "litert",
    seeds,
    words=(
        b"TFL3",
        b"\xff\xff\xff\x7f",
        b"\x00\x00\x00\x80",
        b"\xff\xff\xff\xff",
        b"\x04\x00\x00\x00",
        b"\x00\x00\x00\x00",
    ),
    needs=("tflite",),
)
