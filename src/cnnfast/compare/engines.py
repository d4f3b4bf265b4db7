"""Other engines, each on the file that it was made for; imported where it is asked for.

PyTorch and Keras run code of the file they are given: that is what the user asks for by naming them.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast._optional import needs
from cnnfast.compare.backends import Backend
from cnnfast.compare.keras import Keras
from cnnfast.errors import CnnfastError, ConfigError
from cnnfast.formats.error_context import error_context
from cnnfast.ops import Array, Shape

OUTPUT = "output"

ELEMENTS: dict[str, np.dtype[Any]] = {
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(int8)": np.dtype(np.int8),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(double)": np.dtype(np.float64),
}
"""What onnxruntime calls the elements of inputs that are not float32."""

BOUND_OF_INTEGERS = 0.2
"""A step of 8 bits is 0.004 of a range; what a network of ten layers rounds adds up to 0.1 of its probabilities."""


def _engine(name: str, package: str) -> Any:
    with needs("this engine", package):
        return import_module(name)


@contextmanager
def _refusing(engine: str, file: object) -> Iterator[None]:
    """Turn whatever an engine raises about a file into an error that names both: they raise what they like."""
    try:
        yield
    except CnnfastError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:400] or type(error).__name__
        raise ConfigError(f"{file}: {engine} does not run this file, so there is nothing to compare: {said}") from error


def _in_pieces(images: Array, count: int | None, run: Callable[[Array], list[Array]]) -> list[Array]:
    """Run images in batches of the size that a file is made for, the last one filled up with zeros."""
    if count is None:
        return run(images)
    pieces = []
    for start in range(0, len(images), count):
        part = images[start : start + count]
        filled = np.concatenate([part, np.zeros((count - len(part), *part.shape[1:]), part.dtype)])
        pieces.append([np.asarray(result)[: len(part)] for result in run(filled)])
    return [np.concatenate(results) for results in zip(*pieces, strict=True)]


def _channels_last(images: Array, shape: Sequence[object]) -> Array:
    """Return images as an engine takes them, which states (N, H, W, C) or (N, C, H, W)."""
    if images.ndim != 4 or len(shape) != 4:
        return images
    sizes = [size for size in shape if isinstance(size, int)]
    is_last = shape[3] == images.shape[1] and shape[1] != images.shape[1] and images.shape[1] in sizes
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1)) if is_last else images


class OnnxRuntime(Backend):
    """onnxruntime on an ONNX file; every value of the file is an output.

    Integers are compared as the real numbers that they stand for, and left out where nothing states what these are.
    """

    def __init__(self, path: Path) -> None:
        onnx, self._runtime = _engine("onnx", "onnx"), _engine("onnxruntime", "onnxruntime")
        self.title = f"onnxruntime on {path}"
        self._path = path
        with _refusing("onnxruntime", path):
            self._model = onnx.load(str(path))
            self.output = self._model.graph.output[0].name
        values = [(node.op_type, name) for node in self._model.graph.node for name in node.output if name]
        self.layers: dict[str, tuple[str, Shape]] = {name: (kind, ()) for kind, name in values}

    def run(self, images: Array, wanted: Sequence[str]) -> dict[str, Array]:
        """Compute values of the file."""
        given = {output.name for output in self._model.graph.output}
        names = [self.output, *(name for name in dict.fromkeys(wanted) if name != self.output)]
        for name in names:
            if name not in given:
                self._model.graph.output.add().name = name
        options = self._runtime.SessionOptions()
        options.log_severity_level = 3
        with _refusing("onnxruntime", self._path):
            session = self._runtime.InferenceSession(
                self._model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        sources = session.get_inputs()
        source = next((s for s in sources if len(s.shape) == images.ndim), sources[0])
        count = source.shape[0] if source.shape and isinstance(source.shape[0], int) else None
        batch = self._as_taken(_channels_last(images, source.shape), source)
        # this engine asks for inputs that nothing reads, too
        others = {s.name: self._nothing(s) for s in sources if s is not source}
        with _refusing("onnxruntime", self._path):
            results = _in_pieces(batch, count, lambda part: session.run(names, {source.name: part} | others))
        arrays = {name: np.asarray(r) for name, r in zip(names, results, strict=True) if np.ndim(r)}
        real = self._real(arrays, images.shape[1:])
        return {name: r for name, r in real.items() if len(r) == len(images)}

    def _as_taken(self, images: Array, source: Any) -> Array:
        """Return images in the type of an input."""
        dtype = ELEMENTS.get(source.type, np.dtype(np.float32))
        taken: Array = images.astype(dtype)
        if dtype.kind in "iu" and not np.array_equal(taken, images):
            raise ConfigError(
                f"{self.title}: the input {source.name!r} takes {dtype}, but the images are other numbers; leave out "
                "--scale, --mean and --std"
            )
        return taken

    def _nothing(self, source: Any) -> Array:
        sizes = [size if isinstance(size, int) else 1 for size in source.shape]
        return np.zeros(sizes, ELEMENTS.get(source.type, np.dtype(np.float32)))

    def _real(self, results: dict[str, Array], shape: Shape) -> dict[str, Array]:
        """Return results as real numbers; those that are integers of an unknown meaning are left out."""
        from cnnfast.formats.onnx import integers_of

        try:
            held = integers_of(self._path, shape)
        except CnnfastError:
            # a file that only this engine can run: its integers mean nothing here
            held = {}
        real = {}
        for name, result in results.items():
            known = held.get(name, (1.0, 0.0) if result.dtype.kind == "f" else None)
            if known is not None:
                scale, zero = known
                real[name] = result if known == (1.0, 0.0) else ((result - zero) * scale).astype(np.float32)
        if self.output not in real:
            raise ConfigError(
                f"{self.title} gives integers of type {results[self.output].dtype}, and nothing in the file states "
                "which real numbers they stand for; compare a file whose output is real"
            )
        return real


class LiteRT(Backend):
    """LiteRT on a .tflite file; the result of each operator is a layer, integers as the numbers that they stand for.

    The output is that of its default kernels; the layers are computed by others, which leave the values in between.
    """

    def __init__(self, path: Path) -> None:
        runtime = _engine("ai_edge_litert.interpreter", "ai-edge-litert")
        from cnnfast.formats.litert.schema import need_tflite, read_model

        need_tflite()
        with error_context(path):
            model = read_model(path)
        self.title = f"LiteRT on {path}"
        with warnings.catch_warnings(), _refusing("LiteRT", path):
            # it warns of the memory that all tensors take, which is what is wanted here
            warnings.simplefilter("ignore")
            self._interpreter = runtime.Interpreter(
                str(path),
                experimental_preserve_all_tensors=True,
                # a delegate computes several operators as one and leaves no results between them
                experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            self._interpreter.allocate_tensors()
            self._usual = runtime.Interpreter(str(path))
            self._usual.allocate_tensors()
        details = {d["index"]: d for d in self._interpreter.get_tensor_details()}
        self._details: dict[str, dict[str, Any]] = {}
        self.layers: dict[str, tuple[str, Shape]] = {}
        for operator in model.operators:
            for index in operator.outputs:
                name = model.tensors[index].name
                self._details[name] = details[index]
                self.layers[name] = operator.kind, ()
        self.output = model.tensors[model.outputs[0]].name
        if any(model.tensors[index].is_quantized for operator in model.operators for index in operator.outputs):
            self.bound = BOUND_OF_INTEGERS
            self.note = (
                "LiteRT rounds the result of each operator to 8 bits in its own way: integers are compared as the "
                "numbers that they stand for"
            )

    def run(self, images: Array, wanted: Sequence[str]) -> dict[str, Array]:
        """Compute tensors of the file."""
        (source,) = self._interpreter.get_input_details()
        names = [self.output, *(name for name in dict.fromkeys(wanted) if name != self.output)]
        batch = _channels_last(images, [int(size) for size in source["shape"]])

        def run(part: Array) -> list[Array]:
            with _refusing("LiteRT", self.title):
                for interpreter in (self._usual, self._interpreter)[: len(names)]:
                    interpreter.set_tensor(source["index"], _quantized(part, source))
                    interpreter.invoke()
            makers = [self._usual, *[self._interpreter] * (len(names) - 1)]
            details = [self._details[name] for name in names]
            return [_real(m.get_tensor(d["index"]), d) for m, d in zip(makers, details, strict=True)]

        results = _in_pieces(batch, int(source["shape"][0]), run)
        return dict(zip(names, results, strict=True))


def _quantized(images: Array, detail: dict[str, Any]) -> Array:
    if detail["dtype"] == np.float32:
        return images
    scale, zero = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    values: Array = np.clip(np.round(images / (scale or 1) + zero), limits.min, limits.max).astype(detail["dtype"])
    return values


def _real(values: Array, detail: dict[str, Any]) -> Array:
    scale, zero = detail["quantization"]
    return values.astype(np.float32) if scale == 0 else (values.astype(np.float32) - zero) * np.float32(scale)


class Torch(Backend):
    """PyTorch on a program of TorchScript or torch.export; its output only."""

    def __init__(self, path: Path) -> None:
        self._torch = _engine("torch", "torch")
        self.title = f"PyTorch on {path}"
        self._module = self._load(path)
        self.output = OUTPUT
        self.layers: dict[str, tuple[str, Shape]] = {OUTPUT: ("module", ())}

    def _load(self, path: Path) -> Any:
        reason = "it is not a zip archive"
        # asked first, because PyTorch prints pages about a file that is not one
        if zipfile.is_zipfile(path):
            try:
                return self._torch.jit.load(str(path), map_location="cpu")
            except RuntimeError:
                pass
            try:
                return self._torch.export.load(str(path)).module()
            # it raises what it likes about a file of another kind
            except Exception as error:
                reason = type(error).__name__
        raise ConfigError(
            f"{path}: PyTorch runs programs of torch.jit.save and torch.export.save; this is neither ({reason}). For a "
            "module in memory compare cnnfast.from_torch(module, …) in Python"
        )

    def run(self, images: Array, wanted: Sequence[str]) -> dict[str, Array]:
        """Compute the output."""
        with self._torch.no_grad(), _refusing("PyTorch", self.title):
            results = _in_pieces(images, None, lambda part: [self._module(self._torch.from_numpy(part)).numpy()])
        return {OUTPUT: results[0]}


ENGINES: dict[str, Callable[[Path], Backend]] = {
    "onnxruntime": OnnxRuntime,
    "litert": LiteRT,
    "keras": Keras,
    "torch": Torch,
}
"""Every engine by its name."""
