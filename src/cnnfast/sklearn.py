"""scikit-learn's face of cnnfast: a classifier that learns, and features of a trained network as a transformer.

>>> from sklearn.datasets import load_digits
>>> digits = load_digits()
>>> model = CNNClassifier(epochs=5, random_state=0).fit(digits.images[:500], digits.target[:500])
>>> bool(model.score(digits.images[500:600], digits.target[500:600]) > 0.8)
True

Needs ``pip install "cnnfast[sklearn]"``.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from cnnfast._optional import needs
from cnnfast.architectures import build
from cnnfast.architectures.weights import LayerMaker
from cnnfast.errors import InputError
from cnnfast.images.pictures.decode import fit_images
from cnnfast.images.preprocess import Preprocess
from cnnfast.layers import Relu
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.train import AdamW, Examples, Recipe, fit, fit_scaling, initialize

with needs("cnnfast.sklearn", "cnnfast[sklearn]"):
    from sklearn.base import BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data

HIDDEN = 64
"""Outputs of the hidden layer where rows of features are classified."""

SMALLEST = 8
"""Side of the smallest images for which "auto" means convolutions."""


class CNNClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network that is trained by `fit`; images or rows of features, as they are.

    Parameters
    ----------
    architecture : str
        One of `cnnfast.architectures.ARCHITECTURES`. "auto" is a small convolutional network for images of at least 8×8
        pixels, and a dense one with a hidden layer of 64 for smaller ones and for rows.
    recipe : Recipe, optional
        How it is trained; `epochs`, `batch` and `random_state` override it where they are set.
    epochs, batch : int, optional
    image_shape : (H, W) or (H, W, C), optional
        What each row is, for tools that only pass rows; without it rows are features.
    random_state : int, RandomState or None
        As everywhere in scikit-learn: None takes another seed each time.
    threads : int, optional
        By default `cnnfast.get_num_threads`; no result depends on it.

    Attributes
    ----------
    classes_ : array (K,)
    network_ : Network
        Takes bytes as they are; floats centered and scaled by `mean_` and `scale_`.
    history_ : tuple of dict
        See `cnnfast.train.history`.
    n_features_in_ : int
        Numbers in an image or row.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(60, 3))
    >>> model = CNNClassifier(random_state=0).fit(rows, np.where(rows[:, 0] > 0, "cat", "dog"))
    >>> model.classes_.tolist(), model.predict_proba(rows).shape
    (['cat', 'dog'], (60, 2))
    """

    def __init__(
        self,
        architecture: str = "auto",
        *,
        recipe: Recipe | None = None,
        epochs: int | None = None,
        batch: int | None = None,
        image_shape: tuple[int, ...] | None = None,
        random_state: Any = None,
        threads: int | None = None,
    ) -> None:
        self.architecture = architecture
        self.recipe = recipe
        self.epochs = epochs
        self.batch = batch
        self.image_shape = image_shape
        self.random_state = random_state
        self.threads = threads

    def fit(self, X: Any, y: Any) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : array
            Images (N, H, W) or (N, H, W, C), uint8 or floats, or rows (N, F).
        y : array (N,)
            The class of each.

        Raises
        ------
        InputError
            If there is only one class, or images and labels do not fit.
        """
        X, y = validate_data(self, X, y, ensure_2d=False, allow_nd=True, dtype=_kept(X))
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise InputError(f"a classifier needs samples of at least 2 classes, but all are of one class: {y[0]}")
        images = self._images(X)
        seed = int(check_random_state(self.random_state).randint(1 << 31))
        preprocess, mean, scale = _fit_scaling(images)
        net = self._network(images.shape[1:], preprocess, len(classes), seed)
        examples = Examples(_scaled(images, mean, scale), labels.reshape(-1))
        fitted = fit(net, examples, self._recipe(seed), threads=self.threads, progress=False)
        # all together: training that fails leaves what was learned before
        self.n_features_in_ = int(np.prod(X.shape[1:]))
        self.classes_, self.mean_, self.scale_ = classes, mean, scale
        self.network_, self.history_ = fitted.network, fitted.history
        return self

    def _recipe(self, seed: int) -> Recipe:
        base = self.recipe or Recipe(batch=32, optimizer=AdamW(learning_rate=0.01))
        changed = {"epochs": self.epochs, "batch": self.batch}
        fields = {name: getattr(base, name) for name in Recipe.__dataclass_fields__}
        return Recipe(**{**fields, **{k: v for k, v in changed.items() if v is not None}, "seed": seed})

    def _images(self, X: Array) -> Array:
        """Return images (N, H, W, C), or rows (N, F)."""
        if X.ndim == 2 and self.image_shape is not None:
            if int(np.prod(self.image_shape)) != X.shape[1]:
                raise InputError(f"rows have {X.shape[1]} numbers, which are not images of shape {self.image_shape}")
            X = X.reshape(len(X), *self.image_shape)
        if X.ndim == 3:
            X = X[..., None]
        if X.ndim not in (2, 4):
            raise InputError(
                f"X must be images (N, H, W), (N, H, W, C) or rows (N, F), but its shape is {X.shape}. "
                "Reshape your data, a single row with X.reshape(1, -1)"
            )
        return X if X.dtype == np.uint8 and X.ndim == 4 else X.astype(np.float32)

    def _network(self, shape: tuple[int, ...], preprocess: Preprocess | None, classes: int, seed: int) -> Network:
        if len(shape) == 1:
            make, features = LayerMaker(0), shape[0]
            hidden = [make.linear("hidden", features, HIDDEN), Relu(), make.linear("scores", HIDDEN, classes)]
            return Network.from_graph(initialize(Network.from_layers(hidden, shape).graph, seed))
        name = self.architecture
        if name == "auto":
            name = "cnn-16-32-64" if min(shape[:2]) >= SMALLEST else "mlp"
        graph = build(name, (shape[2], *shape[:2]), classes)
        return Network.from_graph(initialize(graph, seed), preprocess=preprocess)

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, float32 (N, K), in the order of `classes_`."""
        check_is_fitted(self)
        X = validate_data(self, X, ensure_2d=False, allow_nd=True, dtype=_kept(X), reset=False)
        if X.ndim == 2 and X.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} features "
                "as input"
            )
        images = self._images(X)
        shape = self.network_.input_shape
        wanted = (*shape[1:], shape[0]) if len(shape) == 3 else shape
        if images.shape[1:] != wanted:
            raise InputError(f"X has images of shape {images.shape[1:]}, but the network learned from {wanted}")
        images = _scaled(images, self.mean_, self.scale_)
        return self.network_.predict_proba(images, layout="nhwc", threads=self.threads)

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each, (N,)."""
        probabilities = self.predict_proba(X)
        labels: Array = self.classes_[probabilities.argmax(axis=1)]
        return labels


class CNNFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What a trained network knows about images, for any classifier of scikit-learn.

    Parameters
    ----------
    model : str
        A shipped network or a model file.
    layer : str, optional
        By default what the last dense layer reads; see `cnnfast.Network.features`.
    threads : int, optional

    Attributes
    ----------
    network_ : Network

    Examples
    --------
    >>> images = np.zeros((2, 64, 48, 3), np.uint8)
    >>> features = CNNFeatures("cifar10-cs61c").fit(images)
    >>> features.transform(images).shape, features.get_feature_names_out()[-1]
    ((2, 320), 'cnnfeatures319')
    """

    def __init__(self, model: str = "cifar10-resnet", *, layer: str | None = None, threads: int | None = None) -> None:
        self.model = model
        self.layer = layer
        self.threads = threads

    def fit(self, X: Any, y: Any = None) -> Self:
        """Load the network; nothing is learned."""
        self.network_ = Network.load(self.model)
        none = np.zeros((0, *self.network_.input_shape), np.float32)
        self._n_features_out = self.network_.features(none, self.layer, layout="nchw").shape[1]
        return self

    def transform(self, X: Any) -> Array:
        """Return the features, float32 (N, F); uint8 images of another size are fitted as the network prescribes."""
        check_is_fitted(self)
        images, preprocess = np.asarray(X), self.network_.preprocess
        if images.dtype == np.uint8 and images.ndim in (3, 4) and preprocess is not None:
            images = fit_images(images if images.ndim == 4 else images[..., None], preprocess)
        return self.network_.features(images, self.layer, layout="nhwc", threads=self.threads)


def _fit_scaling(images: Array) -> tuple[Preprocess | None, Array | None, Array | None]:
    """Return the preprocessing of bytes, which is part of the network, or mean and deviation of floats."""
    if images.dtype == np.uint8 and images.shape[3] in (1, 3):
        channels = "gray" if images.shape[3] == 1 else "rgb"
        return fit_scaling(images, Preprocess(size=images.shape[1:3], channels=channels)), None, None
    axes = tuple(range(images.ndim - 1))
    mean = images.mean(axis=axes, dtype=np.float64).astype(np.float32)
    deviation = images.std(axis=axes, dtype=np.float64)
    return None, mean, np.where(deviation > 0, deviation, 1).astype(np.float32)


def _scaled(images: Array, mean: Array | None, scale: Array | None) -> Array:
    if mean is None or scale is None:
        return images
    scaled: Array = (images.astype(np.float32) - mean) / scale
    return scaled


def _kept(X: Any) -> Any:
    """Return the dtype that scikit-learn's validation is to make of X: none other for bytes."""
    return None if getattr(X, "dtype", None) == np.uint8 else "numeric"
