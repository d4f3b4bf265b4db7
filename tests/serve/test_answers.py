"""What a server answers to proper requests and to wrong ones, over real connections."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running_server import Served, picture

from cnnfast import Network, read_picture

FILE = picture()


def infer(tensor: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"inputs": [tensor], **more}).encode()


def binary(tensor: dict[str, Any], data: bytes, **more: Any) -> tuple[bytes, dict[str, str]]:
    text = infer({**tensor, "parameters": {"binary_data_size": len(data)}}, **more)
    return text + data, {"Inference-Header-Content-Length": str(len(text))}


def test_a_picture_as_the_body(server: Served, net: Network) -> None:
    reply = server.post("/classify?top=3", FILE, content_type="image/png")
    assert reply.status == 200
    assert net.preprocess is not None
    pixels = read_picture(FILE, net.preprocess)
    # whether it is unknown is the matter of test_known.py
    told = {"unsure": bool(net.predict_proba(pixels).max() < 0.6), "unknown": reply.json["unknown"]}
    assert reply.json == {"model": "cifar10-cs61c", "labels": net.records(pixels, k=3)[0], **told}


def test_a_named_model_and_the_type_that_curl_states(server: Served) -> None:
    reply = server.post("/classify?model=digits", FILE, content_type=FORM)
    assert (reply.status, reply.json["model"], len(reply.json["labels"])) == (200, "digits", 1)


def form(*parts: bytes, boundary: str = "b7") -> bytes:
    one = b'--%b\r\nContent-Disposition: form-data; name=file; filename="../../x"\r\n\r\n%b\r\n'
    return b"".join(one % (boundary.encode(), part) for part in parts) + f"--{boundary}--\r\n".encode()


MULTIPART = "multipart/form-data; boundary=b7"
FORM = "application/x-www-form-urlencoded"


def test_parts_of_a_form_each_have_their_own_result(server: Served) -> None:
    alone = server.post("/classify", FILE, content_type="image/png").json
    reply = server.post("/classify", form(FILE, b"not a picture", FILE), content_type=MULTIPART)
    good, bad, same = reply.json["results"]
    assert good == same == {key: alone[key] for key in ("labels", "unsure", "unknown")}
    assert bad == {"error": "not a picture in a format that Pillow can read"}


def test_64_parts_of_which_one_is_bad(server: Served) -> None:
    parts = [picture() for _ in range(63)]
    parts.insert(20, FILE[:300])
    results = server.post("/classify", form(*parts), content_type=MULTIPART).json["results"]
    assert [number for number, result in enumerate(results) if "error" in result] == [20]


@pytest.mark.parametrize("is_binary", [False, True])
def test_tensors_of_the_open_inference_protocol(server: Served, net: Network, is_binary: bool) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)
    values = (pixels.transpose(0, 3, 1, 2) / 255 - 0.5).astype(np.float32)
    files = [picture() for _ in range(3)]
    assert net.preprocess is not None
    expected = {
        "pixels": net.predict_proba(pixels),
        "values": net.predict_proba(values, layout="nchw"),
        "pictures": net.predict_proba(np.stack([read_picture(file, net.preprocess) for file in files])),
    }
    inputs = {
        "pixels": ("UINT8", pixels.shape, pixels.tolist(), pixels.tobytes()),
        "values": ("FP32", values.shape, values.ravel().tolist(), values.tobytes()),
        "pictures": (
            *("BYTES", (3,), [base64.b64encode(file).decode() for file in files]),
            b"".join(struct.pack("<I", len(file)) + file for file in files),
        ),
    }
    for name, (datatype, shape, data, raw) in inputs.items():
        tensor = {"name": name, "datatype": datatype, "shape": list(shape)}
        if is_binary:
            wanted = [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "label"}]
            reply = server.post(
                "/v2/models/cifar10-cs61c/infer", *[(b := binary(tensor, raw, id="x1", outputs=wanted))[0]], **b[1]
            )
            length = int(reply.headers["inference-header-content-length"])
            answer, rows = json.loads(reply.body[:length]), np.frombuffer(reply.body[length:], np.float32)
            assert answer["outputs"][0]["parameters"] == {"binary_data_size": rows.nbytes}
        else:
            reply = server.post("/v2/models/cifar10-cs61c/versions/1/infer", infer({**tensor, "data": data}, id="x1"))
            answer = reply.json
            rows = np.array(answer["outputs"][0]["data"], np.float32)
        assert (reply.status, answer["id"], answer["model_name"]) == (200, "x1", "cifar10-cs61c")
        assert answer["outputs"][0]["shape"] == list(expected[name].shape)
        assert np.array_equal(rows.reshape(-1, 10), expected[name])
        assert answer["outputs"][1]["data"] == net.classes_[expected[name].argmax(axis=1)].tolist()


def test_what_is_looked_up(server: Served) -> None:
    assert server.ask("GET", "/v2").json["extensions"] == ["binary_tensor_data"]
    for path in (
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/digits/ready",
        "/v2/models/digits/versions/1/ready",
    ):
        assert server.ask("GET", path).status == 200
    described = server.ask("GET", "/v2/models/digits").json
    assert described["inputs"][1] == {"name": "values", "datatype": "FP32", "shape": [-1, 1, 28, 28]}
    assert "paths" in server.ask("GET", "/openapi.json").json
    assert server.ask("HEAD", "/v2").body == b""
    metrics = server.ask("GET", "/metrics").body.decode()
    assert 'cnnfast_batch_images_bucket{le="64.0",model="cifar10-cs61c"}' in metrics


def test_no_answer_may_be_read_by_pages_of_others(server: Served) -> None:
    for method, path in (("GET", "/"), ("GET", "/v2"), ("POST", "/classify")):
        headers = server.ask(method, path, headers={"Origin": "http://example.org"}).headers
        assert "access-control-allow-origin" not in headers
        assert path != "/" or headers["content-security-policy"].startswith("default-src 'self';")
        assert headers["x-content-type-options"] == "nosniff"


TENSOR = {"name": "pixels", "datatype": "UINT8", "shape": [1, 32, 32, 3]}
VALUES = {"name": "values", "datatype": "FP32", "shape": [1, 3, 32, 32]}
ZEROS = [0] * 3072
CLASSIFY, INFER = "/classify", "/v2/models/cifar10-cs61c/infer"
LENGTH = "Inference-Header-Content-Length"

WRONG: dict[str, tuple[str, str, Any, dict[str, str], int, str]] = {
    "address": ("GET", "/etc/passwd", None, {}, 404, "nothing at this address"),
    "upward": ("GET", "/../../etc/passwd", None, {}, 404, "nothing at this address"),
    "encoded": ("GET", "/%2e%2e%2fpage.py", None, {}, 404, "nothing at this address"),
    "method": ("GET", CLASSIFY, None, {}, 405, "takes POST"),
    "empty": ("POST", CLASSIFY, b"", {}, 422, "is empty"),
    "truncated": ("POST", CLASSIFY, FILE[:400], {}, 422, "cannot be decoded"),
    "text": ("POST", CLASSIFY, b"hello", {}, 422, "not a picture"),
    "curl -d": ("POST", CLASSIFY, FILE[:400], {"Content-Type": FORM}, 422, "with --data-binary @FILE, but not with -d"),
    "type": ("POST", CLASSIFY, FILE, {"Content-Type": "text/<b>"}, 415, "'text/<b>'"),
    "gzip": ("POST", CLASSIFY, FILE, {"Content-Encoding": "gzip"}, 415, "Content-Encoding"),
    "large": ("POST", CLASSIFY, bytes((1 << 20) + 1), {}, 413, "larger than 1048576 bytes"),
    "top": ("POST", f"{CLASSIFY}?top=11", FILE, {}, 400, "from 1 to 10"),
    "top of nothing": ("POST", f"{CLASSIFY}?top=", FILE, {}, 400, "from 1 to 10"),
    "top of digits": ("POST", f"{CLASSIFY}?top=%D9%A3", FILE, {}, 400, "from 1 to 10"),
    "parameter": ("POST", f"{CLASSIFY}?tpo=1", FILE, {}, 400, "'tpo' is unknown; known: top, model"),
    "twice": ("POST", f"{CLASSIFY}?top=1&top=2", FILE, {}, 400, "given twice"),
    "model": ("POST", f"{CLASSIFY}?model=<script>", FILE, {}, 404, "there are: cifar10-cs61c, digits"),
    "path as model": ("POST", f"{CLASSIFY}?model=/etc/passwd", FILE, {}, 404, "no model of that name"),
    "no boundary": ("POST", CLASSIFY, FILE, {"Content-Type": "multipart/form-data"}, 400, "no boundary"),
    "no form": ("POST", CLASSIFY, FILE, {"Content-Type": MULTIPART}, 400, "is damaged"),
    "half a form": ("POST", CLASSIFY, form(FILE)[:-20], {"Content-Type": MULTIPART}, 400, "ends before"),
    "no parts": ("POST", CLASSIFY, b"--b7--\r\n", {"Content-Type": MULTIPART}, 400, ""),
    "10,000 parts": ("POST", CLASSIFY, form(*[b"x"] * 10_000), {"Content-Type": MULTIPART}, 413, "more than 64 parts"),
    "bad parts only": ("POST", CLASSIFY, form(b"x", b"y"), {"Content-Type": MULTIPART}, 422, "not a picture"),
    "version": ("POST", "/v2/models/cifar10-cs61c/versions/2/infer", b"{}", {}, 404, "nothing at"),
    "unknown model": ("POST", "/v2/models/nope/infer", b"{}", {}, 404, "no model of that name"),
    "JSON": ("POST", INFER, b"{", {}, 400, "brackets left over"),
    "JSON of text": ("POST", INFER, b'{"a" 1}', {}, 400, "the JSON is not proper"),
    "UTF-8": ("POST", INFER, b'{"a": "\xff"}', {}, 400, "not in UTF-8"),
    "depth": ("POST", INFER, b"[" * 100_000 + b"]" * 100_000, {}, 400, "more than 8 levels"),
    "depth of both": ("POST", INFER, b'{"a":[' * 5 + b"]}" * 5, {}, 400, "more than 8 levels"),
    "list": ("POST", INFER, b"[]", {}, 400, "must be an object"),
    "no inputs": ("POST", INFER, b"{}", {}, 400, "one of pixels (UINT8, shape [-1, 32, 32, 3])"),
    "name": ("POST", INFER, infer({**TENSOR, "name": "x"}), {}, 400, "must be one of"),
    "many": ("POST", INFER, infer({**TENSOR, "shape": [1 << 33, 32, 32, 3]}), {}, 400, "1 to 256 images"),
    "257": ("POST", INFER, infer({**TENSOR, "shape": [257, 32, 32, 3]}), {}, 400, "1 to 256 images"),
    "none": ("POST", INFER, infer({**TENSOR, "shape": [0, 32, 32, 3]}), {}, 400, "1 to 256 images"),
    "negative": ("POST", INFER, infer({**TENSOR, "shape": [-1, 32, 32, 3]}), {}, 400, "1 to 256 images"),
    "size": ("POST", INFER, infer({**TENSOR, "shape": [1, 1 << 33, 32, 3]}), {}, 400, "must be [-1, 32, 32, 3]"),
    "shape of text": ("POST", INFER, infer({**TENSOR, "shape": "1"}), {}, 400, "must be [-1, 32, 32, 3]"),
    "256": ("POST", INFER, infer({**TENSOR, "data": [256] * 3072}), {}, 400, "integers from 0 to 255"),
    "float": ("POST", INFER, infer({**TENSOR, "data": [0.5] * 3072}), {}, 400, "integers from 0 to 255"),
    "bool": ("POST", INFER, infer({**TENSOR, "data": [True] * 3072}), {}, 400, "must be numbers"),
    "texts": ("POST", INFER, infer({**TENSOR, "data": ["x" * 9999, *ZEROS[1:]]}), {}, 400, "must be numbers"),
    "ragged": ("POST", INFER, infer({**TENSOR, "data": [[ZEROS[1:]]]}), {}, 400, "must be numbers"),
    "few": ("POST", INFER, infer({**TENSOR, "data": ZEROS[1:]}), {}, 400, "must be numbers"),
    "NaN": ("POST", INFER, infer({**VALUES, "data": [float("nan"), *ZEROS[1:]]}), {}, 400, "NaN is not a number"),
    "far": ("POST", INFER, infer({**VALUES, "data": [200, *ZEROS[1:]]}), {}, 400, "image 0 has the value 200.0"),
    "overflow": ("POST", INFER, infer({**VALUES, "data": [1e300, *ZEROS[1:]]}), {}, 400, "the value inf"),
    "output": ("POST", INFER, infer({**TENSOR, "data": ZEROS}, outputs=[{"name": "x"}]), {}, 400, "outputs are"),
    "id": ("POST", INFER, infer({**TENSOR, "data": ZEROS}, id=[]), {}, 400, "id must be a text"),
    "base64": (
        *("POST", INFER, infer({"name": "pictures", "datatype": "BYTES", "shape": [1], "data": ["ä"]}), {}),
        *(400, "base64"),
    ),
    "length": ("POST", INFER, b"{}", {LENGTH: "3"}, 400, "says 3 bytes, but the body has 2"),
    "negative length": ("POST", INFER, b"{}", {LENGTH: "-1"}, 400, "must be a number of bytes up to 65536"),
    "huge length": ("POST", INFER, b"{}", {LENGTH: "9" * 400}, 400, "must be a number of bytes"),
    "odd length": ("POST", INFER, b"{}", {LENGTH: "two"}, 400, "must be a number of bytes"),
    "long header": ("POST", INFER, b"{}", {LENGTH: "65537"}, 400, "must be a number of bytes up to 65536"),
    "trailing": ("POST", INFER, b"{}x", {LENGTH: "2"}, 400, "inputs must be"),
    "infer type": ("POST", INFER, b"{}", {"Content-Type": "text/plain"}, 415, "must be application/json"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_is_one_error(server: Served, case: str) -> None:
    method, path, body, headers, status, message = WRONG[case]
    reply = server.ask(method, path, body, headers)
    assert (reply.status, reply.error.count(message) > 0) == (status, True), reply.body
    assert b"<" not in reply.body


def test_binary_nan_names_the_image_and_the_place(server: Served) -> None:
    values = np.zeros((3, 3, 32, 32), np.float32)
    values[2, 1, 4, 5] = np.nan
    body, headers = binary({**VALUES, "shape": [3, 3, 32, 32]}, values.tobytes())
    reply = server.ask("POST", INFER, body, headers)
    assert reply.status == 400
    assert "image 2 has the value nan at channel 1, row 4, column 5" in reply.error


@pytest.mark.parametrize(
    "data", [b"", b"abc", b"\xff\xff\xff\xff", struct.pack("<I", 2) + b"x", (struct.pack("<I", 1) + b"x") * 2]
)
def test_binary_lengths_that_do_not_fit(server: Served, data: bytes) -> None:
    body, headers = binary({"name": "pictures", "datatype": "BYTES", "shape": [1]}, data)
    assert "must be 1 times" in server.ask("POST", INFER, body, headers).error


def test_binary_pixels_of_another_size(server: Served) -> None:
    body, headers = binary(TENSOR, bytes(3071))
    assert "takes 3072 bytes, but has 3071" in server.ask("POST", INFER, body, headers).error


def test_a_bad_picture_of_a_tensor_is_named(server: Served) -> None:
    data = b"".join(struct.pack("<I", len(file)) + file for file in (FILE, b"no", FILE))
    body, headers = binary({"name": "pictures", "datatype": "BYTES", "shape": [3]}, data)
    reply = server.ask("POST", INFER, body, headers)
    assert (reply.status, reply.error) == (422, "picture 1: not a picture in a format that Pillow can read")


def test_nothing_but_the_token_opens(serve: Callable[..., Served], tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("correct-horse\n")
    server = serve("cifar10-cs61c", "--token-file", secret, "--no-page")
    for stated in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic correct-horse"}):
        for method, path in (("POST", CLASSIFY), ("POST", INFER), ("GET", "/metrics"), ("GET", "/openapi.json")):
            reply = server.ask(method, path, b"", stated)
            assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
            assert "Authorization: Bearer" in reply.error
    assert server.ask("GET", "/v2/health/ready").status == 200
    assert server.ask("GET", "/").status == 404
    assert server.post(CLASSIFY, FILE, authorization="Bearer correct-horse").status == 200
    status, printed = server.stop()
    assert (status, printed) == (0, "")
