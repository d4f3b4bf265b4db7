"""What a network holds once it has computed: its weights in the order of the kernels, and no more."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from fresh_python import output_of

from cnnfast import Network

HELD = """
import re
import numpy as np
from cnnfast import Network

def anonymous():
    return int(re.search(r"Anonymous: +(\\d+)", open("/proc/self/smaps_rollup").read())[1]) / 1024

net = Network.load("cifar10-resnet")
images = np.zeros((256, 32, 32, 3), np.uint8)
before = anonymous()
for count in {counts}:
    net.predict_proba(images[:count], threads=1)
print(anonymous() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds")
@pytest.mark.parametrize(("counts", "most"), [((1,), 40), ((256,), 46), ((1, 256), 80), ((256, 1, 256), 80)])
def test_an_idle_network_holds_what_its_kernels_read(counts: tuple[int, ...], most: float) -> None:
    """Winograd makes 30 MB of 7.5 for one image, and others for groups; measured: 30, 35, 68 and 65 MB."""
    assert float(output_of(HELD.format(counts=counts))) <= most


def test_a_plan_that_may_never_run_is_not_kept() -> None:
    net = Network.load("cifar10-cs61c")
    images = np.zeros((64, 32, 32, 3), np.uint8)
    net.predict_proba(images, threads=1)
    # its program for images alone is planned, but a group is no slower
    net.predict_proba(images[:15], threads=1)
    assert net._raw._programs._latest is None


def test_a_program_is_made_again_as_it_was() -> None:
    """The plan goes when its weights are packed; both orders of few and many give bit-identical results."""
    code = (
        "import numpy as np; from cnnfast import Network; "
        "x = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8); "
        "a, b = Network.load('cifar10-cs61c'), Network.load('cifar10-cs61c'); "
        "first = a.forward(x[:1]), a.forward(x); second = b.forward(x), b.forward(x[:1]); "
        "print(np.array_equal(first[0], second[1]), np.array_equal(first[1], second[0]), a.explain() == b.explain())"
    )
    assert output_of(code) == "True True True"
