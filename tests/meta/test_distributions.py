"""What users install: the source distribution is whole, the wheel is built from it, and it works where no source is.

The environment of the wheel is a new one, so its dependencies must suffice; they come from a package index.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from meta.test_repository import ROOT, tracked

pytestmark = pytest.mark.slow

FAST = (
    "tests/ops",
    "tests/cli",
    "tests/report",
    "tests/meta/test_models.py",
    "tests/network",
    "tests/bench",
)
"""The part of the tests that is run from the unpacked source distribution."""

SMOKE = """
import json, sys
from importlib import resources
from pathlib import Path
import numpy as np, cnnfast
from cnnfast import Network

assert "site-packages" in cnnfast.__file__, cnnfast.__file__
cards = resources.files("cnnfast.models")
for golden in sorted(Path(str(cards)).glob("*.golden.json")):
    name = golden.name.removesuffix(".golden.json")
    net = Network.load(name)
    images = np.zeros((3, *net.preprocess.shape[1:], net.preprocess.shape[0]), np.uint8)
    assert net.predict(images).shape == (3,)
    print(name, net.predict_proba(images).sum(axis=1).round(5).tolist())
"""


def call(*command: object, folder: Path) -> str:
    ran = subprocess.run([str(c) for c in command], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{' '.join(map(str, command))}\n{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}"
    return ran.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    call(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, ROOT, folder=folder)
    (path,) = folder.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, unpacked, folder=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment that has nothing but the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    call(folder / "bin" / "pip", "install", "--quiet", wheel, folder=folder)
    return folder / "bin"


def test_the_sdist_holds_every_tracked_file_and_nothing_built(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        members = {Path(*Path(member.name).parts[1:]) for member in archive.getmembers() if member.isfile()}
    missing = {path.relative_to(ROOT) for path in tracked()} - members
    assert missing <= {Path(".gitignore")}
    made = {"PKG-INFO", "setup.cfg"}
    extra = {path for path in members if path.name not in made and "egg-info" not in str(path)}
    assert extra <= {path.relative_to(ROOT) for path in tracked("--others", "--exclude-standard")}


def test_the_wheel_holds_the_module_and_the_networks_and_no_source_of_c(wheel: Path) -> None:
    """Nor tests, nor debug information, which makes what is not networks several times as large."""
    with zipfile.ZipFile(wheel) as archive:
        members = {info.filename: info for info in archive.infolist()}
    networks = {p.name for p in (ROOT / "models").glob("*.safetensors")}
    packed = {name.rsplit("/", 1)[1] for name in members if name.startswith("cnnfast/models/")}
    assert networks <= packed
    modules = {p.relative_to(ROOT / "src").as_posix() for p in (ROOT / "src" / "cnnfast").rglob("*.py")}
    assert modules <= set(members)
    assert any(re.match(r"cnnfast/_kernels\..*\.(so|pyd)", name) for name in members)
    assert {"cnnfast/py.typed", "cnnfast/_kernels.pyi"} <= set(members)
    assert not [name for name in members if re.search(r"\.(c|h|pyx|pxi|pxd|inc|def|o)$", name)]
    assert not [name for name in members if name.split("/")[0] in {"tests", "bench", "docs", "models"}]
    rest = sum(info.compress_size for name, info in members.items() if not name.endswith(".safetensors"))
    # the kernels take 1.5 MB of it, the Python code 0.9; debug information would add several
    assert rest < 2_500_000


def test_the_wheel_works_where_no_source_is(installed: Path, tmp_path: Path) -> None:
    lines = call(installed / "python", "-c", SMOKE, folder=tmp_path).splitlines()
    assert len(lines) == len(list((ROOT / "models").glob("*.golden.json")))
    assert "cnnfast" in call(installed / "cnnfast", "info", folder=tmp_path)
    picture = ROOT / "docs" / "img" / "cats-dogs-confusion.png"
    out = call(installed / "cnnfast", "classify", picture, "--out", "rows.csv", folder=tmp_path)
    assert picture.name in out
    assert (tmp_path / "rows.csv").read_text().count("\n") == 2


def test_the_tests_of_the_sdist_run_with_the_wheel(installed: Path, wheel: Path, unpacked: Path) -> None:
    """All of them are collected, and the fast ones are run; the source next to them is not what is imported."""
    call(installed / "pip", "install", "--quiet", f"{wheel}[test]", folder=unpacked)
    pytest_ = (installed / "python", "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    where = call(installed / "python", "-I", "-c", "import cnnfast; print(cnnfast.__file__)", folder=unpacked)
    assert Path(where.strip()).is_relative_to(installed.parent)
    call(*pytest_, "--collect-only", "tests", folder=unpacked)
    call(*pytest_, *FAST, folder=unpacked)
