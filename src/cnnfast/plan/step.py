"""A step: one call of one kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from cnnfast._frozen import field, frozen
from cnnfast.ops import Array


class Packed:
    """Weights in the order in which a kernel reads them, packed when the first step asks for them.

    Attributes
    ----------
    nbytes : int
        What they take.
    """

    def __init__(self, pack: Callable[[], Array], nbytes: int) -> None:
        self._pack, self.nbytes = pack, nbytes

    def __call__(self) -> Array:
        """Return the weights: to every step the same array."""
        return self._array

    @cached_property
    def _array(self) -> Array:
        return self._pack()


class SharedWeights:
    """Packed weights by the array that they are made of: plans of graphs with the same arrays pack each once.

    Examples
    --------
    >>> import numpy as np
    >>> shared, weight = SharedWeights(), np.zeros(3)
    >>> first, second = (shared.packed(weight, lambda: Packed(weight.copy, 24), "as it is") for _ in range(2))
    >>> first is second
    True
    """

    def __init__(self) -> None:
        self._packed: dict[tuple[object, ...], tuple[Array, Packed]] = {}

    def packed(self, array: Array, make: Callable[[], Packed], *key: object) -> Packed:
        """Return what is made of an array once, for all that ask for it with the same key."""
        # by identity, which is that of no other array as long as this one is kept
        return self._packed.setdefault((id(array), *key), (array, make()))[1]


@frozen
class Step:
    """One call of one kernel, by the names of the values that it reads and writes.

    Attributes
    ----------
    node : str
        The node that the step belongs to.
    kernel : str
        A name in ``_kernels.KERNELS``.
    operands : tuple of str or array
        Values, or float32 constants.
    result : str
        The value that the step writes, wholly or in part.
    ints, floats : mapping
        Geometry and attributes, by the names that the kernel lists.
    parameters : tuple of array, callable () -> array, or None
        Weights and the like, float32. What is large is packed when it is asked for, by `arrays`: a plan may be looked
        at, or made for its costs only.
    tables : tuple of array or None
        Offset tables, int32.
    workspace : int
        Elements of the arena that only this step uses.
    in_place : bool
        Whether the result may share the memory of the first operand.
    reason : str
        Why this kernel was chosen.
    """

    node: str
    kernel: str
    operands: tuple[str | Array, ...]
    result: str
    ints: Mapping[str, int]
    floats: Mapping[str, float] = field(default_factory=dict)
    parameters: tuple[Array | Callable[[], Array] | None, ...] = ()
    tables: tuple[Array | None, ...] = ()
    workspace: int = 0
    in_place: bool = False
    reason: str = ""

    def arrays(self) -> tuple[Array | None, ...]:
        """Return the parameters, packed."""
        return tuple(parameter() if callable(parameter) else parameter for parameter in self.parameters)

    def reads(self) -> tuple[str, ...]:
        """Return the values that the step reads."""
        return tuple(operand for operand in self.operands if isinstance(operand, str))
