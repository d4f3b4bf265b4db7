"""Eight bits from a trained network and some images: calibration, without labels and without training.

`docs/quantization.md` describes it; `cnnfast.quantize` is the entry point.
"""

from cnnfast.quantization.api import quantize
from cnnfast.quantization.result import QuantizeResult
from cnnfast.quantization.sensitivity import Sensitivity

__all__ = ["QuantizeResult", "Sensitivity", "quantize"]
