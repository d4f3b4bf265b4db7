"""What `calibrate` returns: the network, and an account of what it changed."""

from __future__ import annotations

from typing import Any

from cnnfast._frozen import frozen
from cnnfast.calibration.familiarity import KEPT
from cnnfast.calibration.fits import Scaling
from cnnfast.calibration.measures import Reliability
from cnnfast.network.network import Network
from cnnfast.runtime.tables import aligned


@frozen(eq=False)
class CalibrateResult:
    """What `calibrate` returns.

    Attributes
    ----------
    network : Network
        Whose probabilities are right as often as they say.
    scaling : Scaling
        What was done to its scores.
    before, after : Reliability
        Of the images that were given; ``after`` with a scaling that was fitted without the image.
    changed : int
        How many of their labels are others now; none with a temperature.
    known_above : float
        The familiarity above which 95 % of these images are.
    """

    network: Network
    scaling: Scaling
    before: Reliability
    after: Reliability
    changed: int
    known_above: float

    @property
    def temperature(self) -> float | None:
        """By what scores were divided; None if each class has a factor of its own."""
        return self.scaling.temperature

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the network as values that JSON can hold."""
        shift = self.scaling.shift
        return {
            "method": self.scaling.method,
            "temperature": self.temperature,
            "factor": self.scaling.factor.tolist(),
            "shift": None if shift is None else shift.tolist(),
            "images": self.before.images,
            "labels_changed": self.changed,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "known_above": self.known_above,
        }

    def __str__(self) -> str:
        rows = [("", "before", "after")]
        rows += [
            (name, f"{getattr(self.before, field):{form}}", f"{getattr(self.after, field):{form}}")
            for name, field, form in (
                ("accuracy", "accuracy", ".2%"),
                ("mean confidence", "mean_confidence", ".2%"),
                ("expected calibration error", "calibration_error", ".4f"),
                ("negative log likelihood", "negative_log_likelihood", ".4f"),
            )
        ]
        degrees = self.temperature
        what = "a factor and a shift for each class" if degrees is None else f"temperature {degrees:.4f}"
        return "\n".join(
            [
                f"{self.before.images:,} images: {what}; {self.changed:,} labels changed",
                *aligned(rows),
                f"known: a familiarity above {self.known_above:.4f}, which {KEPT:.0%} of these images have",
            ]
        )
