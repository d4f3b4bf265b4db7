"""The public face: a trained network that classifies batches of images."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfast.errors import CnnfastError, GraphError, InputError, ModelFileError, UnsupportedError
from cnnfast.formats import Model, load_model
from cnnfast.formats import save as save_model
from cnnfast.formats.reference import FileReference, load_again, load_shipped_again, refer_to
from cnnfast.graph import Graph, Node, constant
from cnnfast.graph.answers import Answers, answers_of
from cnnfast.images.arrays import check_out, check_policies
from cnnfast.images.preprocess import Preprocess, rule_of
from cnnfast.layers import AnyLayer, Layer, build_graph, graph_without_weights
from cnnfast.network.compiled import Compiled, Settings, checked_batch
from cnnfast.network.records import ranked
from cnnfast.network.runner import NO_PREPROCESSING, Runner
from cnnfast.network.summary import summary_table
from cnnfast.ops import Array, Shape
from cnnfast.runtime.arguments import flag, instance, labels, listed, many, path_of, quoted, text, texts, whole
from cnnfast.runtime.threads import decide

if TYPE_CHECKING:
    from cnnfast.network.stream import Result


class Network:
    """A trained network; immutable, and safe to share between threads.

    Made by `load`, `build`, `from_layers` or `from_graph`. It can be pickled: a shipped one as its name and SHA-256;
    one that was loaded from another file of cnnfast's own format, as long as that file is untouched, as a reference to
    the file, which processes of one machine then share; any other, and what `by_value` returns, with all its weights.

    Examples
    --------
    >>> net = Network.load("mnist-mlp")
    >>> net.predict(np.zeros((3, 28, 28), np.uint8)).shape
    (3,)
    """

    def __init__(self, model: Model, file: FileReference | None = None) -> None:
        self._model = model
        self._file = file
        self._bases: dict[str, Network] = {}
        """Beginnings of this network whose values were asked for, each planned once."""

    @classmethod
    def load(cls, source: str | PathLike[str], **options: Any) -> Network:
        """Load a network by the name of a shipped one (see `cnnfast.list_models`) or from a file of any known format.

        Parameters
        ----------
        source : str or path-like
        **options
            What the file does not say and its format asks for: ``classes``, ``preprocess``, ``input_shape``,
            ``input_layout``, ``output``, ``architecture`` for a state dict; see docs/model-file.md and the page of the
            format.

        Raises
        ------
        ModelFileError
            If there is no such network or file, or the file is damaged.
        UnsupportedError
            If it holds layers that cnnfast does not run; all of them are listed.
        ConfigError
            If the format does not take an option.

        Examples
        --------
        >>> Network.load("cifar10-cs61c").input_shape
        (3, 32, 32)
        """
        from cnnfast.runtime.shipped import find

        path = find(path_of("a network", source, ModelFileError))
        file = None if options else refer_to(path)
        return cls(load_model(path, **options), file)

    @classmethod
    def from_layers(
        cls,
        layers: Sequence[AnyLayer],
        input_shape: Shape,
        *,
        classes: Sequence[str] | None = None,
        preprocess: Preprocess | str | None = None,
        license: str | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> Network:
        """Build a network from a list of layers; see `cnnfast.layers`.

        Parameters
        ----------
        layers : sequence of layers
        input_shape : (C, H, W) or (F,)
            Shape of one image.
        classes : sequence of str, optional
            The label of each output.
        preprocess : Preprocess or str, optional
            How a picture becomes the input, as a rule or as the name of one of `images.preprocess.MODES`: "raw",
            "1/255", "tf", "torch", "caffe"; without it the network takes no uint8 images.
        license, notes : optional
            What else travels in the model file.

        Raises
        ------
        GraphError
            If shapes do not fit.

        Examples
        --------
        >>> from cnnfast.layers import Linear, Softmax
        >>> net = Network.from_layers([Linear(np.eye(2)), Softmax()], input_shape=(2,), classes=["no", "yes"])
        >>> net.predict(np.array([[0, 1]], np.float32))
        array(['yes'], dtype='<U3')
        """
        graph = build_graph(layers, input_shape)
        return cls.from_graph(graph, classes=classes, preprocess=preprocess, license=license, notes=notes)

    @classmethod
    def build(
        cls,
        layers: Sequence[AnyLayer],
        input_shape: Shape,
        *,
        classes: Sequence[str] | None = None,
        preprocess: Preprocess | str | None = None,
        license: str | None = None,
        seed: int = 0,
    ) -> Network:
        """Build a network that has learned nothing yet from layers that are given sizes alone; see `cnnfast.layers`.

        Parameters
        ----------
        layers : sequence of layers
            Such as ``Conv2d(16, 3, padding="same")`` and ``Linear(10)``; those that are given arrays keep them.
        input_shape, classes, preprocess, license
            As for `from_layers`.
        seed : int
            Of the random weights; see `cnnfast.train.initialize`.

        Raises
        ------
        GraphError
            If shapes do not fit.

        Examples
        --------
        >>> from cnnfast.layers import Conv2d, Flatten, Linear, MaxPool, Relu
        >>> layers = [Conv2d(16, 3, padding="same"), Relu(), MaxPool(2), Flatten(), Linear(2)]
        >>> Network.build(layers, input_shape=(3, 64, 64), classes=["cat", "not cat"])
        <cnnfast.Network (3, 64, 64) -> (2,), 5 nodes>
        """
        from cnnfast.architectures.initial import initialize

        graph, fresh = graph_without_weights(layers, input_shape)
        graph = initialize(graph, seed, only=fresh)
        return cls.from_graph(graph, classes=classes, preprocess=preprocess, license=license)

    @classmethod
    def from_graph(
        cls,
        graph: Graph,
        *,
        classes: Sequence[str] | None = None,
        preprocess: Preprocess | str | None = None,
        license: str | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> Network:
        """Build a network from a graph with one input and one output.

        Raises
        ------
        GraphError
            If the graph has several inputs or outputs, or labels or preprocessing do not fit.

        Examples
        --------
        >>> from cnnfast import ops
        >>> net = Network.from_graph(Graph({"x": (2,)}, (Node("y", ops.Relu(), ("x",)),), {}, ("y",)))
        >>> net.forward(np.array([[-1, 1]], np.float32))
        array([[0., 1.]], dtype=float32)
        """
        instance("the graph", graph, Graph, "such as net.graph", GraphError)
        names = labels("classes", classes, GraphError)
        rule = rule_of(preprocess, next(iter(graph.inputs.values()), ()))
        return cls(Model(frozen(graph), rule, names, text("the license", license), texts("notes", notes)))

    @property
    def graph(self) -> Graph:
        """The network as ops connected by values, as it was loaded."""
        return self._model.graph

    @property
    def preprocess(self) -> Preprocess | None:
        """How a picture becomes the input."""
        return self._model.preprocess

    @property
    def license(self) -> str | None:
        """What others may do with the weights."""
        return self._model.license

    @property
    def notes(self) -> Mapping[str, str]:
        """Free text that travels with the network: source, recipe, accuracy."""
        return self._model.notes

    @property
    def input_shape(self) -> Shape:
        """Shape of one image: (C, H, W) or (F,)."""
        (shape,) = self.graph.inputs.values()
        return shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the output for one image."""
        return self.graph.shapes[self._output]

    @property
    def _output(self) -> str:
        (name,) = self.graph.outputs
        return name

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes as a model file holds them: one for a single output; None where it has none."""
        return self._model.classes

    @cached_property
    def classes_(self) -> Array:
        """The label of each class, (K,): names where the network has them, else 0 to K - 1.

        Raises
        ------
        UnsupportedError
            If the output has several axes, and neither a softmax at its end nor the number of labels says which of them
            holds the classes.
        """
        names = self._model.classes
        if names is None:
            return np.arange(self._answers.classes)
        return np.array([f"not {names[0]}", names[0]] if self.is_binary else names)

    @property
    def is_binary(self) -> bool:
        """Whether the network has a single output, the probability or score of one class against all else."""
        return math.prod(self.output_shape) == 1

    @property
    def answer_shape(self) -> Shape:
        """Shape of the labels of one image: () for one label, (4,) for one at each of four positions.

        Examples
        --------
        >>> from cnnfast.layers import Linear, Reshape, Softmax
        >>> four = Network.from_layers([Linear(np.eye(8)), Reshape((4, 2)), Softmax(2)], input_shape=(8,))
        >>> four.answer_shape, four.predict(np.zeros((3, 8), np.float32)).shape
        ((4,), (3, 4))
        """
        return self._answers.positions

    @cached_property
    def _answers(self) -> Answers:
        names = self._model.classes
        return answers_of(self.graph, None if names is None else len(names))

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
            that nobody has preprocessed. Without preprocessing any float is taken.
        threads : int, optional
            By default what `cnnfast.get_num_threads` says.
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
            As for `forward`; ``out`` is as what is returned.

        Returns
        -------
        float32 array (N, K) or (N, *answer_shape, K)
            The last axis in the order of `classes_`.

        Raises
        ------
        InputError
            As for `forward`.
        UnsupportedError
            If nothing says where the classes are; see `classes_`.

        Examples
        --------
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
    ) -> Generator[Result, None, None]:
        """Classify images of any size one after the other, decoding some while others are computed.

        Memory is bounded; ``images`` may be endless, and is read a few batches ahead. Closing the generator ends all
        threads.

        Parameters
        ----------
        images : iterable
            Paths, bytes or binary files of pictures, uint8 arrays (h, w, c) of any size, or float arrays (H, W, C) that
            are preprocessed already, in any mixture.
        batch : int, optional
            Images that are computed together; changes no result.
        outliers : {"raise", "accept"}
            As for `forward`, of float arrays.
        threads : int, optional
            Threads that compute; by default what `cnnfast.get_num_threads` says.
        workers : int, optional
            Threads that decode; by default as many.

        Yields
        ------
        Result
            ``(item, label, probabilities, error)`` for each image, in order. An image that cannot be read or computed
            has an error, `PictureError` or `InputError`, and the stream goes on.

        Raises
        ------
        InputError
            If the network has no preprocessing.
        ConfigError
            If a number is none.

        Examples
        --------
        >>> net = Network.load("mnist-mlp")
        >>> for item, label, probabilities, error in net.stream([np.zeros((40, 30), np.uint8), "missing.png"]):
        ...     print(label if error is None else error)
        1
        missing.png: no such file
        """
        from cnnfast.network.stream import Pipeline, Result, decode, default_batch

        preprocess = self._needed_preprocess()
        count = decide(threads)[0]

        def compute(pixels: Array) -> Array:
            return self.predict_proba(pixels, layout="nhwc", outliers=outliers, threads=count)

        size = default_batch(count) if batch is None else checked_batch(batch)
        readers = decide(threads if workers is None else workers)[0]
        images = many("images", images, InputError)
        pipeline = Pipeline[object](lambda item: decode(item, preprocess), compute, size, readers)
        return self._labeled(pipeline.run(images), Result)

    def _labeled(
        self, outcomes: Generator[tuple[object, Any], None, None], result: type[Result]
    ) -> Generator[Result, None, None]:
        with closing(outcomes):
            for item, outcome in outcomes:
                if isinstance(outcome, CnnfastError):
                    yield result(item, None, None, outcome, self.classes_)
                else:
                    label = self.classes_[outcome.argmax(axis=-1)].tolist()
                    yield result(item, label, outcome, None, self.classes_)

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
            By default what `cnnfast.get_num_threads` says now.
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
            If ``batch`` is no integer from 1 up, or ``threads`` no number of threads.
        UnsupportedError
            For probabilities of a network with a single output, which are made of its result; say ``raw=True``.

        Examples
        --------
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

    def truncate(self, layer: str) -> Network:
        """Return the network that ends at a layer, with its values as output.

        Raises
        ------
        GraphError
            If there is no such layer; the message lists them.

        Examples
        --------
        >>> Network.load("cifar10-cs61c").truncate("max_pool_1").output_shape
        (16, 16, 16)
        """
        return Network(Model(self.graph.cut([layer]), self.preprocess, None, self.license, dict(self.notes)))

    def features(
        self,
        images: object,
        layer: str | None = None,
        *,
        layout: str | None = None,
        outliers: str = "raise",
        threads: int | None = None,
    ) -> Array:
        """Compute what the network knows about each image before it decides.

        Parameters
        ----------
        images, layout, outliers, threads
            As for `forward`.
        layer : str, optional
            Whose values; by default those that the last dense layer reads.

        Returns
        -------
        float32 array (N, F)

        Raises
        ------
        GraphError
            If there is no such layer.
        InputError
            As for `forward`.

        Examples
        --------
        >>> Network.load("cifar10-cs61c").features(np.zeros((2, 32, 32, 3), np.uint8)).shape
        (2, 320)
        """
        from cnnfast.network import heads

        layer = heads.feature_layer(self.graph) if layer is None else layer
        base = self._bases.get(layer) if isinstance(layer, str) else None
        base = base or self._bases.setdefault(layer, self.truncate(layer))
        values = base.forward(images, layout=layout, outliers=outliers, threads=threads)
        return values.reshape(-1, math.prod(base.output_shape))

    def mirrored(self) -> Network:
        """Return the network that decides by the mean of its scores for an image and for its mirror image.

        That is right a little more often, where left and right do not matter, and takes twice as long. The scores are
        the values before a softmax or sigmoid at the end.

        Raises
        ------
        GraphError
            If the network does not take one image and give one output.
        UnsupportedError
            If it gives several answers for each image: some of them may belong to places in it.

        Examples
        --------
        >>> net, images = Network.load("cifar10-cs61c"), np.arange(3072, dtype=np.uint8).reshape(1, 32, 32, 3)
        >>> both = net.mirrored()
        >>> bool(np.allclose(both.forward(images), both.forward(images[:, :, ::-1]), atol=1e-6))
        True
        """
        from cnnfast.network import heads

        if self.answer_shape:
            raise UnsupportedError(
                f"this network gives answers of shape {self.answer_shape} for each image; only one that gives a single "
                "answer has a mirrored twin, because those of a mirror image may stand elsewhere"
            )
        graph, model = heads.mirrored(self.graph), self._model
        return Network(Model(graph, self.preprocess, model.classes, self.license, dict(self.notes)))

    def with_head(
        self,
        classes: Sequence[str],
        layers: Sequence[int | Layer] = (),
        *,
        layer: str | None = None,
        seed: int = 0,
    ) -> Network:
        """Return the network with a new end, which knows nothing yet and is to be trained; see `cnnfast.train.fit`.

        Parameters
        ----------
        classes : sequence of str
            What to tell apart; a dense layer with an output for each is the last one.
        layers : sequence of int and Layer
            What comes before it; an int stands for a dense layer of so many outputs.
        layer : str, optional
            What is kept, up to this layer; by default all before the last dense layer.
        seed : int
            Of the new weights.

        Raises
        ------
        GraphError
            If there is no such layer, or shapes do not fit.

        Examples
        --------
        >>> from cnnfast.layers import Relu
        >>> pets = Network.load("cifar10-cs61c").with_head(["cat", "dog"], layers=[16, Relu()])
        >>> pets.output_shape, pets.classes_.tolist()
        ((2,), ['cat', 'dog'])
        """
        from cnnfast.network import heads

        names = tuple(map(str, listed("classes", labels("classes", classes, GraphError), GraphError)))
        whole("seed", seed, least=0)
        at = heads.feature_layer(self.graph) if layer is None else layer
        graph = heads.with_head(self.graph, len(names), layers, at, seed)
        return Network.from_graph(graph, classes=names, preprocess=self.preprocess, license=self.license)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network to one file of cnnfast's own format; see docs/model-file.md.

        Raises
        ------
        ConfigError
            If the name ends like one of another format, such as .onnx.
        ModelFileError
            If the network holds what a file cannot hold.
        OutputError
            If the file cannot be written: there is no such folder, the disk is full, …

        Examples
        --------
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "copy.safetensors"
        >>> Network.load("mnist-mlp").save(path)
        >>> Network.load(path).input_shape
        (1, 28, 28)
        """
        save_model(self._model, path_of("the file to save to", path))

    def by_value(self) -> Network:
        """Return the same network, but pickled with all its weights: for workers on machines that lack its file.

        Examples
        --------
        >>> import pickle
        >>> net = Network.load("mnist-mlp")
        >>> len(pickle.dumps(net)) < 300, len(pickle.dumps(net.by_value())) > 1_600_000
        (True, True)
        """
        return Network(self._model)

    def summary(self) -> str:
        """Return a table: each layer with its op, output shape, parameters and multiply-adds.

        Examples
        --------
        >>> print(Network.load("cifar10-cs61c").summary().splitlines()[0])
        layer          op        output       parameters       MACs
        """
        return summary_table(self.graph)

    def explain(self, *, small_batch: bool = False) -> str:
        """Return how the network runs: the kernel of each step and why it was chosen.

        With ``small_batch`` it is how images that fill no group run one at a time; the results are the same to the bit.

        Examples
        --------
        >>> "dense_f32" in Network.load("mnist-mlp").explain()
        True
        """
        if not flag("small_batch", small_batch):
            return self._raw.plan().explain()
        plan = self._raw.plan().small_batch
        return plan.explain() if plan else "there is no plan for few images: they run as a group\n"

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<cnnfast.Network {self.input_shape} -> {self.output_shape}, {len(self.graph.nodes)} nodes>"

    def __copy__(self) -> Network:
        return self

    def __deepcopy__(self, memo: object) -> Network:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self._file is not None and self._file.is_current():
            if self._file.shipped is not None:
                return _from_shipped, (self._file.shipped, self._file.sha256)
            return _from_file, (self._file.path, self._file.sha256)
        graph, model = self.graph, self._model
        parts = (dict(graph.inputs), graph.nodes, dict(graph.constants), graph.outputs)
        return _rebuild, (*parts, model.preprocess, model.classes, model.license, dict(model.notes))

    @cached_property
    def _raw(self) -> Runner:
        return Runner(self.graph, self.output_shape, self.preprocess)

    @cached_property
    def _probabilities(self) -> Runner:
        answers = self._answers
        shape = (1,) if self.is_binary else (*answers.positions, answers.classes)
        if answers.graph is self.graph and shape == self.output_shape:
            return self._raw
        return Runner(answers.graph, shape, self.preprocess)

    def _needed_preprocess(self) -> Preprocess:
        if self.preprocess is None:
            raise InputError(NO_PREPROCESSING)
        return self.preprocess


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


def _from_file(path: str, sha256: str) -> Network:
    """Load a network again that `Network.__reduce__` has pickled as a reference to its file."""
    return Network(load_again(path, sha256), refer_to(path))


def _from_shipped(name: str, sha256: str) -> Network:
    """Load a shipped network again that `Network.__reduce__` has pickled as its name."""
    return Network(*load_shipped_again(name, sha256))


def _rebuild(
    inputs: Mapping[str, Shape],
    nodes: tuple[Node, ...],
    constants: Mapping[str, Array],
    outputs: tuple[str, ...],
    preprocess: Preprocess | None,
    classes: tuple[str, ...] | None,
    license: str | None,
    notes: Mapping[str, str],
) -> Network:
    """Build a network again from what `Network.__reduce__` pickled."""
    return Network(Model(Graph(inputs, nodes, constants, outputs), preprocess, classes, license, notes))


def frozen(graph: Graph) -> Graph:
    """Return a graph with constants of its own, which nobody can change."""
    constants = {name: constant(array, array.dtype) for name, array in graph.constants.items()}
    return Graph(graph.inputs, graph.nodes, constants, graph.outputs)
