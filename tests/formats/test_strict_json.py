"""JSON from a stranger."""

import sys

import pytest

from cnnfast.errors import ModelFileError
from cnnfast.formats.strict_json import parse


def test_plain_json_is_read() -> None:
    assert parse('{"a": [1, -2.5, null, true, "é"]}', "text", 10) == {"a": [1, -2.5, None, True, "é"]}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "not proper JSON"),
        ('{"a": 1', "not proper JSON"),
        ('{"a": 1, "a": 2}', "'a' appears twice"),
        ('{"x": {"a": 1, "b": 2, "b": 3}}', "'b' appears twice"),
        ("[NaN]", "NaN is not a number"),
        ("[-Infinity]", "-Infinity is not a number"),
        ("[1e999]", "too large for a float"),
        ("[" + "1" * 20 + "]", "integer of 20 digits"),
        ("[" + "1" * 100_000 + "]", "integer of 100000 digits"),
        ("[[[[[]]]]]", "5 lists and objects; at most 4"),
        ("{} {}", "not proper JSON"),
    ],
)
def test_what_breaks_a_rule_is_refused(text: str, rule: str) -> None:
    with pytest.raises(ModelFileError, match=rule):
        parse(text, "text", 4)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_an_error_and_no_crash(opening: str) -> None:
    with pytest.raises(ModelFileError, match=r"nested too deeply|not proper JSON"):
        parse(opening * 100_000, "text", 200_000)
    assert sys.getrecursionlimit() < 100_000
