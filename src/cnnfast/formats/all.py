"""Every format but cnnfast's own; each registers itself, and they are tried in this order."""

import cnnfast.formats.convnetjs
import cnnfast.formats.cs61c
import cnnfast.formats.keras
import cnnfast.formats.litert
import cnnfast.formats.onnx
import cnnfast.formats.weights  # noqa: F401  (each of them registers its formats)
