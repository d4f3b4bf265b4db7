"""ONNX's own backend conformance suite, run through cnnfast, and the page that lists the outcome."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="the package onnx brings the suite; install cnnfast[onnx]")

from formats.onnx_suite import Outcome, light_outcomes, node_outcomes, page, stored_outcomes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "onnx-coverage.md"


@pytest.fixture(scope="module")
def nodes() -> list[Outcome]:
    return node_outcomes()


@pytest.fixture(scope="module")
def stored() -> list[Outcome]:
    return stored_outcomes()


def test_nothing_that_is_accepted_is_computed_wrongly(nodes: list[Outcome], stored: list[Outcome]) -> None:
    assert [o for o in (*nodes, *stored) if o.result == "wrong"] == []


def test_everything_else_is_refused_by_an_error_of_ours(nodes: list[Outcome], stored: list[Outcome]) -> None:
    assert {o.result for o in (*nodes, *stored)} <= {"run", "computed in advance", "out of scope"}
    assert all(o.reason for o in (*nodes, *stored) if o.result == "out of scope")


def test_the_page_is_up_to_date(nodes: list[Outcome], stored: list[Outcome]) -> None:
    import onnx

    text = PAGE.read_text()
    if f"onnx {onnx.__version__}." not in text:
        pytest.skip(f"the page was written with another version of onnx than {onnx.__version__}")
    assert page(nodes, stored) in text, "run: python tools/onnx_coverage.py --write"


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet"])
def test_small_classifiers_of_the_suite(name: str) -> None:
    assert [o.result for o in light_outcomes([name])] == ["run"]


@pytest.mark.slow
def test_large_classifiers_of_the_suite() -> None:
    assert {o.result for o in light_outcomes()} == {"run"}
