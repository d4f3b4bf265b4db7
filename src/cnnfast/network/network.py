"""The public face: a trained network that classifies batches of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from cnnfast.errors import GraphError, ModelFileError
from cnnfast.formats import Model, load_model
from cnnfast.formats import save as save_model
from cnnfast.formats.reference import load_again, load_shipped_again, refer_to
from cnnfast.graph import Graph, Node
from cnnfast.images.preprocess import Preprocess, rule_of
from cnnfast.network.facts import with_own_constants
from cnnfast.network.summary import summary_html, summary_table
from cnnfast.network.surgery import NetworkSurgery
from cnnfast.ops import Array, Shape
from cnnfast.runtime.arguments import flag, instance, labels, path_of, text, texts
from cnnfast.runtime.mapped import check_not_rewritten

if TYPE_CHECKING:
    from cnnfast.formats.remembered import Remembered
    from cnnfast.layers import AnyLayer


class Network(NetworkSurgery):
    """A trained network; immutable, and safe to share between threads.

    Made by `load`, `build`, `from_layers` or `from_graph`. It can be pickled: a shipped one as its name and SHA-256,
    and its path for where the name means another one; one that was loaded from another file of cnnfast's own format,
    as long as that file is untouched, as a reference to the file, whose float32 weights processes of one machine then
    share; any other, and what `by_value` returns, with all its weights.

    Examples
    --------
    >>> import numpy as np
    >>> net = Network.load("mnist-mlp")
    >>> net.predict(np.zeros((3, 28, 28), np.uint8)).shape
    (3,)
    """

    @classmethod
    def load(cls, source: str | PathLike[str], **options: Any) -> Network:
        """Load a network by the name of a shipped one (see `cnnfast.list_models`) or from a file of any known format.

        Parameters
        ----------
        source : str or path-like
        **options
            What the file lacks and its format needs: ``classes``, ``preprocess``, ``input_shape``,
            ``input_layout``, ``output``, ``integers``, ``architecture`` for a state dict; see docs/model-file.md and
            the page of the format.

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
        >>> import numpy as np
        >>> from cnnfast.layers import Linear, Softmax
        >>> net = Network.from_layers([Linear(np.eye(2)), Softmax()], input_shape=(2,), classes=["no", "yes"])
        >>> net.predict(np.array([[0, 1]], np.float32))
        array(['yes'], dtype='<U3')
        """
        from cnnfast.layers import build_graph

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
        """Build an untrained network from layers with sizes but without weights; see `cnnfast.layers`.

        Parameters
        ----------
        layers : sequence of layers
            Such as ``Conv2d(16, 3, padding="same")`` and ``Linear(10)``; those made with arrays keep them.
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
        from cnnfast.layers import graph_without_weights

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
        >>> import numpy as np
        >>> from cnnfast import ops
        >>> net = Network.from_graph(Graph({"x": (2,)}, (Node("y", ops.Relu(), ("x",)),), {}, ("y",)))
        >>> net.forward(np.array([[-1, 1]], np.float32))
        array([[0., 1.]], dtype=float32)
        """
        instance("the graph", graph, Graph, "such as net.graph", GraphError)
        names = labels("classes", classes, GraphError)
        rule = rule_of(preprocess, next(iter(graph.inputs.values()), ()))
        return cls(Model(with_own_constants(graph), rule, names, text("the license", license), texts("notes", notes)))

    def save(
        self, path: str | PathLike[str], *, dtype: str | None = None, borrow: str | PathLike[str] | None = None
    ) -> None:
        """Write the network to one file: ``NAME.safetensors`` of cnnfast's own format, or ``NAME.onnx``.

        Labels, preprocessing, license and notes are in both; see docs/model-file.md and docs/onnx.md.

        Parameters
        ----------
        path : str or path-like
            Replaced where it exists.
        dtype : str, optional
            "float16" rounds the weights, so that the file takes half the bytes, and "int8" those of convolutions and
            dense layers, on a scale for each output channel, for a quarter of the bytes; in memory they are float32
            again. The note ``rounded`` of the file says by how much that has changed them.
        borrow : str or path-like, optional
            Another model file in the same folder. Weights that it has too are left out and read from there, so a base
            with many heads is stored once; the files belong together from then on.

        Raises
        ------
        ConfigError
            If the name ends otherwise, the package onnx is missing for an ONNX file, or the dtype is another one, or
            not for such a file.
        UnsupportedError
            If an ONNX file cannot hold an op of the network; all of them are listed.
        ModelFileError
            If the network holds what a file cannot hold, such as a weight above 65,504 as float16; or the file to
            borrow from is elsewhere, or has no weight in common with the network.
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
        lender = None if borrow is None else path_of("the file to borrow from", borrow)
        save_model(self._model, path_of("the file to save to", path), dtype, lender)

    def by_value(self) -> Network:
        """Return the same network, but pickled with all its weights: for workers on machines that lack its file.

        Examples
        --------
        >>> import pickle
        >>> net = Network.load("mnist-mlp")
        >>> len(pickle.dumps(net)) < 600, len(pickle.dumps(net.by_value())) > 1_600_000
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

        With ``small_batch`` it is how images that do not fill a group run; the results are bit-identical.

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

    def _repr_html_(self) -> str:
        title = f"cnnfast.Network {self.input_shape} -> {self.output_shape}"
        return summary_html(self.graph, title, self.class_names, self.license)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            if name.startswith("_"):
                raise AttributeError(f"'Network' object has no attribute {name!r}")
            from cnnfast.network.foreign import OF_NETWORK, about_unknown

            known = [word for word in dir(type(self)) if not word.startswith("_")]
            raise AttributeError(about_unknown("a network", name, OF_NETWORK, known))

    def __copy__(self) -> Network:
        return self

    def __deepcopy__(self, memo: object) -> Network:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self._file is not None and self._file.is_current():
            if self._file.shipped is not None:
                return _from_shipped, (self._file.shipped, self._file.sha256, self._file.path)
            return _from_file, (self._file.path, self._file.sha256)
        graph, model = self.graph, self._model
        check_not_rewritten(graph.constants.values())
        parts = (dict(graph.inputs), graph.nodes, dict(graph.constants), graph.outputs)
        return _rebuild, (*parts, model.preprocess, model.classes, model.license, dict(model.notes), model.remembered)


def _from_file(path: str, sha256: str) -> Network:
    """Load a network again that `Network.__reduce__` has pickled as a reference to its file."""
    return Network(*load_again(path, sha256))


def _from_shipped(name: str, sha256: str, elsewhere: str = "") -> Network:
    """Load a shipped network again that `Network.__reduce__` has pickled as its name, and as its path behind that."""
    return Network(*load_shipped_again(name, sha256, elsewhere))


def _rebuild(
    inputs: Mapping[str, Shape],
    nodes: tuple[Node, ...],
    constants: Mapping[str, Array],
    outputs: tuple[str, ...],
    preprocess: Preprocess | None,
    classes: tuple[str, ...] | None,
    license: str | None,
    notes: Mapping[str, str],
    remembered: Remembered | None = None,
) -> Network:
    """Build a network again from what `Network.__reduce__` pickled."""
    graph = Graph(inputs, nodes, constants, outputs)
    return Network(Model(graph, preprocess, classes, license, notes, remembered))
