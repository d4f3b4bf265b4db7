"""ncnn, of Tencent, from files that its own converter pnnx makes of ONNX."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import ncnn
import numpy as np
from networks import Bench

from peers.graphs import Normalize
from peers.to_onnx import onnx_model
from peers.ways import Way

PACKAGES = ("ncnn", "pnnx")


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of ncnn: a batch at once, and image after image with its own normalization."""
    net = ncnn.Net()
    _set_options(net.opt, threads)
    _load(net, bench)
    return {"batch": _batched(net, Normalize(bench, batch)), "image by image": _one_by_one(net, bench)}


def _set_options(options: ncnn.Option, threads: int) -> None:
    options.num_threads = threads
    options.use_vulkan_compute = False
    for name in ("fp16_storage", "fp16_packed", "fp16_arithmetic", "bf16_storage", "bf16_packed"):
        setattr(options, f"use_{name}", False)


def _batched(net: ncnn.Net, normalize: Normalize) -> Way:
    def run(pictures: np.ndarray) -> np.ndarray:
        with net.create_extractor() as extractor:
            extractor.input("in0", ncnn.Mat(normalize(pictures), batch_index=0))
            _, result = extractor.extract("out0")
            return result.numpy(batch_index=0).reshape(len(pictures), -1).copy()

    return run


def _one_by_one(net: ncnn.Net, bench: Bench) -> Way:
    c, h, w = bench.preprocess.shape
    pixel_type = ncnn.Mat.PixelType.PIXEL_RGB if c == 3 else ncnn.Mat.PixelType.PIXEL_GRAY
    factor, shift = (values.tolist() for values in bench.preprocess.affine())
    mean = [-s / f for f, s in zip(factor, shift, strict=True)]

    def run(pictures: np.ndarray) -> np.ndarray:
        results = []
        for picture in pictures:
            image = ncnn.Mat.from_pixels(picture, pixel_type, w, h)
            image.substract_mean_normalize(mean, factor)
            with net.create_extractor() as extractor:
                extractor.input("in0", image)
                _, result = extractor.extract("out0")  # its memory lives as long as the name
                results.append(result.numpy().ravel().copy())
        return np.stack(results)

    return run


def _load(net: ncnn.Net, bench: Bench) -> None:
    """Convert a network, in float32, and read the result."""
    converter = Path(sys.executable).with_name("pnnx")
    with TemporaryDirectory() as folder:
        Path(folder, "model.onnx").write_bytes(onnx_model(bench, 1, pixels=False).SerializeToString())
        subprocess.run([converter, "model.onnx", "fp16=0"], cwd=folder, check=True, capture_output=True)
        net.load_param(f"{folder}/model.ncnn.param")
        net.load_model(f"{folder}/model.ncnn.bin")
