"""``evaluate``: the figures, checked by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from systems import with_slashes

COLORS = np.eye(3, dtype=np.uint8) * 255


@pytest.fixture
def labeled(tmp_path):
    """Red, red, green, blue, blue; the last one is labeled green."""
    images = np.broadcast_to(COLORS[[0, 0, 1, 2, 2]][:, None, None], (5, 4, 4, 3))
    path = tmp_path / "labeled.npz"
    np.savez(path, images=np.ascontiguousarray(images), labels=[0, 0, 1, 2, 1], classes=["Reds", "Green", "blue"])
    return path


def test_tables(run, model, labeled):
    result = run("evaluate", model, labeled, "--class", "blue")
    assert result.status == 0
    assert "4 of 5 right, accuracy 80.00%" in result.out
    assert "green       2    100.00%   50.00%   66.67%" in result.out
    assert "blue with a probability above 0.5: TP 1  FP 1  FN 0" in result.out


def test_json(run, model, labeled):
    facts = json.loads(run("evaluate", model, labeled, "--json", "--class", "blue", "--threshold", 1).out)
    assert facts["confusion_matrix"] == [[2, 0, 0], [0, 1, 1], [0, 0, 1]]
    assert facts["accuracy"] == 0.8
    assert facts["per_class"]["blue"]["precision"] == 0.5
    assert facts["wanted"]["true_positives"] == 0
    assert facts["wanted"]["false_negatives"] == 1


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_a_limit_leaves_every_class_its_share(run, model, labeled, batch):
    facts = json.loads(run("evaluate", model, labeled, "--limit", 4, "--batch", batch, "--json").out)
    assert [sum(row) for row in facts["confusion_matrix"]] == [2, 1, 1]
    assert run("evaluate", model, labeled, "--limit", 5).out == run("evaluate", model, labeled).out


def test_a_limit_takes_all_classes_of_sorted_folders_and_reads_no_other_picture(run, model, tmp_path):
    for name, color in zip(("blue", "green", "red"), COLORS[::-1].tolist(), strict=True):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(8):
            picture = tmp_path / "photos" / name / f"{i}.png"
            if i in (1, 4, 6):
                Image.new("RGB", (5, 5), tuple(color)).save(picture)
            else:
                picture.write_bytes(b"no picture")
    result = run("evaluate", model, tmp_path / "photos", "--limit", 9, "--json")
    assert result.status == 0, result.err
    assert json.loads(result.out)["confusion_matrix"] == (3 * np.eye(3, dtype=int)).tolist()


def test_report_of_mistakes(run, model, labeled, tmp_path):
    result = run("evaluate", model, labeled, "--report", tmp_path / "x.html")
    assert "contact sheet" in result.err
    assert (tmp_path / "x.html").read_text().count("<figure") == 1


def test_folders_with_a_broken_picture(run, model, album):
    (album / "a").rename(album / "red")
    (album / "b").rename(album / "blue")
    result = run("evaluate", model, album, "--json", "--report", album.parent / "x.png")
    assert result.status == 1
    assert "blue/2.png: not a picture" in with_slashes(result.err)
    facts = json.loads(result.out)
    assert facts["images"] == 11


def test_cs61c_reaches_its_accuracy_on_the_first_images(run, shared_data, tmp_path):
    probabilities = np.load(shared_data / "cs61c" / "test_batch_probs_float64.npy")[:100]
    from PIL import Image

    sheet = np.asarray(Image.open(shared_data / "cifar10" / "test_batch.webp").crop((0, 0, 3200, 32)))
    images = sheet.reshape(32, 100, 32, 3).transpose(1, 0, 2, 3)
    labels = np.fromfile(shared_data / "cifar10" / "test_batch.labels", np.uint8)[:100]
    np.savez(tmp_path / "hundred.npz", images=np.ascontiguousarray(images), labels=labels)
    facts = json.loads(run("evaluate", shared_data / "cs61c" / "snapshot", tmp_path / "hundred.npz", "--json").out)
    assert facts["right"] == (probabilities.argmax(axis=1) == labels).sum()
