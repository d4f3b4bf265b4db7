"""Names and shapes of weights → the text of a network that they might belong to, ready to be pasted and corrected."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cnnfast.formats.weights.fit import FILTERS, Tensors, layers_of
from cnnfast.ops import Shape

DEEPEST = 40
"""Convolutions, up to which pools are looked for."""
LONGEST = 2400
"""Characters of layers; a message is cut at 4,000."""
SIZES = (32, 28, 224, 64, 96, 128, 48, 56, 100, 150, 160, 256, 227, 299, 84, 50, 192, 384, 512)
"""Of images, in the order in which they are tried; the second first where there is one channel."""


@dataclass(eq=False, repr=False)
class Part:
    """One layer of the file.

    Attributes
    ----------
    name : str
    tensors : list of str
        Weight first.
    shape : tuple
        Of the weight, as (OC, C, KH, KW) or (O, F).
    """

    name: str
    tensors: list[str]
    shape: Shape

    @property
    def kind(self) -> str:
        """What its names and shapes say that it is."""
        ranks = {4: "conv", 2: "dense"}
        if len(self.shape) == 1:
            return "batch norm" if any("mean" in name.rpartition(".")[2] for name in self.tensors) else "norm"
        return ranks.get(len(self.shape), "unknown")


@dataclass(eq=False, repr=False)
class SkeletonChain:
    """Layers one after the other, and those that have no place in it."""

    parts: list[Part] = field(default_factory=list)
    left: list[Part] = field(default_factory=list)

    @property
    def convs(self) -> list[Part]:
        """The convolutions."""
        return [part for part in self.parts if part.kind == "conv"]

    @property
    def features(self) -> tuple[int, int] | None:
        """The channels behind the convolutions, and what the first dense layer reads; None without both."""
        dense = [part for part in self.parts if part.kind == "dense"]
        return (self.convs[-1].shape[0], dense[0].shape[1]) if dense and self.convs else None


@dataclass(eq=False, repr=False)
class Guess:
    """What the file does not state.

    Attributes
    ----------
    size : int
        Of the image.
    same : bool
        Whether padding keeps it, where kernels are odd.
    pools : list of bool
        Behind which convolutions there is one.
    fits : bool
        Whether with these the first dense layer has the features that it reads.
    """

    size: int
    same: bool
    pools: list[bool]
    fits: bool


def skeleton(tensors: Tensors, path: Path, key: str | None, filters: str = "oihw") -> str:
    """Return a program that makes a network of the tensors of a file.

    What a file of weights does not state is guessed: the size of the image, padding, pools, activations, branches. The
    program runs as it is. Without any layer that it could begin with, the result is empty.
    """
    chain = _chained(_parts(tensors, filters))
    if not chain.parts:
        return ""
    guess = _guess(chain)
    lines, used = _lines(chain, guess, filters)
    where = f"{str(path)!r}" + (f", key={key!r}" if key else "")
    first = chain.parts[0].shape[1]
    shape = (first, guess.size, guess.size) if chain.convs else (first,)
    return "\n".join(
        [
            "import cnnfast",
            f"from cnnfast.layers import {', '.join(sorted(used))}",
            f"w = cnnfast.load_weights({where})",
            "net = cnnfast.Network.from_layers([",
            *lines,
            f"], input_shape={shape})",
        ]
    )


def _parts(tensors: Tensors, filters: str) -> list[Part]:
    parts = []
    for layer, names in layers_of(tensors).items():
        # names without a dot tell nothing about layers
        for name, members in [(layer, names)] if layer else [(name, [name]) for name in names]:
            shape = tensors[members[0]].shape
            if len(shape) == 4:
                shape = tuple(shape[axis] for axis in FILTERS[filters])
            elif len(shape) == 2 and filters == "hwio":
                shape = shape[::-1]
            parts.append(Part(name, members, shape))
    return parts


def _chained(parts: Sequence[Part]) -> SkeletonChain:
    """Put layers one after the other wherever their sizes allow it; containers may sort them by name."""
    chain, left = SkeletonChain(), list(parts)
    while (following := _next(chain, left)) is not None:
        chain.parts.append(following)
        left.remove(following)
    # one number for each output belongs to a loss rather than to the end of a network
    while chain.parts and chain.parts[-1].kind == "norm" and len(chain.parts[-1].tensors) == 1:
        left.append(chain.parts.pop())
    chain.left = left
    return chain


def _next(chain: SkeletonChain, left: Sequence[Part]) -> Part | None:
    kinds = ("batch norm", "norm", "conv", "dense")
    for kind in kinds:
        for part in left:
            if part.kind == kind and _follows(chain, part):
                return part
    return None


def _follows(chain: SkeletonChain, part: Part) -> bool:
    if 0 in part.shape:
        return False  # no layer has an empty axis
    before = [other for other in chain.parts if other.kind in ("conv", "dense")]
    if not before:
        return part.kind in ("conv", "dense")
    count, last = before[-1].shape[0], chain.parts[-1]
    if part.kind in ("batch norm", "norm"):
        return last is before[-1] and part.shape == (count,)
    if part.kind == "conv":
        return (
            before[-1].kind == "conv" and count % part.shape[1] == 0 and part.shape[0] % (count // part.shape[1]) == 0
        )
    return part.shape[1] == count if before[-1].kind == "dense" else part.shape[1] % count == 0


def _guess(chain: SkeletonChain) -> Guess:
    """Return a size of the image, padding and pools with which the dense layer reads what it should."""
    convs = chain.convs
    first = convs[0].shape[1] if convs else 0
    sizes = (28, *(size for size in SIZES if size != 28)) if first == 1 else SIZES
    nothing = Guess(sizes[0], True, [False] * len(convs), False)
    channels, features = chain.features or (1, 1)
    side = math.isqrt(features // channels)
    square = all(part.shape[2] == part.shape[3] for part in convs)
    if features == channels or side**2 * channels != features or not square or len(convs) > DEEPEST:
        return nothing
    kernels = [part.shape[2] for part in convs]
    for size in sizes:
        for same in (True, False):
            pools = _pools(kernels, size, same, side)
            if pools is not None:
                return Guess(size, same, pools, True)
    return nothing


def _pools(kernels: Sequence[int], size: int, same: bool, wanted: int) -> list[bool] | None:
    """Return behind which convolutions a pool leads from one size to another; the first ones are preferred."""
    dead: set[tuple[int, int]] = set()

    def search(place: int, here: int) -> list[bool] | None:
        if place == len(kernels):
            return [] if here == wanted else None
        kernel = kernels[place]
        behind = here + (kernel // 2 * 2 if same else 0) - kernel + 1
        if (place, here) in dead or behind < wanted:
            return None
        for pool in (True, False):
            rest = search(place + 1, behind // 2 if pool else behind)
            if rest is not None:
                return [pool, *rest]
        dead.add((place, here))
        return None

    return search(0, size)


def _lines(chain: SkeletonChain, guess: Guess, filters: str) -> tuple[list[str], set[str]]:
    lines: list[str] = []
    used: set[str] = set()

    def add(layer: str, comment: str = "") -> None:
        used.add(layer.partition("(")[0])
        lines.append(f"    {layer}," + (f"  # {comment}" if comment else ""))

    place = channels = 0
    for number, part in enumerate(chain.parts):
        if number and part.kind in ("conv", "dense"):
            add("Relu()")
            if channels and guess.pools[place - 1]:
                add("MaxPool(2)")
        if channels and part.kind == "dense":
            _flatten(add, chain, guess)
            channels = 0
        add(_layer(part, channels, guess, filters), _told(part))
        if part.kind == "conv":
            place, channels = place + 1, part.shape[0]
        if sum(map(len, lines)) > LONGEST and number + 1 < len(chain.parts):
            lines.append(f"    # and {len(chain.parts) - number - 1} more layers")
            break
    if chain.left:
        names = ", ".join(f"{part.name} {part.shape}" for part in chain.left[:8])
        lines.append(f"    # no place in a chain, perhaps branches: {names!r:.300}")
    return lines, used


def _flatten(add: Callable[[str, str], None], chain: SkeletonChain, guess: Guess) -> None:
    channels, features = chain.features or (1, 1)
    if features == channels:
        add("GlobalAvgPool()", "")
    elif not guess.fits:
        area = features // channels
        side = math.isqrt(area)
        add(f"Resize({(side, side) if side * side == area else (1, area)})", "in place of pools or strides")
    add("Flatten()", "")


def _layer(part: Part, channels: int, guess: Guess, filters: str) -> str:
    named = {name.rpartition(".")[2]: f"w[{name!r}]" for name in part.tensors}
    given = list(named.values())
    if part.kind in ("conv", "dense") and filters != "oihw":
        axes = FILTERS[filters] if part.kind == "conv" else (1, 0)
        if part.kind == "conv" or filters == "hwio":
            given[0] += f".transpose{axes}"
    if part.kind == "conv":
        groups = channels // part.shape[1] if channels else 1
        padding = tuple(k // 2 for k in part.shape[2:]) if guess.same else (0, 0)
        around = padding[0] if padding[0] == padding[1] else padding
        more = (f", padding={around}" if around else "") + (f", groups={groups}" if groups > 1 else "")
        return f"Conv2d({', '.join(given[:2])}{more}, name={part.name!r})"
    if part.kind == "dense":
        return f"Linear({', '.join(given[:2])}, name={part.name!r})"
    if part.kind == "batch norm" and len(given) >= 4:
        return f"BatchNorm({', '.join(given[:4])}, name={part.name!r})"
    if part.kind == "norm" and len(given) == 2:
        return f"{'GroupNorm(1, ' if channels else 'LayerNorm('}{', '.join(given)}, name={part.name!r})"
    if part.kind == "norm" and len(given) == 1:
        return f"PRelu({given[0]}, name={part.name!r})"
    return f"Identity(name={part.name!r})"


def _told(part: Part) -> str:
    shape = part.shape
    if part.kind == "conv":
        return f"{shape[1]} -> {shape[0]}, {shape[2]}x{shape[3]}"
    if part.kind == "dense":
        return f"{shape[1]} -> {shape[0]}"
    return {"norm": "which norm?", "batch norm": "" if len(part.tensors) > 3 else "without scale?"}.get(part.kind, "")
