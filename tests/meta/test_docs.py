"""What the documentation says: tables are up to date, excerpts and commands are real, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cnnfast.cli import COMMANDS
from cnnfast.runtime.dispatch import kernels

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("*.md")]
README = ROOT / "README.md"

LAYOUTS = ("nchw", "chwn", "nchwc")


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


TABLES = (
    *("cluster_table", "headline", "integer_table", "keras_applications", "kernel_table", "ladder_table"),
    *("latency_table", "load_table", "network_table", "peer_table", "photograph_table", "serve_table"),
    *("replay_table", "unknown_table"),
)


@pytest.mark.parametrize("script", TABLES)
def test_tables_are_up_to_date(script: str) -> None:
    command = [sys.executable, str(ROOT / "tools" / f"{script}.py"), "--check"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_names_of_kernels_follow_the_grammar() -> None:
    for name in kernels.KERNELS:
        assert re.fullmatch(rf"[a-z_]\w*_(f32|u8|i8|bf16)_({'|'.join(LAYOUTS)})_[a-z]+[0-9x]*", name), name


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"https?://|mailto:", target):
            path, _, anchor = target.partition("#")
            linked = page.parent / path if path else page
            assert linked.exists(), target
            assert not anchor or linked.suffix != ".md" or anchor in anchors(linked), target


def anchors(page: Path) -> set[str]:
    """Return what links to the headings of a page end in."""
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL), re.MULTILINE
    )
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_tables_have_as_many_cells_in_every_row(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(counts) == 1, table


EXCERPT = re.compile(r"^<!-- from (\S+) -->\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [p for p in PAGES if EXCERPT.search(p.read_text())], ids=page_id)
def test_excerpts_stand_in_the_source(page: Path) -> None:
    for source, excerpt in EXCERPT.findall(page.read_text(encoding="utf-8")):
        assert excerpt in (ROOT / source).read_text(), f"{source} has no longer:\n{excerpt}"


def test_the_life_of_a_convolution_has_the_figures_of_the_ladder() -> None:
    """One run, one figure: each step of the page is a row of the table in performance.md."""
    page = (ROOT / "docs" / "life-of-a-convolution.md").read_text()
    table = (ROOT / "docs" / "performance.md").read_text()
    steps = re.findall(r"([\d,]+) images/s[\w ,-]*?, ([\d.]+) ×[\w ]*(?:, ([\d.]+) % of peak)?", page)
    assert len(steps) >= 5
    for rate, times, share in steps:
        assert re.search(rf"\| {rate} \| {times} \| {share or r'[^|]+'} \|", table), (rate, times, share)


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text()
    assert not [name for name in COMMANDS if not re.search(rf"^\| `{name}\b", text, re.MULTILINE)]


def test_every_decision_has_a_number_and_a_status() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    for number, page in enumerate(pages, 1):
        assert page.name.startswith(f"{number:04d}-")
        assert re.match(rf"# {number}\. .+\n\n\*\*Status:\*\* (accepted|replaced by )", page.read_text()), page.name


def test_the_test_command_of_the_readme_is_the_one_that_ci_runs() -> None:
    command = re.search(r"^<!-- tests -->\n```\n(.+)\n```$", README.read_text(), re.MULTILINE)
    assert command
    assert command[1].startswith("python3 -m venv .venv && ")
    assert command[1].endswith("pytest")
    assert "grep -A 2 '^<!-- tests -->$' README.md" in (ROOT / ".ci" / "run").read_text()
