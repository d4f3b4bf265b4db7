"""What the pages show works: blocks of Python run, and commands have the options that they are shown with."""

from __future__ import annotations

import re
import shlex
import textwrap
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cnnfast
from cnnfast.cli import COMMANDS
from cnnfast.cli.parser import Parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(<!-- from \S+ -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

ELSEWHERE = {
    "docs/cluster.md": ("spark", "test_mlflow.py"),
    "docs/cluster-training.md": ("spark",),
    "docs/keras.md": ("formats/keras",),
    "docs/litert.md": ("formats/litert",),
    "docs/onnx.md": ("formats/test_onnx.py", "formats/test_onnx_writing.py"),
    "docs/serving.md": ("serve/test_clients.py",),
}
"""Pages whose blocks need other packages, files of other engines or a server, and which tests make the same calls."""


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def python_of(page: Path) -> list[str]:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [code for copied, language, code in blocks if language == "python" and not copied]


def commands_of(page: Path) -> list[str]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    blocks = [code for _, language, code in found if language in ("", "sh", "bash")]
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.startswith("cnnfast ")]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages talk about."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 40, 48, 3), np.uint8)
    for number, picture in enumerate(pixels):
        folder = tmp_path / "photos" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{number}.jpg")
    Image.fromarray(pixels[0]).save(tmp_path / "cat.jpg")
    return tmp_path


def names_of(page: str) -> dict[str, Any]:
    """What a page expects to be there already: the results of the lines that came before, in the reader's own work."""
    count = 16 if page == "docs/quantization.md" else 200
    images = np.random.default_rng(1).integers(0, 256, (count, 32, 32, 3), np.uint8)
    net = cnnfast.Network.load("cifar10-lenet")
    if page != "docs/from-python.md":
        return {"cnnfast": cnnfast, "net": net, "images": images, "labels": net.predict(images)}
    plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
    plt.switch_backend("agg")
    numbers = np.arange(count) % 10
    fitted = cnnfast.train.fit(net, (images, numbers), cnnfast.train.Recipe(epochs=1), progress=False)
    scores = cnnfast.report.Scores(net.classes_)
    scores.add(numbers, net.predict_proba(images))
    return {"plt": plt, "fitted": fitted, "scores": scores}


@pytest.mark.parametrize("page", [page for page in PAGES if python_of(page)], ids=page_id)
def test_the_python_of_a_page_runs(page: Path, desk: Path) -> None:
    name = page_id(page)
    blocks = [compile(textwrap.dedent(code), f"{name}[{i}]", "exec") for i, code in enumerate(python_of(page))]
    if name in ELSEWHERE:
        assert all((ROOT / "tests" / place).exists() for place in ELSEWHERE[name])
        return
    if name == "docs/arrow.md":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    known = names_of(name)
    for block in blocks:
        exec(block, known)


@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(page)], ids=page_id)
def test_the_commands_of_a_page_have_such_options(page: Path) -> None:
    for line in commands_of(page):
        words = shlex.split(line.partition(" | ")[0], comments=True)[1:]
        if words[0] in COMMANDS:
            parser = Parser(f"cnnfast {words[0]}", allow_abbrev=False)
            import_module(f"cnnfast.cli.{words[0]}").add_arguments(parser)
            try:
                parser.check_options(words[1:])
                parser.parse_intermixed_args(words[1:])
            except SystemExit:
                pytest.fail(f"{page_id(page)}: {line}")
        else:
            assert words[0].startswith("-") or words[0] == "COMMAND", line
