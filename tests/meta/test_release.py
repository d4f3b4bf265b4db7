"""What a release states about itself agrees with the rest of the project."""

from __future__ import annotations

import re
import tomllib

import pytest
from build_readme import project_urls, with_absolute_links
from meta.test_repository import ROOT

import cnnfast

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text()


def test_the_readme_of_packages_has_no_relative_link() -> None:
    text = with_absolute_links(README, "https://example.org/cnnfast/")
    assert "](https://example.org/cnnfast/blob/main/docs/performance.md)" in text
    assert not re.search(r"\]\((?!https://)", text)
    plain = with_absolute_links(README, "")
    assert not re.search(r"\]\((?!https://)", plain)
    assert "[" not in plain.replace("[demo]", "").replace("[dev]", "").split("## Read on")[1]


def test_a_project_without_an_address_names_no_pages() -> None:
    assert project_urls("") == {}
    assert set(project_urls("https://example.org/cnnfast").values()) >= {"https://example.org/cnnfast"}


def test_the_citation_names_this_version() -> None:
    assert f"version: {cnnfast.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_all_has_every_extra_that_users_need() -> None:
    extras = PROJECT["optional-dependencies"]
    (named,) = re.findall(r"\[(.*)\]", extras["all"][0])
    needed = set(extras) - {"all", "demo", "dev", "site", "test"}
    assert set(named.split(",")) == needed, "name every extra in `all` of pyproject.toml"


@pytest.mark.parametrize("pattern", PROJECT["license-files"])
def test_every_license_is_there(pattern: str) -> None:
    assert list(ROOT.glob(pattern))
