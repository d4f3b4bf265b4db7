"""Modules that need a package which is not installed have no doctests to collect."""

from __future__ import annotations

from importlib.util import find_spec

NEEDS = {
    "torch": "src/cnnfast/formats/torch/*",
    "onnx": "src/cnnfast/formats/onnx/*",
    "pyarrow": "src/cnnfast/arrow/*",
    "prometheus_client": "src/cnnfast/serve/*",
    "mlflow": "src/cnnfast/mlflow.py",
    "pyspark": "src/cnnfast/spark/*",
    "sklearn": "src/cnnfast/sklearn.py",
}
"""Packages that nothing but an optional reader imports, and where."""

collect_ignore_glob = [files for package, files in NEEDS.items() if find_spec(package) is None]
