"""Third-party programs for such servers; each test is skipped where its client is not installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from running_server import Served, picture

from cnnfast import Network, read_picture


@pytest.mark.parametrize("is_binary", [False, True])
def test_tritonclient(server: Served, net: Network, is_binary: bool) -> None:
    triton = pytest.importorskip("tritonclient.http", exc_type=ImportError)
    assert net.preprocess is not None
    pixels = np.random.default_rng(3).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)
    with triton.InferenceServerClient(server.address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("cifar10-cs61c")
        assert not client.is_model_ready("nothing")
        assert client.get_server_metadata()["name"] == "cnnfast"
        described = client.get_model_metadata("cifar10-cs61c")["inputs"][0]
        given = triton.InferInput(described["name"], pixels.shape, described["datatype"])
        given.set_data_from_numpy(pixels, binary_data=is_binary)
        wanted = [triton.InferRequestedOutput(name, binary_data=is_binary) for name in ("probabilities", "label")]
        result = client.infer("cifar10-cs61c", [given], request_id="7", outputs=wanted)
        assert result.get_response()["id"] == "7"
        expected = net.predict_proba(pixels)
        assert np.array_equal(result.as_numpy("probabilities").astype(np.float32), expected)
        labels = [item.decode() if isinstance(item, bytes) else item for item in result.as_numpy("label")]
        assert labels == net.predict(pixels).tolist()

        files = [picture() for _ in range(3)]
        given = triton.InferInput("pictures", [3], "BYTES")
        given.set_data_from_numpy(np.array(files, np.object_))
        result = client.infer("cifar10-cs61c", [given])
        decoded = np.stack([read_picture(file, net.preprocess) for file in files])
        assert np.array_equal(result.as_numpy("probabilities"), net.predict_proba(decoded))

        bad = triton.InferInput("pixels", [1, 16, 16, 3], "UINT8")
        bad.set_data_from_numpy(np.zeros((1, 16, 16, 3), np.uint8))
        with pytest.raises(triton.InferenceServerException, match=r"must be \[-1, 32, 32, 3\]"):
            client.infer("cifar10-cs61c", [bad])


@pytest.mark.parametrize("is_binary", [False, True])
def test_kserve(server: Served, net: Network, is_binary: bool) -> None:
    kserve = pytest.importorskip("kserve", exc_type=ImportError)
    import asyncio

    pixels = np.random.default_rng(3).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)

    async def main() -> np.ndarray:
        client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2"))
        base = f"http://{server.address}"
        assert await client.is_server_live(base)
        assert await client.is_model_ready(base, "cifar10-cs61c")
        given = kserve.InferInput("pixels", list(pixels.shape), "UINT8")
        given.set_data_from_numpy(pixels, binary_data=is_binary)
        request = kserve.InferRequest("cifar10-cs61c", [given])
        answer = await client.infer(base, request, model_name="cifar10-cs61c")
        return answer.outputs[0].as_numpy()

    assert np.array_equal(asyncio.run(main()).astype(np.float32).reshape(7, 10), net.predict_proba(pixels))


def test_curl(server: Served, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl")
    file = tmp_path / "a b.png"
    file.write_bytes(picture())

    def run(*words: str) -> dict[str, object]:
        command = [curl, "--silent", "--max-time", "20", *words]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    one = run("--data-binary", f"@{file}", f"{server.address}/classify?top=2")
    form = run("--form", f"x=@{file}", "--form", f"y=@{file}", f"{server.address}/classify?top=2")
    assert form["results"] == [{key: one[key] for key in ("labels", "unsure", "unknown")}] * 2
    large = tmp_path / "large"
    large.write_bytes(bytes(8 << 20))
    # with and without waiting for 100 Continue
    for more in ((), ("--header", "Expect:"), ("--header", "Transfer-Encoding: chunked")):
        assert "larger than" in str(run(*more, "--data-binary", f"@{large}", f"{server.address}/classify")["error"])


@pytest.mark.slow
def test_schemathesis(server: Served, tmp_path: Path) -> None:
    """It sends what the description allows and what it does not, and holds every answer against the description."""
    pytest.importorskip("schemathesis")
    program = Path(sys.executable).with_name("schemathesis")
    command = [
        *(str(program), "run", f"http://{server.address}/openapi.json", "--max-examples", "30", "--seed", "1"),
        *("--generation-deterministic", "--request-timeout", "10", "--no-color"),
        # a schema cannot state which bytes are a picture, nor that a shape fits its data
        *("--exclude-checks", "positive_data_acceptance"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:]
