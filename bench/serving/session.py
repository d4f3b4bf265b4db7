"""The same for both servers around ONNX Runtime: a session, and how a picture becomes its input."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from PIL import Image


class Session:
    """Decodes with Pillow and computes with ONNX Runtime, as its users write it."""

    def __init__(self, path: str, threads: int = 2) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # threads that spin take the CPU from the server itself
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(path, options, ["CPUExecutionProvider"])
        self._labels = json.loads(Path(path).with_suffix(".json").read_text())
        _, self._height, self._width, _ = self._session.get_inputs()[0].shape

    def decode(self, file: bytes) -> np.ndarray:
        """Return pixels (H, W, C)."""
        image = Image.open(io.BytesIO(file)).convert("RGB")
        if image.size != (self._width, self._height):
            image = image.resize((self._width, self._height), Image.Resampling.BILINEAR)
        return np.asarray(image)

    def answers(self, pixels: np.ndarray) -> list[dict[str, Any]]:
        """Return the answer to each of some pictures."""
        rows = self._session.run(None, {"pixels": pixels})[0]
        best = rows.argmax(axis=1)
        return [
            {"label": self._labels[i], "probability": float(row[i])} for i, row in zip(best.tolist(), rows, strict=True)
        ]
