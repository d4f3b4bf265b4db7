"""The estimators by scikit-learn's own checks, on images, and inside of its tools.

All checks apply, because rows of features are classified too. Two skip themselves where pandas is missing and where
SCIPY_ARRAY_API is not set.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from train import bars

pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn is not installed: pip install cnnfast[sklearn]")

from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import cnnfast
from cnnfast.errors import CnnfastError
from cnnfast.sklearn import CNNClassifier, CNNFeatures
from cnnfast.train import SGD, Recipe


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small steps on several threads wait for each other, which takes long on a machine that does other work."""
    with cnnfast.threads(1):
        yield


@parametrize_with_checks([CNNClassifier(epochs=20, random_state=0)])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return data.images[:count], data.target[:count]


def test_a_fit_that_fails_leaves_what_was_learned() -> None:
    images, labels = digits(200)
    model = CNNClassifier(epochs=3, random_state=0).fit(images, np.where(labels < 5, "cat", "dog"))
    before = model.predict_proba(images)
    model.set_params(recipe=Recipe(epochs=3, batch=8, optimizer=SGD(learning_rate=1e30)))
    with pytest.raises(CnnfastError, match="diverged"), np.errstate(all="ignore"):
        model.fit(images * 7, np.where(labels < 5, "emu", "fox"))
    assert model.classes_.tolist() == ["cat", "dog"]
    np.testing.assert_array_equal(model.predict_proba(images), before)


def test_images_of_digits() -> None:
    images, labels = digits(900)
    model = CNNClassifier(epochs=8, random_state=0).fit(images[:600], labels[:600])
    assert model.score(images[600:], labels[600:]) > 0.9
    assert model.network_.input_shape == (1, 8, 8)
    probabilities = model.predict_proba(images[600:])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (model.predict(images[600:]) == model.classes_[probabilities.argmax(axis=1)]).all()
    copy = pickle.loads(pickle.dumps(model))
    assert (copy.predict_proba(images[600:]) == probabilities).all()


def test_rows_that_are_images() -> None:
    images, labels = digits(300)
    model = CNNClassifier(epochs=2, random_state=0)
    rows = clone(model).set_params(image_shape=(8, 8)).fit(images.reshape(300, 64), labels)
    assert (rows.predict_proba(images.reshape(300, 64)) == model.fit(images, labels).predict_proba(images)).all()
    with pytest.raises(CnnfastError, match="are not images of shape"):
        clone(model).set_params(image_shape=(8, 9)).fit(images.reshape(300, 64), labels)


def test_bytes_keep_their_scaling_in_the_network() -> None:
    images, labels = bars.pictures(150, 0)
    model = CNNClassifier(epochs=6, random_state=1).fit(images, np.array(bars.CLASSES)[labels])
    found = model.predict(bars.pictures(60, 1)[0])
    assert (found == np.array(bars.CLASSES)[bars.pictures(60, 1)[1]]).mean() > 0.9
    assert model.network_.preprocess is not None
    assert model.network_.preprocess.mean[0] == pytest.approx(images.mean() / 255, abs=1e-6)
    with pytest.raises(CnnfastError, match="but the network learned from"):
        model.predict(np.zeros((2, 9, 8, 1), np.uint8))


def test_seeds() -> None:
    images, labels = digits(100)
    one, same, other = (
        CNNClassifier(epochs=1, random_state=seed).fit(images, labels).predict_proba(images) for seed in (0, 0, 1)
    )
    assert (one == same).all()
    assert (one != other).any()


def test_grid_search_and_cross_validation() -> None:
    images, labels = digits(240)
    search = GridSearchCV(CNNClassifier(random_state=0), {"epochs": [1, 6]}, cv=2).fit(images, labels)
    assert search.best_params_ == {"epochs": 6}
    recipe = Recipe(epochs=6, batch=16, optimizer=SGD(learning_rate=0.05, momentum=0.9))
    scores = cross_val_score(CNNClassifier(recipe=recipe, random_state=0), images, labels, cv=2)
    assert scores.mean() > 0.7


def test_features_in_a_pipeline() -> None:
    """A cat is told from a dog by pictures of colors: only the plumbing is looked at."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = rng.integers(0, 100, (60, 40, 36, 3), dtype=np.uint8)
    images[labels == 1, :, :, 0] += 120
    pipeline = make_pipeline(CNNFeatures("cifar10-cs61c"), LogisticRegression(max_iter=500))
    pipeline.fit(images[:40], labels[:40])
    assert pipeline.score(images[40:], labels[40:]) > 0.9
    assert pipeline[0].transform(images[:2]).shape == (2, 320)
    maps = CNNFeatures("cifar10-cs61c", layer="max_pool_1").fit(images).transform(images[:2])
    assert maps.shape == (2, 16 * 16 * 16)


def test_features_have_names_and_become_tables() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 40, 36, 3)).astype(np.uint8)
    features = CNNFeatures("cifar10-cs61c").fit(images)
    names = features.get_feature_names_out()
    assert names.tolist() == [f"cnnfeatures{i}" for i in range(320)]
    assert len(CNNFeatures("mnist-mlp", layer="fc1").fit(None).get_feature_names_out()) == 500
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = clone(features).set_output(transform="pandas").fit(images).transform(images)
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == names.tolist()
    np.testing.assert_array_equal(table.to_numpy(), features.transform(images))
    with pytest.raises(CnnfastError, match="there is no value 'nowhere'"):
        CNNFeatures("cifar10-cs61c", layer="nowhere").fit(images)
