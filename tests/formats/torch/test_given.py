"""What may be given in place of a plain module, and what each wrong thing is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

from torch import nn  # noqa: E402

from cnnfast import Network, from_torch  # noqa: E402
from cnnfast.errors import CnnfastError, ConfigError, GraphError, UnsupportedError  # noqa: E402

SHAPE = (3, 8, 8)


def small() -> nn.Module:
    torch.manual_seed(2)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(144, 5)]
    return nn.Sequential(*layers)


def images() -> torch.Tensor:
    return torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(1))


def agrees(net: Network, module: nn.Module) -> None:
    with torch.no_grad():
        theirs = module.eval()(images()).numpy()
    np.testing.assert_allclose(net.forward(images().numpy(), layout="nchw"), theirs, atol=1e-6)


def distributed(module: nn.Module, folder: Path) -> nn.Module:
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=0, world_size=1)
    try:
        return nn.parallel.DistributedDataParallel(module)
    finally:
        torch.distributed.destroy_process_group()


WRAPPED = {
    "DataParallel": lambda m, folder: nn.DataParallel(m),
    "DistributedDataParallel": distributed,
    "torch.compile": lambda m, folder: torch.compile(m),
    "torch.compile of DataParallel": lambda m, folder: torch.compile(nn.DataParallel(m)),
    "traced": lambda m, folder: torch.jit.trace(m.eval(), torch.zeros(1, *SHAPE)),
    "scripted, in training": lambda m, folder: torch.jit.script(m.train()),
    "frozen": lambda m, folder: torch.jit.freeze(torch.jit.script(m.eval())),
    "exported": lambda m, folder: torch.export.export(
        m.eval(), (torch.zeros(2, *SHAPE),), dynamic_shapes=({0: torch.export.Dim("n")},)
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped(name: str, tmp_path: Path) -> None:
    agrees(from_torch(WRAPPED[name](small(), tmp_path), SHAPE), small())


@pytest.mark.filterwarnings("ignore")
def test_a_file_of_torchscript_that_the_user_loads(tmp_path: Path) -> None:
    torch.jit.script(small().eval()).save(str(tmp_path / "net.pt"))
    agrees(from_torch(torch.jit.load(tmp_path / "net.pt"), SHAPE), small())


@pytest.mark.filterwarnings("ignore")
def test_weights_that_are_computed_from_others() -> None:
    for norm in (nn.utils.weight_norm, nn.utils.parametrizations.weight_norm):
        module = small()
        norm(module[0])
        module(images())
        agrees(from_torch(module, SHAPE), module)


def test_the_module_stays_as_it_is() -> None:
    module = small().train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    from_torch(module, SHAPE)
    assert module.training
    assert module[4].training
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert all(p.requires_grad for p in module.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu() -> None:
    module = small().cuda()
    agrees(from_torch(module, SHAPE), small())
    assert next(module.parameters()).is_cuda


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (nn.ReLU, r"the class ReLU itself; make a module of it: from_torch\(ReLU\("),
        (None, "but is None"),
        (lambda x: x, r"a function; put what it computes into the forward\(\)"),
        (small().state_dict(), "perhaps a state dict: weights without a network; call module.load_state_dict"),
        ("net.pth", r"a str; a file is read with Network\.load\(path"),
        (Path("net.pth"), r"a file is read with Network\.load\(path"),
        (np.zeros(3), "but is a ndarray"),
    ],
)
def test_no_module(given: object, rule: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^module must be a torch\.nn\.Module, but is .*{rule.removeprefix('but is ')}"
    ):
        from_torch(given, SHAPE)


def test_modules_without_numbers_or_forward() -> None:
    with torch.device("meta"):
        empty = small()
    with pytest.raises(ConfigError, match=r"9 tensors on the meta device \(0\.weight, .*load_state_dict"):
        from_torch(empty, SHAPE)
    with pytest.raises(GraphError, match="missing the required"):
        from_torch(nn.Module(), SHAPE)


@pytest.mark.parametrize("shape", [np.int64(3), (True, 8, 8), "388", {3, 8}, torch.zeros(3, 8, 8), (3, -8, 8)])
def test_wrong_shapes(shape: object) -> None:
    with pytest.raises(ConfigError, match="input_shape must be that of one image"):
        from_torch(small(), shape)


def test_shapes_of_other_kinds() -> None:
    for shape in ([3, 8, 8], (np.int64(3), 8, 8), torch.zeros(1, *SHAPE).shape[1:]):
        assert from_torch(small(), shape).input_shape == SHAPE


class Returns(nn.Module):
    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor) -> object:
        return self.value


@pytest.mark.parametrize("value", [None, 3, torch.ones(4)])
def test_what_does_not_depend_on_the_images(value: object) -> None:
    with pytest.raises(UnsupportedError, match="does not depend on the images"):
        from_torch(Returns(value), SHAPE)


def test_a_program_for_a_fixed_number_of_images() -> None:
    program = torch.export.export(small().eval(), (torch.zeros(1, *SHAPE),))
    with pytest.raises(CnnfastError, match="the module fails on images of shape"):
        from_torch(program, SHAPE)
