"""Every public entry called with the wrong kind of thing: an error of ours, or Python's own about the signature.

The table is entries times things. A thing may be right for an entry by chance; nothing else than errors may be raised.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import pathlib
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import cnnfast
from cnnfast import CnnfastError, Network, Preprocess, layers, ops, train
from cnnfast.ops.quantized import QUANTIZED_OPS

Entry = Callable[[Any], object]


class Nothing:
    """A class from another package."""


class Hostile:
    """An object whose every use raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(f"no {name}")


def generator() -> Iterator[int]:
    yield 1


THINGS: dict[str, Callable[[], object]] = {
    "None": lambda: None,
    "int": lambda: 7,
    "negative": lambda: -3,
    "float": lambda: 1.5,
    "nan": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "bool": lambda: True,
    "huge": lambda: 2**70,
    "minus huge": lambda: -(2**70),
    "complex": lambda: 1j,
    "text": lambda: "word",
    "no text": lambda: "",
    "text with NUL": lambda: "a\0b",
    "long text": lambda: "x" * 5000,
    "surrogate": lambda: "\udcff",
    "bytes": lambda: b"bytes",
    "list of text": lambda: ["a", "b"],
    "empty list": list,
    "ragged": lambda: [[1, 2], [3]],
    "huge in a list": lambda: [2**70],
    "tuple": lambda: (1, 2, 3, 4, 5),
    "set": lambda: {1},
    "dict": lambda: {"a": 1},
    "empty dict": dict,
    "class": lambda: Nothing,
    "instance": Nothing,
    "hostile": Hostile,
    "function": lambda: lambda: 0,
    "module": lambda: os,
    "generator": generator,
    "folder": lambda: ".",
    "folder as path": lambda: pathlib.Path(),
    "objects": lambda: np.array([None, Nothing], object),
    "complex array": lambda: np.ones((2, 3, 3, 3), complex),
    "number of no axes": lambda: np.array(3.0),
    "empty array": lambda: np.zeros((0,)),
    "nan array": lambda: np.full((2, 3, 8, 8), np.nan, np.float32),
    "five axes": lambda: np.zeros((1, 2, 3, 4, 5), np.float32),
    "text array": lambda: np.array(["a", "b"]),
}

NET = Network.load("mnist-mlp")
PIXELS = np.zeros((2, 28, 28), np.uint8)
ROWS, NUMBERS = np.random.default_rng(0).random((12, 4), np.float32), np.arange(12) % 3
ONE_EPOCH = train.Recipe(epochs=1)


def small() -> Network:
    return Network.from_layers([layers.Linear(np.eye(3, 4))], (4,))


def with_threads(n: Any) -> None:
    with cnnfast.threads(n):
        pass


def set_threads(n: Any) -> None:
    try:
        cnnfast.set_num_threads(n)
    finally:
        cnnfast.set_num_threads(None)


def set_pixels(n: Any) -> None:
    """Set the largest size of pictures and set it back."""
    before = cnnfast.get_max_pixels()
    try:
        cnnfast.set_max_pixels(n)
    finally:
        cnnfast.set_max_pixels(before)


def of_networks() -> Iterator[tuple[str, Entry]]:
    yield "load", Network.load
    yield "load architecture=", lambda x: Network.load("mnist-mlp", architecture=x)
    for way in (Network.from_layers, Network.build):
        name = way.__name__
        yield f"{name} layers", lambda x, way=way: way(x, (3, 8, 8))
        yield f"{name} [layer]", lambda x, way=way: way([x], (3, 8, 8))
        yield f"{name} shape", lambda x, way=way: way([layers.Relu()], x)
        yield f"{name} (size,)", lambda x, way=way: way([layers.Relu()], (x,))
    for option in ("classes", "preprocess", "license", "notes"):
        yield f"from_layers {option}=", lambda x, o=option: Network.from_layers([layers.Relu()], (3,), **{o: x})
    yield "from_graph", Network.from_graph
    yield "truncate", NET.truncate
    yield "with_head classes", NET.with_head
    yield "with_head layers", lambda x: NET.with_head(["a", "b"], x)
    yield "with_head [layer]", lambda x: NET.with_head(["a", "b"], [x])
    yield "with_head layer=", lambda x: NET.with_head(["a", "b"], layer=x)
    yield "with_head seed=", lambda x: NET.with_head(["a", "b"], seed=x)
    yield "save", NET.save
    yield "explain small_batch=", lambda x: NET.explain(small_batch=x)


