"""The list that decorators fill."""

from __future__ import annotations

import pytest

from cnnfast.runtime.registry import Registry


class Base: ...


class Derived(Base): ...


def test_one_member_under_several_keys() -> None:
    numbers: Registry[str, int] = Registry("numbers")
    assert numbers.register("one", "1")(1) == 1
    assert dict(numbers) == {"one": 1, "1": 1}


def test_a_key_is_taken_once() -> None:
    numbers: Registry[str, int] = Registry("numbers")
    numbers.add("one", 1)
    with pytest.raises(AssertionError, match="two numbers are registered as 'one'"):
        numbers.register("two", "one")(3)
    assert numbers["one"] == 1


def test_the_nearest_class_counts() -> None:
    names: Registry[type, str] = Registry("names")
    names.add(Base, "base")
    assert names.of_instance(Derived()) == "base"
    names.add(Derived, "derived")
    assert names.of_instance(Derived()) == "derived"
    assert names.of_instance(3) is None
