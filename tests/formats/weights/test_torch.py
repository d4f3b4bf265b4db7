"""State dicts of PyTorch: both containers, checkpoints, and what is refused."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from formats.shared_cifar10 import tiles_of
from formats.weights.small import small_graph, small_state

from cnnfast import Network, Preprocess, open_dataset
from cnnfast.errors import ModelFileError
from cnnfast.formats import detect, load_model
from cnnfast.formats.pickles.container import opened
from cnnfast.formats.pickles.inert import StoredTensor
from cnnfast.formats.pickles.storages import read_tensors
from cnnfast.graph import evaluate

torch = pytest.importorskip("torch", reason="the extra torch is not installed")


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = torch.nn.Conv2d(2, 5, 3, padding=1), torch.nn.BatchNorm2d(5)
        self.fc = torch.nn.Linear(30, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.max_pool2d(torch.relu(self.bn(self.conv(x))), 2)
        return self.fc(x.flatten(1))


def module() -> Small:
    small = Small().double().eval()
    small.load_state_dict({name: torch.from_numpy(array) for name, array in small_state().items()}, strict=False)
    return small


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize(
    "nest", [lambda s: s, lambda s: {"epoch": 3, "state_dict": s}, lambda s: {"model": {"net": s}}]
)
def test_what_training_scripts_save(tmp_path: Path, is_zip: bool, nest) -> None:
    path, small = tmp_path / "net.ckpt", module()
    state = {f"module.{name}": tensor for name, tensor in small.state_dict().items()}
    torch.save(nest(state), path, _use_new_zipfile_serialization=is_zip)
    assert detect(path).name == "torch"
    graph = load_model(path, architecture=small_graph()).graph
    images = np.random.default_rng(0).standard_normal((3, 2, 4, 6))
    with torch.no_grad():
        theirs = small(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(evaluate(graph, images)[graph.outputs[0]], theirs, rtol=1e-12)


def test_half_precision_and_views(tmp_path: Path) -> None:
    state = {name: torch.from_numpy(array) for name, array in small_state().items()}
    state["fc.weight"] = state["fc.weight"].t().contiguous().t()
    state["conv.weight"] = state["conv.weight"].bfloat16()
    torch.save(state, tmp_path / "net.pt")
    constants = load_model(tmp_path / "net.pt", architecture=small_graph()).graph.constants
    np.testing.assert_array_equal(constants["fc.weight"], small_state()["fc.weight"])
    np.testing.assert_array_equal(constants["conv.weight"], state["conv.weight"].float().numpy())


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickled_module_is_refused_with_the_way_out(tmp_path: Path, is_zip: bool) -> None:
    path = tmp_path / "net.pth"
    torch.save(torch.nn.Linear(2, 3), path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(
        ModelFileError, match=r"asks for torch\.nn\.modules\.linear\.Linear.*cnnfast\.from_torch"
    ) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_pickle_that_runs_a_program_does_not(tmp_path: Path) -> None:
    """The proof that nothing runs: the file it would make is not there."""
    evidence = tmp_path / "evidence"
    code = (
        "import os, torch\n"
        "class Trap:\n"
        f"    def __reduce__(self): return os.mkdir, ({str(evidence)!r},)\n"
        f"torch.save({{'w': Trap()}}, {str(tmp_path / 'net.pth')!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(ModelFileError, match=r"asks for posix\.mkdir"):
        load_model(tmp_path / "net.pth")
    assert not evidence.exists()


def test_programs_are_refused(tmp_path: Path) -> None:
    small = Small().eval()
    torch.export.save(torch.export.export(small, (torch.zeros(1, 2, 4, 6),)), tmp_path / "program.pt2")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        for name in ("net/data.pkl", "net/code/__torch__.py", "net/constants.pkl", "net/version"):
            archive.writestr(name, "2")
    for name, kind in [("program.pt2", r"program of torch\.export"), ("script.pt", "TorchScript program")]:
        assert detect(tmp_path / name).name == "torch"
        with pytest.raises(ModelFileError, match=f"{kind}.*from_torch"):
            load_model(tmp_path / name)


def test_other_contents(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    for content, rule in [
        ([1, 2], "holds a list, not tensors by name"),
        ({"epoch": 3}, "no state dict: its keys are epoch"),
        ({"steps": torch.zeros(2, dtype=torch.int64)}, "no tensor of floats"),
        ({"w": torch.zeros(1).expand(1 << 40)}, "repeats its elements"),
        ({"w": torch.eye(3).to_sparse()}, "only plain ones are read"),
    ]:
        torch.save(content, path)
        with pytest.raises(ModelFileError, match=rule):
            load_model(path, architecture="lenet")


def test_a_compressed_archive_is_not_unpacked(tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save({"w": torch.zeros(1 << 20)}, stream)
    with zipfile.ZipFile(stream) as whole, zipfile.ZipFile(tmp_path / "net.pt", "w", zipfile.ZIP_DEFLATED) as small:
        for name in whole.namelist():
            small.writestr(name, whole.read(name))
    with pytest.raises(ModelFileError, match="is compressed, which"):
        load_model(tmp_path / "net.pt")


def plain(content: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Return the tensors and numbers of what a file holds, each with the keys that lead to it."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield from plain(value, f"{place}/{key}")
    if isinstance(content, torch.Tensor | StoredTensor | int | float | str):
        yield place, content


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("is_zip", [True, False])
def test_all_that_pytorch_reads_is_read_alike(tmp_path: Path, is_zip: bool, protocol: int) -> None:
    torch.manual_seed(0)
    whole = torch.randn(4, 5, 6)
    kinds = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.uint8, torch.bool)
    marked = torch.nn.Parameter(torch.randn(3))
    marked.tag = "x"
    content = {
        "kinds": [whole.to(kind) for kind in kinds],
        "views": [whole, whole[1:, 2], whole.transpose(0, 2), whole[..., ::2], whole[:, :0], whole[0, 0, 0]],
        "parameters": {"a": torch.nn.Parameter(whole[0]), "b": marked},
        "module": torch.nn.BatchNorm2d(3).state_dict(),
        "optimizer": torch.optim.Adam([marked]).state_dict(),
        "plain": [1, -(1 << 70), 2.5, "größer", {"deep": [[["x"]]]}],
    }
    path = tmp_path / "net.pt"
    torch.save(content, path, _use_new_zipfile_serialization=is_zip, pickle_protocol=protocol)
    # of its own unpicklers, PyTorch's careful one knows protocol 2 only
    theirs = dict(plain(torch.load(path, weights_only=protocol == 2)))
    with opened(path) as saved:
        ours = dict(plain(saved.content))
        tensors = {name: value for name, value in ours.items() if isinstance(value, StoredTensor)}
        arrays = read_tensors(tensors.items(), saved.storages, path.stat().st_size)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        if not isinstance(value, torch.Tensor):
            assert ours[name] == value
            continue
        half = value.dtype in (torch.float16, torch.bfloat16)
        np.testing.assert_array_equal(arrays[name], (value.float() if half else value).detach().numpy())


def test_numbers_without_a_storage_class(tmp_path: Path) -> None:
    torch.save({"w": torch.arange(6).to(torch.uint16), "f": torch.ones(2).to(torch.float8_e4m3fn)}, tmp_path / "n.pt")
    with opened(tmp_path / "n.pt") as saved:
        one, other = saved.content.items()
        np.testing.assert_array_equal(read_tensors([one], saved.storages, 100)["w"], range(6))
        with pytest.raises(ModelFileError, match=r"is of the kind torch\.float8_e4m3fn"):
            read_tensors([other], saved.storages, 100)


def test_digits(shared_data: Path) -> None:
    """A third-party network trained on MNIST, with its own names; how pixels were scaled is not stated."""
    path = shared_data / "models" / "pypi_digit_recognizer.pth"
    with pytest.raises(ModelFileError, match=r'"conv_layers\.0": "conv1", "conv_layers\.3": "conv2"'):
        load_model(path, architecture="cnn-32-64-128")
    preprocess = Preprocess((28, 28), channels="gray", mean=(0.1307,), std=(0.3081,))
    net = Network.load(path, architecture="cnn-32-64-128", rename="order", preprocess=preprocess)
    right = total = 0
    for batch in open_dataset(shared_data / "mnist").batches(1000, preprocess):
        right += int((net.predict(batch.images, layout="nhwc") == batch.labels).sum())
        total += len(batch.images)
    assert right / total == pytest.approx(0.9906, abs=0.0003)


def resnet20(shared_data: Path, count: int) -> float:
    """Return the accuracy of ResNet-20 of the paper, trained by others, on test images of CIFAR-10."""
    normalized = Preprocess((32, 32), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    path = shared_data / "models" / "resnet20-12fca82f.th"
    net = Network.load(path, architecture="resnet20-cifar", preprocess=normalized)
    labels = np.fromfile(shared_data / "cifar10" / "test_batch.labels", np.uint8)
    images = tiles_of(shared_data, "test_batch")
    return float((net.predict(images[:count]) == labels[:count]).mean())


def test_resnet20_on_some_images(shared_data: Path) -> None:
    assert resnet20(shared_data, 500) >= 0.9


@pytest.mark.slow
def test_resnet20_is_as_good_as_stated(shared_data: Path) -> None:
    """91.7 % are stated; 20 of the 10,000 images are approximations of the originals."""
    assert resnet20(shared_data, 10_000) == pytest.approx(0.917, abs=0.001)