def of_calls() -> Iterator[tuple[str, Entry]]:
    for name in ("forward", "predict_proba", "predict", "topk", "features"):
        method = getattr(NET, name)
        yield name, method
        for option in sorted(set(inspect.signature(method).parameters) - {"images"}):
            yield f"{name} {option}=", lambda x, m=method, o=option: m(PIXELS, **{o: x})
    for option in inspect.signature(NET.compile).parameters:
        yield f"compile {option}=", lambda x, o=option: NET.compile(**{o: x})
    fast = NET.compile(batch=2)
    yield "compiled", fast
    yield "compiled out=", lambda x: fast(PIXELS, x)
    yield "stream", lambda x: list(NET.stream(x))
    yield "stream [item]", lambda x: list(NET.stream([x]))
    for option in sorted(set(inspect.signature(NET.stream).parameters) - {"images"}):
        yield f"stream {option}=", lambda x, o=option: list(NET.stream([PIXELS[0]], **{o: x}))
    yield "classify", NET.classify
    yield "classify [item]", lambda x: NET.classify([x])
    for option in sorted(set(inspect.signature(NET.classify).parameters) - {"pictures"}):
        yield f"classify {option}=", lambda x, o=option: NET.classify(PIXELS, **{o: x})


def of_pictures() -> Iterator[tuple[str, Entry]]:
    rule = Preprocess((8, 8))
    for field in dataclasses.fields(Preprocess):  # type: ignore[arg-type]
        yield f"Preprocess {field.name}=", lambda x, n=field.name: Preprocess(**{"size": (8, 8), n: x})
    yield "Preprocess()", rule
    yield "Preprocess() dtype", lambda x: rule(np.zeros((1, 8, 8, 3), np.uint8), x)
    yield "Preprocess.from_dict", Preprocess.from_dict
    yield "Preprocess.fits", rule.fits
    yield "read_picture", lambda x: cnnfast.read_picture(x, rule)
    yield "read_pictures", lambda x: list(cnnfast.read_pictures(x, rule))
    yield "read_pictures [path]", lambda x: list(cnnfast.read_pictures([x], rule))
    yield "read_picture preprocess", lambda x: cnnfast.read_picture(b"GIF89a", x)
    yield "read_pictures preprocess", lambda x: list(cnnfast.read_pictures(["a.png"], x))
    yield "fit_images", lambda x: cnnfast.fit_images(x, rule)
    yield "fit_images preprocess", lambda x: cnnfast.fit_images(np.zeros((2, 9, 9, 3), np.uint8), x)
    yield "set_max_pixels", set_pixels
    yield "find_pictures", cnnfast.find_pictures
    yield "find_pictures [path]", lambda x: cnnfast.find_pictures([x])


def of_the_rest() -> Iterator[tuple[str, Entry]]:
    yield "open_dataset", cnnfast.open_dataset
    yield "open_dataset classes", lambda x: cnnfast.open_dataset(".", x)
    yield "open_dataset split", lambda x: cnnfast.open_dataset(".", None, x)
    yield "download", cnnfast.download
    yield "threads", with_threads
    yield "set_num_threads", set_threads
    yield "show_config", cnnfast.show_config
    yield "load_weights", cnnfast.load_weights
    yield "from_torch", lambda x: cnnfast.from_torch(x, (3, 8, 8))
    yield "architectures.build", cnnfast.architectures.build


def of_layers() -> Iterator[tuple[str, Entry]]:
    for name, factory in vars(layers).items():
        if name[0].isupper() and isinstance(factory, types.FunctionType | type) and _makes_layers(factory):
            yield f"{name}(x)", factory
            yield f"{name}(x, x)", lambda x, f=factory: f(x, x)
            yield f"{name}(name=x)", lambda x, f=factory: f(name=x)
            yield f"{name} in a network", lambda x, f=factory: Network.from_layers([f(x)], (3, 8, 8))


