"""A network as an ONNX file that takes pixels, with its labels next to it, for the servers around ONNX Runtime."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
from peers.to_onnx import onnx_model

from cnnfast import Network


def export(net: Network, path: Path) -> None:
    """Write both files."""
    described: Any = SimpleNamespace(id=path.stem, preprocess=net.preprocess, network=lambda: net)
    onnx.save(onnx_model(described, "N", pixels=True), path)
    path.with_suffix(".json").write_text(json.dumps(net.classes_.tolist()))
