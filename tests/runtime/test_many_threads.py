"""More threads than there can be: fewer compute, the results are the same, and the process lives."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from fresh_python import output_of
from small_networks import photographs, small_net
from systems import linux

import cnnfast
from cnnfast.runtime import threads


def test_far_too_many_become_as_many_as_cpus() -> None:
    net, images = small_net(), np.concatenate([photographs()] * 40)
    expected = net.forward(images, threads=1)
    with pytest.warns(RuntimeWarning, match="4096 threads for"):
        np.testing.assert_array_equal(net.forward(images, threads=4096), expected)
    with cnnfast.threads(4096):
        with pytest.warns(RuntimeWarning, match="4096 threads for"):
            np.testing.assert_array_equal(net.forward(images), expected)
        with pytest.warns(RuntimeWarning, match="4096 threads for"):
            assert cnnfast.get_num_threads() == threads.granted()[0]
    assert threads.decide(16)[0] == 16


LIMITED = """
import resource, warnings, numpy as np, cnnfast
from cnnfast.layers import Linear
warnings.simplefilter("ignore")
net = cnnfast.Network.from_layers([Linear(np.eye(4))], (4,))
x = np.random.default_rng(0).random((999, 4), np.float32)
expected = net.forward(x, threads=1)
resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
print(np.array_equal(net.forward(x, threads=16), expected))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory for stacks of threads is Linux's")
@linux
def test_threads_that_the_system_does_not_give() -> None:
    """Address space for few stacks only, as a limit of processes would leave few threads."""
    limit = "int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + (40 << 20)"
    assert output_of(LIMITED.replace("LIMIT, LIMIT", f"{limit}, {limit}")) == "True"
