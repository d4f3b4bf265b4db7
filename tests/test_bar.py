"""Bars: on a terminal, in notebooks, and for everything that takes longer than half a second."""

from __future__ import annotations

import io
import json
import sys
import time
from functools import partialmethod
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tqdm import tqdm
from train.bars import network, pictures

from cnnfast import _bar, open_dataset
from cnnfast.train import Examples, Recipe, fit, load_examples
from cnnfast.train.transfer import kept


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch, soon: float = 0.0) -> Terminal:
    """Make stderr a terminal; called by a test, because pytest sets stderr again after its fixtures."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(_bar, "SOON", soon)
    monkeypatch.setattr(tqdm, "__init__", partialmethod(tqdm.__init__, mininterval=0))
    return screen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images, labels = pictures(30, seed=1)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (tmp_path / ["flat", "steep", "slanted"][label]).mkdir(exist_ok=True)
        Image.fromarray(image[..., 0]).save(tmp_path / ["flat", "steep", "slanted"][label] / f"{number}.png")
    return tmp_path


def test_a_bar_is_shown_while_data_are_read(monkeypatch, folder):
    screen = terminal(monkeypatch)
    dataset, net = open_dataset(folder), network()
    examples, _ = load_examples(dataset, net.preprocess)
    assert len(examples) == 30
    assert "reading: 100%" in screen.getvalue()
    assert "30/30" in screen.getvalue()


def test_a_bar_is_shown_while_a_teacher_answers_and_features_are_made(monkeypatch):
    screen = terminal(monkeypatch)
    monkeypatch.setattr("cnnfast.train.transfer.PART", 16)
    net, (images, _) = network(), pictures(40, seed=2)
    for probabilities, name in ((True, "teacher"), (False, "features")):
        found = kept(net, images, None, probabilities)
        whole = (net.predict_proba if probabilities else net.forward)(images, layout="nhwc")
        assert np.array_equal(found, whole)
        assert f"{name}:  80%" in screen.getvalue()
        assert "32/40" in screen.getvalue()


def test_fit_shows_nothing_if_asked(monkeypatch, folder):
    screen = terminal(monkeypatch)
    fit(network(), open_dataset(folder, ["flat", "steep", "slanted"]), Recipe(epochs=1), progress=False, freeze="flat")
    assert screen.getvalue() == ""


def test_what_is_done_soon_has_no_bar(monkeypatch):
    screen = terminal(monkeypatch, soon=0.5)
    with _bar.advancing(10, " images") as advance:
        advance(10)
    assert screen.getvalue() == ""
    with _bar.advancing(10, " images", desc="slow") as advance:
        time.sleep(0.55)
        advance(5)
    assert "slow:  50%" in screen.getvalue()


def test_no_bar_without_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    fit(network(), Examples(*pictures(30, seed=3)), Recipe(epochs=1))
    assert sys.stderr.getvalue() == ""


def test_a_notebook_has_bars_though_it_is_not_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    shell = SimpleNamespace(kernel=object(), config={})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert _bar.in_notebook()
    fit(network(), Examples(*pictures(30, seed=3)), Recipe(epochs=1))
    assert "epoch 1/1: 100%" in sys.stderr.getvalue() + sys.stdout.getvalue()


CELL = """
import sys; sys.path.insert(0, {tests!r})
from cnnfast.train import fit
from train.bars import network, pictures
from cnnfast.train import Examples, Recipe
fitted = fit(network(), Examples(*pictures(300, seed=3)), Recipe(epochs=2))
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_fit_shows_its_bar_in_a_real_kernel(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(CELL.format(tests=str(Path(__file__).parent)))]
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = json.dumps(notebook)
    assert "widget-view" in shown or "epoch 2/2" in shown
