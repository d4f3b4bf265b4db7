"""A real browser: Chromium of the system, driven by Playwright; without either, these tests are skipped.

``CNNFAST_BROWSER`` names another browser of that family. ``CNNFAST_SCREENSHOTS`` is a folder for pictures of what tests
have shown.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser for all tests of a session."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = os.environ.get("CNNFAST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium; apt install chromium, or set CNNFAST_BROWSER")
    with api.sync_playwright() as playwright:
        # as root, the sandbox cannot be made; pages of these tests are our own
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of its own, which must not have complained when the test is over."""
    context = browser.new_context(viewport={"width": 1100, "height": 800}, accept_downloads=True)
    made = context.new_page()
    made.set_default_timeout(20_000)
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    made.complaints = complaints
    yield made
    context.close()
    assert not complaints


@pytest.fixture
def show(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Save a picture of a page, if someone wants to see it."""

    def save(page: Any, name: str) -> None:
        folder = os.environ.get("CNNFAST_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png")

    return save