def _makes_layers(factory: Any) -> bool:
    made = factory.__module__.startswith(layers.__name__) and factory is not layers.Layer
    return made and "name" in inspect.signature(factory).parameters


def of_ops() -> Iterator[tuple[str, Entry]]:
    for name, op in {**ops.OPS, **QUANTIZED_OPS}.items():
        for field in dataclasses.fields(op):  # type: ignore[arg-type]
            yield f"{name} {field.name}=", lambda x, op=op, n=field.name: op(**{n: x})


def of_training() -> Iterator[tuple[str, Entry]]:
    yield "fit", lambda x: train.fit(x, (ROWS, NUMBERS), ONE_EPOCH, progress=False)
    yield "fit data", lambda x: train.fit(small(), x, ONE_EPOCH, progress=False)
    yield "fit images", lambda x: train.fit(small(), (x, NUMBERS), ONE_EPOCH, progress=False)
    yield "fit labels", lambda x: train.fit(small(), (ROWS, x), ONE_EPOCH, progress=False)
    for option, parameter in inspect.signature(train.fit).parameters.items():
        if parameter.kind == parameter.KEYWORD_ONLY and option != "report":
            options = {"progress": False} if option != "progress" else {}
            yield (
                f"fit {option}=",
                lambda x, o=option, k=options: train.fit(small(), (ROWS, NUMBERS), ONE_EPOCH, **k, **{o: x}),
            )
    yield "fit recipe", lambda x: train.fit(small(), (ROWS, NUMBERS), x, progress=False)
    for name in train.__all__:
        thing = getattr(train, name)
        if dataclasses.is_dataclass(thing) and name not in ("Examples", "FitResult"):
            for field in dataclasses.fields(thing):
                yield f"{name} {field.name}=", lambda x, t=thing, n=field.name: t(**{n: x})
        elif isinstance(thing, types.FunctionType) and name not in ("fit", "feature_cache"):
            yield name, thing
            yield f"{name}(x, x)", lambda x, f=thing: f(x, x)


def of_quantization() -> Iterator[tuple[str, Entry]]:
    yield "quantize", lambda x: cnnfast.quantize(x, PIXELS)
    yield "quantize images", lambda x: cnnfast.quantize(NET, x)
    for option in sorted(set(inspect.signature(cnnfast.quantize).parameters) - {"net", "images"}):
        yield f"quantize {option}=", lambda x, o=option: cnnfast.quantize(NET, PIXELS, **{o: x})


def of_calibration() -> Iterator[tuple[str, Entry]]:
    yield "calibrate", lambda x: cnnfast.calibrate(x, PIXELS, [0, 1])
    yield "calibrate images", lambda x: cnnfast.calibrate(NET, x, [0, 1])
    yield "calibrate labels", lambda x: cnnfast.calibrate(NET, PIXELS, x)
    for option in sorted(set(inspect.signature(cnnfast.calibrate).parameters) - {"net", "images", "labels"}):
        yield f"calibrate {option}=", lambda x, o=option: cnnfast.calibrate(NET, PIXELS, [0, 1], **{o: x})


GROUPS = (
    *(of_networks, of_calls, of_pictures, of_the_rest, of_layers, of_ops, of_training, of_quantization),
    of_calibration,
)
ENTRIES = {f"{group.__name__}: {name}": entry for group in GROUPS for name, entry in group()}
SIGNATURE = re.compile(r"takes (from )?\d+|missing \d+ required|unexpected keyword|multiple values|keyword-only")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ENTRIES)
def test_wrong_things_are_errors_of_ours(name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNNFAST_CACHE", str(tmp_path))
    foreign = []
    for thing, make in THINGS.items():
        try:
            ENTRIES[name](make())
        except CnnfastError:
            continue
        except TypeError as error:
            if not SIGNATURE.search(str(error)):
                foreign.append(f"{thing}: {error!r}")
        except Exception as error:
            foreign.append(f"{thing}: {error!r}"[:300])
    assert not foreign, "\n".join(foreign)
