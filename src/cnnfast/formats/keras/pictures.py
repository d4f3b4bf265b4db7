"""Layers of Keras that prepare pictures: they resize, crop, or change something at random in training alone."""

from __future__ import annotations

from collections.abc import Callable

from cnnfast.errors import GraphError, ModelFileError
from cnnfast.formats.channels_last import ImageGraph, Value
from cnnfast.formats.keras.attributes import LayerAttributes
from cnnfast.formats.keras.config import KerasLayer
from cnnfast.formats.keras.layer_call import LAYERS, Apply, LayerCall, layer
from cnnfast.ops import Array, Identity, Pad, Resize


@layer(
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomShear",
    "RandomPerspective",
    "RandomElasticTransform",
    "RandomContrast",
    "RandomBrightness",
    "RandomSaturation",
    "RandomHue",
    "RandomColorJitter",
    "RandomColorDegeneration",
    "RandomGrayscale",
    "RandomInvert",
    "RandomPosterization",
    "RandomSharpness",
    "RandomGaussianBlur",
    "RandomErasing",
    "AugMix",
    "CutMix",
    "MixUp",
    "RandAugment",
    "Equalization",
    "Solarization",
    "MaxNumBoundingBoxes",
)
def _only_in_training(attributes: LayerAttributes) -> Apply:
    attributes.ignore_all()

    def apply(call: LayerCall) -> Value:
        _predict(call, attributes.version)
        return call.graph.each(call.name, Identity(), call.x)

    return apply


def _predict(call: LayerCall, version: int) -> None:
    """Accept what Keras 3 writes with every layer of this kind, and overrules when it predicts: training=True."""
    if version >= 3:
        call.argument("training")


@layer("Pipeline")
def _pipeline(attributes: LayerAttributes) -> Apply:
    """Return the layers of the list one after the other."""
    entries = attributes.raw("layers")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ModelFileError(f"layers must be a list of layers, but is {entries!r:.80}")
    steps: list[tuple[str, Apply]] = []
    for entry in entries:
        kind, config = entry.get("class_name"), entry.get("config")
        if not isinstance(kind, str) or kind not in LAYERS or kind == "Pipeline" or not isinstance(config, dict):
            raise attributes.refuse(f"layers={kind!r:.60}, which is not supported in a Pipeline")
        inner = LayerAttributes(KerasLayer(kind.lower(), kind, "", config, ()), attributes.version)
        steps.append((f"{len(steps)}_{kind.lower()}", LAYERS[kind](inner)))
        inner.check_rest()

    def apply(call: LayerCall) -> Value:
        x = call.x
        for name, step in steps:
            x = step(LayerCall(call.graph, f"{call.name}/{name}", [x], {}, _no_weights))
        _predict(call, attributes.version)
        return call.graph.each(call.name, Identity(), x)

    return apply


def _no_weights(*roles: str) -> list[Array]:
    raise ModelFileError(f"a layer of a Pipeline needs the weights {', '.join(roles)}")


def _target(attributes: LayerAttributes) -> tuple[int, int]:
    return attributes.integer("height"), attributes.integer("width")


@layer("Resizing")
def _resizing(attributes: LayerAttributes) -> Apply:
    target, channels = _target(attributes), attributes.channels_axis()
    mode = attributes.choice("interpolation", "bilinear", "bilinear", "nearest")
    antialias = attributes.flag("antialias", False)
    crops, pads = attributes.flag("crop_to_aspect_ratio", False), attributes.flag("pad_to_aspect_ratio", False)
    attributes.choice("fill_mode", "constant", "constant")
    background = attributes.number("fill_value", 0.0)
    if crops and pads:
        raise ModelFileError("crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other")

    def resize(graph: ImageGraph, name: str, x: Value) -> Value:
        if crops:
            x = _largest_window(graph, f"{name}/window", x, target)
        elif pads:
            x = _padded(graph, f"{name}/padded", x, target, background)
        return _resized(graph, name, x, target, mode, antialias)

    return _on_images(attributes, channels, resize)


@layer("CenterCrop")
def _center_crop(attributes: LayerAttributes) -> Apply:
    target, channels = _target(attributes), attributes.channels_axis()

    def crop(graph: ImageGraph, name: str, x: Value) -> Value:
        height, width = graph.size(x)
        if height < target[0] or width < target[1]:
            return _resized(graph, name, _largest_window(graph, f"{name}/window", x, target), target)
        return graph.crop(name, x, (height - target[0]) // 2, (width - target[1]) // 2, *target)

    return _on_images(attributes, channels, crop)


@layer("RandomCrop")
def _random_crop(attributes: LayerAttributes) -> Apply:
    target, channels = _target(attributes), attributes.channels_axis()
    attributes.ignore("seed")

    def crop(graph: ImageGraph, name: str, x: Value) -> Value:
        if graph.size(x) == target:
            return x
        if attributes.version >= 3:
            # its documentation says that it resizes, its releases of 2025 leave images as they are
            raise attributes.refuse(
                f"what it does to images of {graph.size(x)} in prediction depends on the release of Keras 3; "
                "build the network with CenterCrop or Resizing instead"
            )
        return _resized(graph, name, _largest_window(graph, f"{name}/window", x, target), target)

    return _on_images(attributes, channels, crop)


def _on_images(attributes: LayerAttributes, channels: int, change: Callable[[ImageGraph, str, Value], Value]) -> Apply:
    def apply(call: LayerCall) -> Value:
        _predict(call, attributes.version)
        return call.on_image(channels, lambda name, x: change(call.graph, name, x))

    return apply


def _resized(
    graph: ImageGraph, name: str, x: Value, target: tuple[int, int], mode: str = "bilinear", antialias: bool = False
) -> Value:
    if graph.size(x) == target:
        return x
    if mode == "nearest":
        return graph.add(name, Resize(target, "nearest", "half_pixel", "round_prefer_ceil"), x)
    # with antialiasing all backends leave out what is beyond the edge
    return graph.add(name, Resize(target, "linear", antialias=antialias, exclude_outside=antialias), x)


def _largest_window(graph: ImageGraph, name: str, x: Value, target: tuple[int, int]) -> Value:
    """Append the largest window in the middle that has the proportions of the target, as Keras rounds it."""
    height, width = graph.size(x)
    window_height = max(min(height, width * target[0] // target[1]), 1)
    window_width = max(min(width, height * target[1] // target[0]), 1)
    top, left = (height - window_height) // 2, (width - window_width) // 2
    return graph.crop(name, x, top, left, window_height, window_width)


def _padded(graph: ImageGraph, name: str, x: Value, target: tuple[int, int], background: float) -> Value:
    """Append what pads both sides alike until the proportions are those of the target, as Keras rounds it."""
    height, width = graph.size(x)
    rows = (max(height, width * target[0] // target[1]) - height) // 2
    columns = (max(width, height * target[1] // target[0]) - width) // 2
    if rows == columns == 0:
        return x
    if rows and columns:
        raise GraphError(f"an image of {height}x{width} cannot be padded to the proportions of {target}")
    return graph.add(name, Pad((rows, columns, rows, columns), background), x)
