"""What notebooks show of networks, histories and results: well-formed, escaped, and in line with the numbers."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from small_networks import photographs, small_net
from systems import POSIX

from cnnfast import Network, Preprocess, quantize
from cnnfast.layers import Conv2d, Flatten, GlobalAvgPool, Linear, Relu, Softmax
from cnnfast.report import Scores
from cnnfast.runtime.notebook import MOST_ROWS, block, table
from cnnfast.train import Recipe, fit

EVIL = "<script>alert('x')</script>&\"'"


class Page(HTMLParser):
    """Reads HTML; every tag must be closed, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page_of(thing: Any) -> Page:
    return Page(thing._repr_html_())


def test_a_network_shows_its_layers_and_classes() -> None:
    net = small_net()
    page = page_of(net)
    assert [word for word in page.words if word in net.graph.by_name] == list(net.graph.by_name)
    assert any(word.startswith("classes: ") for word in page.words)
    assert "details" not in page.tags
    assert page_of(Network.load("cifar10-resnet")).tags.count("details") == 1


def test_many_classes_are_counted_and_not_all_named() -> None:
    names = [f"class {number}" for number in range(50)]
    page = page_of(Network.build([Flatten(), Linear(50)], (1, 2, 2), classes=names))
    (line,) = [word for word in page.words if word.startswith("classes: ")]
    assert line.endswith("class 19 and 30 more")


def test_a_history_marks_its_best_row() -> None:
    images = np.random.default_rng(0).integers(0, 256, (16, 4, 4, 3), np.uint8)
    net = Network.build([Flatten(), Linear(2)], (3, 4, 4), preprocess=Preprocess((4, 4)))
    fitted = fit(net, (images, np.arange(16) % 2), Recipe(epochs=3), validation=0.25, progress=False)
    page = page_of(fitted)
    assert page.words[0] == "cnnfast.train.FitResult: finished"
    assert page.tags.count("tr") == 4
    best = max(fitted.history, key=lambda row: row["val_accuracy"])
    assert f"{best['val_accuracy']:.2%}" in page.words
    # the head and one row
    assert page.tags.count("th") == 2 * 7


def test_results_of_a_stream(tmp_path: Any) -> None:
    good, bad = small_net().stream([photographs()[0], str(tmp_path / "<b>.png")])
    assert good.label in page_of(good).words
    assert any(("no such file" if POSIX else "cannot be opened") in word for word in page_of(bad).words)
    assert "b" not in page_of(bad).tags[2:]


def test_scores_and_quantization() -> None:
    scores = Scores(["cat", "dog"])
    scores.add(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))
    assert "66.67% of 3 images right" in page_of(scores).words
    assert repr(scores) == "<cnnfast.report.Scores: 2 of 3 right, 2 classes>"
    layers = [Conv2d(4, 3), Relu(), GlobalAvgPool(), Flatten(), Linear(3), Softmax()]
    net = Network.build(layers, (3, 8, 8), preprocess=Preprocess((8, 8)))
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    result = quantize(net, images)
    page = page_of(result)
    assert result.sensitivities[0].layer in page.words
    assert str(result).splitlines()[0] in page.words


@pytest.mark.parametrize("make", [lambda: table([[EVIL, EVIL], [EVIL, EVIL]]), lambda: block(EVIL, EVIL, folded=EVIL)])
def test_everything_is_escaped(make: Any) -> None:
    page = Page(make())
    assert "script" not in page.tags
    assert EVIL in page.words


def test_names_of_classes_and_layers_are_escaped() -> None:
    net = Network.build([Flatten(name=EVIL), Linear(2, name="<i>")], (1, 2, 2), classes=[EVIL, "<b>"], license=EVIL)
    page = page_of(net)
    assert {"script", "i"}.isdisjoint(page.tags)
    assert EVIL in page.words


def test_a_long_table_is_cut_and_says_so() -> None:
    html = table([["n"], *([number] for number in range(MOST_ROWS + 7))])
    assert html.count("<tr>") == MOST_ROWS + 1
    assert "and 7 more rows" in html
