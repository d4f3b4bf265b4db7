"""Which pages the site has: a hook of mkdocs, so that a new page in docs/ is on the site without a list of them.

Pages are grouped by `SECTIONS`; one that none of them names is a guide. README.md is the first page, the reference is
made from the docstrings of what `cnnfast` exports, and links to files that are not pages lead to the repository, if
``CNNFAST_REPOSITORY`` says where that is.
"""

from __future__ import annotations

import os
import posixpath
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = os.environ.get("CNNFAST_REPOSITORY", "").rstrip("/")

SECTIONS = {
    "Guides": (),
    "Projects": ("examples/",),
    "Explanations": (
        "architecture.md", "glossary.md", "kernels.md", "layouts.md", "life-of-a-convolution.md", "numerics.md",
        "performance.md", "benchmarking.md", "threading.md", "training.md", "other-builds.md",
    ),
    "Decisions": ("adr/",),
    "Project": ("building.md", "platforms.md", "releasing.md", "project/"),
    "Reference": ("reference/",),
}  # fmt: skip
"""The pages of each section, or the folder that they are in."""

OF_THE_ROOT = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}
"""Files of the repository that are pages, and where."""

PARTS = ("layers", "train", "data", "report", "sklearn")
WITH_INHERITED = ("cnnfast.Network", "cnnfast.sklearn.CNNClassifier", "cnnfast.sklearn.CNNFeatures")
KINDS = {"classes": "Classes", "functions": "Functions", "errors": "Errors"}
LINK = re.compile(r"(!?\[[^\[\]]*(?:\[[^\]]*\][^\[\]]*)*\])\(([^)\s]+)\)")


def on_config(config: Any) -> Any:
    """Name headings as the pages of the repository do, so that links to them work in both."""
    config.mdx_configs["toc"]["slugify"] = heading_name
    return config


def heading_name(text: str, separator: str) -> str:
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", separator)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in docs/."""
    for source, page in OF_THE_ROOT.items():
        files.append(File.generated(config, page, content=moved((ROOT / source).read_text(), source, page)))
    for name, text in reference().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    config.nav = navigation(sorted(file.src_uri for file in files.documentation_pages()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let the links of a page in docs/ lead to pages, or away from the site."""
    uri = page.file.src_uri
    return markdown if page.file.generated_by else moved(markdown, f"docs/{uri}", uri)


def navigation(pages: list[str]) -> list[dict[str, Any]]:
    """Return the menu: the first page, and each section with its pages in the order of their names."""
    found: dict[str, list[str]] = {section: [] for section in SECTIONS}
    for page in pages:
        if page != "index.md":
            found[section_of(page)].append(page)
    return [{"Start": "index.md"}, *({section: inside} for section, inside in found.items() if inside)]


def section_of(page: str) -> str:
    for section, places in SECTIONS.items():
        if page in places or any(place.endswith("/") and page.startswith(place) for place in places):
            return section
    return "Guides"


def moved(text: str, source: str, page: str) -> str:
    """Return Markdown whose links, relative to a file of the repository, fit a page of the site."""

    def fitting(match: re.Match[str]) -> str:
        shown, target = match.groups()
        path, mark, anchor = target.partition("#")
        if not path or re.match(r"\w+:", target):
            return match[0]
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if not (ROOT / place).exists():
            raise FileNotFoundError(f"{source}: the link to {target} leads to {place}, which is not there")
        inside = OF_THE_ROOT.get(place, place.removeprefix("docs/") if place.startswith("docs/") else None)
        if inside is not None and (ROOT / place).is_file():
            return f"{shown}({posixpath.relpath(inside, posixpath.dirname(page) or '.')}{mark}{anchor})"
        return f"{shown}({REPOSITORY}/blob/main/{place}{mark}{anchor})" if REPOSITORY else shown.strip("![]")

    return LINK.sub(fitting, text)


def reference() -> dict[str, str]:
    """Return the pages of the reference: what the package exports, by kind, and each of its parts."""
    import cnnfast

    exported: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for name in sorted(set(cnnfast.__all__) - {"__version__"}):
        thing = getattr(cnnfast, name)
        kind = "functions" if not isinstance(thing, type) else "errors" if issubclass(thing, Exception) else "classes"
        exported[kind].append(described(thing, f"cnnfast.{name}"))
    pages = {kind: "\n\n".join([f"# {KINDS[kind]}", *names]) + "\n" for kind, names in exported.items()}
    for part in PARTS:
        names = parts_of(import_module(f"cnnfast.{part}"))
        pages[part] = "\n\n".join([f"# cnnfast.{part}", *names]) + "\n"
    return pages


def parts_of(module: Any) -> list[str]:
    """Return the names that a part of the package offers and defines."""
    found = []
    for name in sorted(getattr(module, "__all__", dir(module))):
        thing = getattr(module, name)
        home = getattr(thing, "__module__", None) or ""
        if not name.startswith("_") and home.startswith(module.__name__) and hasattr(thing, "__qualname__"):
            found.append(described(thing, f"{module.__name__}.{name}"))
    return found


def described(thing: Any, name: str) -> str:
    """Return what stands for the description of a class or function, under the name by which it is imported."""
    options = f"heading: {name}\n      inherited_members: {str(name in WITH_INHERITED).lower()}"
    return f"::: {thing.__module__}.{thing.__qualname__}\n    options:\n      {options}"
