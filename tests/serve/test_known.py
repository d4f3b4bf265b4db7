"""Pictures unlike what a network has learned are marked, where its file says how familiar a known one is."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from running_server import Served, picture

from cnnfast import ModelFileError, Network, read_picture
from cnnfast.calibration import Recognizer
from cnnfast.calibration.familiarity import noted
from cnnfast.serve import Batcher
from cnnfast.serve.known import batcher_for

FILES = [picture() for _ in range(8)]


def with_note(net: Network, note: dict[str, str]) -> Network:
    return Network(dataclasses.replace(net._model, notes=note))


@pytest.fixture(scope="module")
def pixels(net: Network) -> np.ndarray:
    assert net.preprocess is not None
    return np.stack([read_picture(file, net.preprocess) for file in FILES])


@pytest.fixture(scope="module")
def judged(net: Network, pixels: np.ndarray) -> tuple[Network, list[bool]]:
    """Return a network that half of the pictures are unknown to, and which they are."""
    familiarity = Recognizer(net, known_above=0.0).recognize(pixels)[1]
    least = float(np.sort(familiarity)[3])  # what is just as familiar as that is unknown, too
    return with_note(net, noted(least)), (familiarity <= least).tolist()


@pytest.fixture(scope="module")
def judging(
    serve: Callable[..., Served], judged: tuple[Network, list[bool]], tmp_path_factory: pytest.TempPathFactory
) -> Served:
    folder = tmp_path_factory.mktemp("known")
    judged[0].save(folder / "judge.safetensors")
    with_note(judged[0], {}).save(folder / "plain.safetensors")
    return serve(folder / "judge.safetensors", folder / "plain.safetensors")


def test_rows_have_the_bits_of_predict_proba_and_the_judgment(
    judged: tuple[Network, list[bool]], pixels: np.ndarray
) -> None:
    net, is_unknown = judged
    assert net.preprocess is not None
    batcher = batcher_for(net)
    assert batcher.judges

    async def main() -> list[np.ndarray]:
        async with batcher:
            values = net.preprocess(pixels)
            return [await batcher.predict_proba(pixels), await batcher.predict_proba(values), *[
                np.stack(await batcher.classify_many(FILES[:count])) for count in (1, 8)
            ]]  # fmt: skip

    of_pixels, of_values, *of_files = asyncio.run(main())
    assert np.array_equal(of_values[:, :-1], net.predict_proba(net.preprocess(pixels), layout="nchw"))
    for rows in (of_pixels, *of_files):
        assert np.array_equal(rows[:, :-1], net.predict_proba(pixels[: len(rows)]))
        assert rows[:, -1].tolist() == is_unknown[: len(rows)]


@pytest.mark.parametrize("note", [{}, {"temperature": "0.5"}])
def test_a_file_without_a_threshold_costs_nothing(net: Network, note: dict[str, str]) -> None:
    batcher = batcher_for(with_note(net, note))
    assert type(batcher) is Batcher
    assert not batcher.judges


def test_a_threshold_that_is_not_a_number_is_refused(net: Network) -> None:
    with pytest.raises(ModelFileError, match="must be a number"):
        batcher_for(with_note(net, {"known above": "much"}))


def test_classify_says_what_is_unknown(judging: Served, judged: tuple[Network, list[bool]]) -> None:
    replies = [judging.post("/classify?top=2", file) for file in FILES]
    assert [reply.json["unknown"] for reply in replies] == judged[1]
    assert 0 < sum(judged[1]) < 8
    plain = [judging.post("/classify?top=2&model=plain", file).json for file in FILES]
    assert ["unknown" in one for one in plain] == [False] * 8
    assert [reply.json["labels"] for reply in replies] == [one["labels"] for one in plain]


@pytest.mark.parametrize("is_binary", [False, True])
def test_the_inference_protocol_has_one_more_output(
    judging: Served, judged: tuple[Network, list[bool]], pixels: np.ndarray, is_binary: bool
) -> None:
    outputs = judging.ask("GET", "/v2/models/judge").json["outputs"]
    assert outputs[2] == {"name": "unknown", "datatype": "BOOL", "shape": [-1]}
    assert len(judging.ask("GET", "/v2/models/plain").json["outputs"]) == 2
    tensor = {"name": "pixels", "datatype": "UINT8", "shape": list(pixels.shape), "data": pixels.ravel().tolist()}
    asked = {"inputs": [tensor], "parameters": {"binary_data_output": is_binary}}
    reply = judging.post("/v2/models/judge/infer", json.dumps(asked), content_type="application/json")
    assert reply.status == 200
    if is_binary:
        size = int(reply.headers["inference-header-content-length"])
        assert [one["name"] for one in json.loads(reply.body[:size])["outputs"]] == [
            "probabilities", "label", "unknown",
        ]  # fmt: skip
        found = [bool(byte) for byte in reply.body[-8:]]
    else:
        probabilities, _, unknown = reply.json["outputs"]
        assert probabilities["shape"] == [8, 10]
        assert np.array_equal(np.float32(probabilities["data"]).reshape(8, 10), judged[0].predict_proba(pixels))
        found = unknown["data"]
    assert found == judged[1]
    asked["outputs"] = [{"name": "unknown"}]
    refused = judging.post("/v2/models/plain/infer", json.dumps(asked), content_type="application/json")
    assert (refused.status, refused.error) == (400, "outputs are probabilities and label, each once at most")


def test_tritonclient_reads_it(judging: Served, judged: tuple[Network, list[bool]], pixels: np.ndarray) -> None:
    triton = pytest.importorskip("tritonclient.http", exc_type=ImportError)
    with triton.InferenceServerClient(judging.address) as client:
        given = triton.InferInput("pixels", pixels.shape, "UINT8")
        given.set_data_from_numpy(pixels)
        assert client.infer("judge", [given]).as_numpy("unknown").tolist() == judged[1]


def test_the_file_of_a_network_of_integers_may_have_one_too(net: Network, pixels: np.ndarray, tmp_path: Path) -> None:
    integers = with_note(Network.load("cifar10-cs61c-int8"), noted(-1e9))
    integers.save(tmp_path / "i.safetensors")
    batcher = batcher_for(Network.load(tmp_path / "i.safetensors"))

    async def main() -> np.ndarray:
        async with batcher:
            rows: np.ndarray = await batcher.predict_proba(pixels)
            return rows

    rows = asyncio.run(main())
    assert np.array_equal(rows[:, :-1], integers.predict_proba(pixels))
    assert not rows[:, -1].any()
