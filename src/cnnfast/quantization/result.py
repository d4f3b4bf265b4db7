"""What quantization returns: the network, and an account of what it cost."""

from __future__ import annotations

from collections.abc import Mapping

from cnnfast._frozen import frozen
from cnnfast.network.network import Network
from cnnfast.quantization.sensitivity import Sensitivity
from cnnfast.runtime.notebook import block, table
from cnnfast.runtime.tables import aligned


@frozen
class QuantizeResult:
    """What `quantize` returns.

    Attributes
    ----------
    network : Network
        Of integers.
    images : int
        How many images the figures below come from.
    agreement : float
        Part of them whose most probable class is that of the float network.
    signal_to_noise : float
        Of the scores, in decibels.
    accuracy, float_accuracy : float or None
        Of both networks, where labels were given.
    in_float : mapping of str to str
        Nodes that compute with floats, and why.
    ranges : mapping of str to str
        By which rule the range of each value was found.
    steps : tuple of str
        What was done besides: equalization, bias correction.
    sensitivities : tuple of Sensitivity
        Each layer alone in integers, the most sensitive first.
    """

    network: Network
    images: int
    agreement: float
    signal_to_noise: float
    accuracy: float | None
    float_accuracy: float | None
    in_float: Mapping[str, str]
    ranges: Mapping[str, str]
    steps: tuple[str, ...]
    sensitivities: tuple[Sensitivity, ...]

    def __str__(self) -> str:
        return "\n".join([*self._lines(), "", "layer alone in integers", *aligned(_cells(self.sensitivities))])

    def _repr_html_(self) -> str:
        rows = table(_cells(self.sensitivities))
        return block("cnnfast.QuantizeResult", *self._lines(), inside=rows, folded="each layer alone in integers")

    def _lines(self) -> list[str]:
        images = f"{self.images} image{'s' if self.images > 1 else ''}"
        lines = [f"{images}: {self.agreement:.2%} of the labels agree, {self.signal_to_noise:.1f} dB"]
        if self.accuracy is not None and self.float_accuracy is not None:
            lost = 100 * (self.float_accuracy - self.accuracy)
            lines.append(f"accuracy {self.accuracy:.2%}, in float {self.float_accuracy:.2%}: {lost:.2f} points lost")
        lines.append("also: " + (", ".join(self.steps) or "nothing"))
        lines += [f"in float: {name}: {why}" for name, why in self.in_float.items()]
        return lines


def _cells(rows: tuple[Sensitivity, ...]) -> list[tuple[str, ...]]:
    cells: list[tuple[str, ...]] = [("layer", "dB", "agreement", "accuracy")]
    for row in rows:
        accuracy = "" if row.accuracy is None else f"{row.accuracy:.2%}"
        cells.append((row.layer, f"{row.signal_to_noise:.1f}", f"{row.agreement:.2%}", accuracy))
    return cells
