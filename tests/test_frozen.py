"""Classes of `_frozen.frozen` behave as those of ``dataclass(frozen=True)``."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

import cnnfast
from cnnfast._frozen import field, frozen

Decorator = Callable[[type], Any]


class Base:
    def area(self: Any) -> int:
        return self.height * self.width


def made_by(decorator: Decorator) -> Any:
    class Size(Base):
        name: ClassVar[str] = "size"
        height: int
        width: int = 1
        tags: tuple[str, ...] = field(default_factory=tuple)

        def __post_init__(self) -> None:
            object.__setattr__(self, "width", int(self.width))

    return decorator(Size)


BOTH = [made_by(dataclasses.dataclass(frozen=True)), made_by(frozen)]
Frozen = BOTH[1]
Frozen.__qualname__ = "Frozen"


@pytest.mark.parametrize("kind", BOTH, ids=["dataclass", "frozen"])
def test_as_a_dataclass(kind: Any) -> None:
    size = kind(2, 3.0)
    assert (size.height, size.width, size.tags, size.area()) == (2, 3, (), 6)
    assert repr(size) == f"{kind.__qualname__}(height=2, width=3, tags=())"
    assert size == kind(2, 3)
    assert size != kind(2, 4)
    assert size != (2, 3, ())
    assert len({size, kind(2, 3), kind(3, 2)}) == 2
    assert dataclasses.replace(size, height=9) == kind(9, 3)
    assert dataclasses.asdict(size) == {"height": 2, "width": 3, "tags": ()}
    assert [f.name for f in dataclasses.fields(kind)] == ["height", "width", "tags"]
    for change in (
        lambda: setattr(size, "height", 3),
        lambda: setattr(size, "other", 3),
        lambda: delattr(size, "width"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'height'"):
        kind()
    assert copy.deepcopy(size) == size
    assert BOTH[0](2, 3) != BOTH[1](2, 3)


def test_inheritance_and_pickles() -> None:
    @frozen
    class Larger(Frozen):
        depth: int = 4

        def __repr__(self) -> str:
            return "larger"

    assert Larger(1, 2, (), 3) != Larger(1, 2, (), 4)
    assert Larger(1) != Frozen(1)
    assert (repr(Larger(1)), Larger(1).depth) == ("larger", 4)
    assert pickle.loads(pickle.dumps(Frozen(5))) == Frozen(5)


def test_by_identity() -> None:
    @frozen(eq=False)
    class Pixels:
        values: list[int]

    one = Pixels([1])
    assert one != Pixels([1])
    assert len({one, Pixels([1])}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.values = [2]  # type: ignore[misc]


def test_by_keyword_only() -> None:
    @frozen(kw_only=True)
    class Size:
        height: int = 1

    assert Size(height=2) == Size(height=2)
    with pytest.raises(TypeError, match="positional"):
        Size(2)  # type: ignore[misc]


def test_the_package_has_one_way_to_freeze() -> None:
    source = Path(cnnfast.__file__).parent
    found = [
        path for path in source.rglob("*.py") if re.search(r"^\s*@dataclass\(.*frozen=True", path.read_text(), re.M)
    ]
    assert found == []
