"""Probabilities that are probabilities: of the images that get 0.8, eight of ten are right.

`docs/probabilities.md` describes it; `cnnfast.calibrate` is the entry point.
"""

from cnnfast.calibration.api import calibrate
from cnnfast.calibration.measures import Reliability
from cnnfast.calibration.recognizer import Recognizer
from cnnfast.calibration.result import CalibrateResult

__all__ = ["CalibrateResult", "Recognizer", "Reliability", "calibrate"]
