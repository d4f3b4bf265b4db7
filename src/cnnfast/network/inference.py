"""From images to answers: the calls of a network."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfast.errors import InputError, UnsupportedError
from cnnfast.images.arrays import check_out, check_policies
from cnnfast.network.compiled import Compiled, Settings, checked_batch
from cnnfast.network.facts import NetworkFacts
from cnnfast.network.records import ranked
from cnnfast.network.runner import NO_PREPROCESSING, Runner
from cnnfast.ops import Array
from cnnfast.runtime.arguments import flag, quoted
from cnnfast.runtime.once import made_once
from cnnfast.runtime.threads import decide

if TYPE_CHECKING:
    from cnnfast.network.stream import StreamResult


class NetworkCalls(NetworkFacts):
    """The part of `cnnfast.Network` that computes; each graph is planned when it is first asked for."""

    def forward(
        self,
        images: object,
        *,
        layout: str | None = None,
        nan_policy: str = "raise",
        outliers: str = "raise",
        threads: int | None = None,
        out: Array | None = None,
    ) -> Array:
        """Compute the raw output of the network.

        Parameters
        ----------
        images : array-like
            uint8 pixels (N, H, W, C) or (H, W, C), which the network's preprocessing turns into values; or floats,
            which are taken as they are. Anything with the buffer, array or DLPack protocol; it is not copied and not
            changed. Where `input_shape` has fewer axes, a batch is (N, *input_shape).
        layout : {"nchw", "nhwc"}, optional
            Of ``images``; pixels are nhwc by default, floats with several channels must state it.
        nan_policy : {"raise", "propagate"}
            What to do with floats that are not finite.
        outliers : {"raise", "accept"}
            What to do with floats far outside of what the preprocessing makes of a picture, such as pixels of 0 to 255
            that have not been preprocessed. Without preprocessing any float is taken.
        threads : int, optional
            By default `cnnfast.get_num_threads`.
        out : float32 array (N, ...), optional
            Contiguous memory for the result, which is then the array that is returned.

        Returns
        -------
        float32 array (N, ...)

        Raises
        ------
        InputError
            If the images do not fit: type, rank, size, layout, or a value that is not finite or far outside; or if
            ``out`` does not.

        Examples
        --------
        >>> from cnnfast import Network
        >>> Network.load("mnist-mlp").forward(np.zeros((2, 28, 28), np.uint8)).shape
        (2, 10)
        """
        return self._raw.run(images, layout, nan_policy, outliers, threads, out)

    def predict_proba(
        self,
        images: object,
        *,
        layout: str | None = None,
        nan_policy: str = "raise",
        outliers: str = "raise",
        threads: int | None = None,
        out: Array | None = None,
    ) -> Array:
        """Compute the probability of each class.

        A network that ends in softmax or sigmoid gives probabilities itself; one that ends in scores is followed by a
        softmax (by a sigmoid if it has a single output). A single probability p counts as the classes (1 - p, p).

        Parameters
        ----------
        images, layout, nan_policy, outliers, threads, out
            As for `forward`; ``out`` has the shape of the result.

        Returns
        -------
        float32 array (N, K) or (N, *answer_shape, K)
            The last axis in the order of `classes_`.

        Raises
        ------
        InputError
            As for `forward`.
        UnsupportedError
            If it is unknown which axis has the classes; see `classes_`.

        Examples
        --------
        >>> from cnnfast import Network
        >>> Network.load("mnist-mlp").predict_proba(np.zeros((2, 28, 28), np.uint8)).sum(axis=1).round(3)
        array([1., 1.], dtype=float32)
        """
        if self.is_binary:
            return self._both_classes(images, layout, nan_policy, outliers, threads, out)
        return self._probabilities.run(images, layout, nan_policy, outliers, threads, out)

    def _both_classes(
        self, images: object, layout: str | None, nan_policy: str, outliers: str, threads: int | None, out: Array | None
    ) -> Array:
        single = self._probabilities.run(images, layout, nan_policy, outliers, threads, None)
        if out is not None:
            check_out(out, (len(single), 2))
        return np.concatenate([1 - single, single], axis=1, out=out)

    def predict(
        self,
        images: object,
        *,
        layout: str | None = None,
        outliers: str = "raise",
        threads: int | None = None,
    ) -> Array:
        """Return the most probable label of each image.

        Parameters
        ----------
        images, layout, outliers, threads
            As for `forward`.

        Returns
        -------
        array (N,) or (N, *answer_shape)
            Elements of `classes_`; the first of equal ones.

        Raises
        ------
        InputError
            As for `forward`, and if the network's own result is not a number.
        UnsupportedError
            As for `predict_proba`.

        Examples
        --------
        >>> from cnnfast import Network
        >>> Network.load("mnist-mlp").predict(np.zeros((2, 28, 28), np.uint8)).shape
        (2,)
        """
        probabilities = self.predict_proba(images, layout=layout, outliers=outliers, threads=threads)
        labels: Array = self.classes_[_rank(probabilities, 1)[..., 0]]
        return labels

    def topk(
        self,
        images: object,
        k: int = 5,
        *,
        layout: str | None = None,
        outliers: str = "raise",
        threads: int | None = None,
    ) -> tuple[Array, Array]:
        """Return the ``k`` most probable labels of each image with their probabilities, the most probable first.

        Parameters
        ----------
        images, layout, outliers, threads
            As for `forward`.
        k : int
            At most the number of classes.

        Returns
        -------
        labels : array (N, k) or (N, *answer_shape, k)
        probabilities : float32 array of the same shape

        Raises
        ------
        InputError
            As for `predict`, and if ``k`` is out of range.
        UnsupportedError
            As for `predict_proba`.

        Examples
        --------
        >>> from cnnfast import Network
        >>> labels, probabilities = Network.load("mnist-mlp").topk(np.zeros((2, 28, 28), np.uint8), k=3)
        >>> labels.shape, bool((probabilities[:, 0] >= probabilities[:, 1]).all())
        ((2, 3), True)
        """
        k = self._checked_k(k)
        probabilities = self.predict_proba(images, layout=layout, outliers=outliers, threads=threads)
        order = _rank(probabilities, k)
        return self.classes_[order], np.take_along_axis(probabilities, order, axis=-1)

    def records(
        self,
        images: object,
        k: int = 5,
        *,
        layout: str | None = None,
        outliers: str = "raise",
        threads: int | None = None,
    ) -> list[list[Any]]:
        """Return what `topk` does as JSON has it: for each image a list of labels with their probabilities.

        Parameters
        ----------
        images, k, layout, outliers, threads
            As for `topk`.

        Returns
        -------
        list of list of dict
            Text and numbers of Python. With several answers for each image the lists are nested accordingly.

        Raises
        ------
        InputError, UnsupportedError
            As for `topk`.

        Examples
        --------
        >>> from cnnfast import Network
        >>> import json
        >>> net = Network.load("mnist-mlp")
        >>> json.dumps(net.records(np.zeros((1, 28, 28), np.uint8), k=1))
        '[[{"label": "1", "probability": ...}]]'
        """
        k = self._checked_k(k)
        probabilities = self.predict_proba(images, layout=layout, outliers=outliers, threads=threads)
        _rank(probabilities, 1)
        return [ranked(self.classes_, row, k) for row in probabilities]

    def _checked_k(self, k: object) -> int:
        count = self._answers.classes
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= count:
            raise InputError(f"k must be an integer from 1 to {count}, the number of classes, but is {quoted(k)}")
        return int(k)

    def stream(
        self,
        images: Iterable[object],
        *,
        batch: int | None = None,
        outliers: str = "raise",
        threads: int | None = None,
        workers: int | None = None,
    ) -> Generator[StreamResult, None, None]:
        """Classify images of any size one after the other, decoding some while others are computed.

        Memory is bounded; ``images`` may be endless, and is read a few batches ahead. Closing the generator ends all
        threads.

        Parameters
        ----------
        images : iterable
            Paths, bytes or binary files of pictures, pictures of Pillow, uint8 arrays (h, w, c) of any size, or float
            arrays (H, W, C) that are preprocessed already, in any mixture.
        batch : int, optional
            Images that are computed together; changes no result.
        outliers : {"raise", "accept"}
            As for `forward`, of float arrays.
        threads : int, optional
            Threads that compute; by default `cnnfast.get_num_threads`.
        workers : int, optional
            Threads that decode; by default as many.

        Yields
        ------
        StreamResult
            ``(item, label, probabilities, error)`` for each image, in order. An image that cannot be read or computed
            has an error, `PictureError` or `InputError`, and the stream continues.

        Raises
        ------
        InputError
            If the network has no preprocessing.
        ConfigError
            If ``batch``, ``threads`` or ``workers`` is not a number in its range.

        Examples
        --------
        >>> from cnnfast import Network
        >>> net = Network.load("mnist-mlp")
        >>> for item, label, probabilities, error in net.stream([np.zeros((40, 30), np.uint8), "missing.png"]):
        ...     print(label if error is None else error)
        1
        missing.png: no such file
        """
        from cnnfast.network import stream

        preprocess = self.preprocess
        if preprocess is None:
            raise InputError(NO_PREPROCESSING)
        count = decide(threads)[0]

        def compute(pixels: Array) -> Array:
            return self.predict_proba(pixels, layout="nhwc", outliers=outliers, threads=count)

        size = stream.default_batch(count) if batch is None else checked_batch(batch)
        readers = decide(threads if workers is None else workers)[0]
        images = stream.several_pictures(images)
        pipeline = stream.Pipeline[object](
            lambda item, opened: stream.decode(item, preprocess, opened),
            compute,
            size,
            readers,
            stream.path_of_item,
            bytes_of=stream.bytes_of_item,
        )
        return stream.results_of(pipeline.run(images), self.classes_)

    def compile(
        self,
        *,
        batch: int = 1,
        threads: int | None = None,
        layout: str | None = None,
        nan_policy: str = "raise",
        outliers: str = "raise",
        raw: bool = False,
    ) -> Compiled:
        """Return a function for a tight loop: all that can be decided before the first call is.

        Parameters
        ----------
        batch : int
            Number of images of every call.
        threads : int, optional
            By default the present `cnnfast.get_num_threads`.
        layout, nan_policy, outliers
            As for `forward`.
        raw : bool
            Give what `forward` gives, not probabilities.

        Returns
        -------
        Compiled
            Callable as ``fast(images)`` and ``fast(images, out=result)``.

        Raises
        ------
        ConfigError
            If ``batch`` is not an integer from 1 up, or ``threads`` is not a number of threads.
        UnsupportedError
            For probabilities of a network with a single output, which are made of its result; use ``raw=True``.

        Examples
        --------
        >>> from cnnfast import Network
        >>> fast = Network.load("mnist-mlp").compile(batch=1, threads=1)
        >>> fast(np.zeros((1, 28, 28), np.uint8)).shape
        (1, 10)
        """
        check_policies(nan_policy, outliers)
        flag("raw", raw)
        if self.is_binary and not raw:
            raise UnsupportedError("a network with a single output is compiled with raw=True: its result is P(class 1)")
        runner = self._raw if raw else self._probabilities
        settings = Settings(checked_batch(batch), decide(threads)[0], layout, nan_policy, outliers, raw)
        return Compiled(self, settings, runner.entry_for(settings.batch), runner.rules)

    @made_once
    def _raw(self) -> Runner:
        return Runner(self.graph, self.output_shape, self.preprocess)

    @made_once
    def _probabilities(self) -> Runner:
        answers = self._answers
        shape = (1,) if self.is_binary else (*answers.positions, answers.classes)
        if answers.graph is self.graph and shape == self.output_shape:
            return self._raw
        return Runner(answers.graph, shape, self.preprocess)


def _rank(probabilities: Array, k: int) -> Array:
    """Return where the ``k`` largest elements along the last axis are, the first of equal ones first."""
    odd = np.isnan(probabilities)
    bad = np.flatnonzero(odd.any(axis=tuple(range(1, odd.ndim))))
    if len(bad):
        raise InputError(
            f"the network's result for image {bad[0]} ({len(bad)} in all) is not a number, so it has no label; "
            "look at predict_proba, at the input, and at the weights for values that overflow"
        )
    if k == 1:
        order: Array = probabilities.argmax(axis=-1)[..., None]
    else:
        order = np.argsort(-probabilities, axis=-1, kind="stable")[..., :k]
    return order
