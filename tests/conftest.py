"""What all tests share: the folder of data that is not in the repository, and how hypothesis searches."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("cnnfast", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("CNNFAST_TEST_PROFILE", "cnnfast"))


collect_ignore = ["spark_digests.py", "spark_training.py"]
"""Scripts that cannot be imported, to look for doctests, where what they need is not installed."""


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data sets, snapshots and pictures: ``CNNFAST_TEST_DATA``, else ``../shared/data``."""
    named = os.environ.get("CNNFAST_TEST_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"there is no folder {folder} with test data; set CNNFAST_TEST_DATA to one")
    return folder
