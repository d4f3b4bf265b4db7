"""Who decides the number of threads, in which order, and for whom."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fresh_python import SETTINGS, output_of, run_python
from systems import linux

import cnnfast
from cnnfast import ConfigError
from cnnfast.runtime import threads
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.threads import cgroup_quota, decide, granted


@pytest.fixture(autouse=True)
def nothing_decided(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("CNNFAST_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    cnnfast.set_num_threads(None)
    yield
    cnnfast.set_num_threads(None)


def test_order_of_those_who_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decide() == granted()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert decide() == (3, "OMP_NUM_THREADS")
    monkeypatch.setenv("CNNFAST_NUM_THREADS", "4")
    assert decide() == (4, "CNNFAST_NUM_THREADS")
    cnnfast.set_num_threads(5)
    assert decide() == (5, "cnnfast.set_num_threads")
    with cnnfast.threads(6):
        assert decide() == (6, "with cnnfast.threads(n)")
        assert decide(7) == (7, "the argument of the call")
    assert cnnfast.get_num_threads() == 5
    cnnfast.set_num_threads(None)
    assert cnnfast.get_num_threads() == 4


def test_blocks_nest_and_end_with_an_error_too() -> None:
    with cnnfast.threads(2):
        with cnnfast.threads(3):
            assert cnnfast.get_num_threads() == 3
        with pytest.raises(KeyError), cnnfast.threads(3):
            raise KeyError
        assert cnnfast.get_num_threads() == 2
    assert decide() == granted()


def test_a_block_is_for_its_own_thread_only() -> None:
    seen: list[int] = []
    with cnnfast.threads(97):
        thread = threading.Thread(target=lambda: seen.append(cnnfast.get_num_threads()))
        thread.start()
        thread.join()
    assert seen == [granted()[0]]


def test_a_block_is_for_its_own_task_only() -> None:
    async def inside(n: int) -> int:
        with cnnfast.threads(n):
            await asyncio.sleep(0)
            return cnnfast.get_num_threads()

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*map(inside, (11, 12, 13)))

    assert asyncio.run(all_of_them()) == [11, 12, 13]


def test_set_num_threads_is_for_every_thread() -> None:
    seen: list[int] = []
    cnnfast.set_num_threads(14)
    thread = threading.Thread(target=lambda: seen.append(cnnfast.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [14]


@pytest.mark.parametrize("n", [0, -1, 4097, 1.0, "2", True, None, float("nan")])
def test_numbers_that_are_none(n: object) -> None:
    rule = "must be an integer from 1 to 4096"
    with pytest.raises(ConfigError, match=rule), cnnfast.threads(n):  # type: ignore[arg-type]
        pass
    if n is not None:
        with pytest.raises(ConfigError, match=rule):
            cnnfast.set_num_threads(n)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=rule):
            decide(n)  # type: ignore[arg-type]
    assert decide() == granted()


def test_integers_of_numpy() -> None:
    assert decide(np.int64(3)) == (3, "the argument of the call")


@pytest.mark.parametrize("variable", ["CNNFAST_NUM_THREADS", "OMP_NUM_THREADS"])
@pytest.mark.parametrize("text", ["0", "-2", "two", "1.5", "4097", " ", ",2", "²"])
def test_variables_that_are_no_number_are_named(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigError, match=f"{variable}='.*': must be an integer from 1 to 4096; correct or unset it"):
        decide()
    assert decide(2)[0] == 2


def test_a_list_for_nested_levels_and_an_empty_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNFAST_NUM_THREADS", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "3, 1")
    assert decide() == (3, "OMP_NUM_THREADS")


CONTAINERS = {
    "none": ({}, "", None),
    "v2": ({"cpu.max": "150000 100000"}, "0::/", 1.5),
    "v2, no limit": ({"cpu.max": "max 100000"}, "0::/", None),
    "v2, nested: the smallest counts": (
        {"a/cpu.max": "400000 100000", "a/b/cpu.max": "max 100000", "a/b/c/cpu.max": "300000 100000"},
        "0::/a/b/c",
        3.0,
    ),
    "v2, another group's limit": ({"a/cpu.max": "max 100000", "b/cpu.max": "50000 100000"}, "0::/a", None),
    "v2, outside of the namespace": ({"cpu.max": "200000 100000"}, "0::/../../x", 2.0),
    "v1": ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu,cpuacct:/", 0.5),
    "v1, nested": (
        {"cpu/docker/7/cpu.cfs_quota_us": "250000", "cpu/docker/7/cpu.cfs_period_us": "100000"},
        "9:memory:/x\n4:cpuacct,cpu:/docker/7",
        2.5,
    ),
    "v1, no limit": ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/", None),
    "v1, limit of another controller": ({"cpu.cfs_quota_us": "50000"}, "4:cpuset:/", None),
    "damaged": ({"cpu.max": "a few", "cpu/cpu.cfs_quota_us": "", "cpu/cpu.cfs_period_us": "0"}, "0::/", None),
    "period of zero": ({"cpu.max": "50000 0"}, "0::/", None),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_quota_of_a_container(tmp_path: Path, name: str) -> None:
    files, membership, expected = CONTAINERS[name]
    for path, text in files.items():
        file = tmp_path / "cgroup" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    (tmp_path / "self").write_text(membership + "\n" if membership else "")
    assert cgroup_quota(tmp_path / "cgroup", tmp_path / "self") == expected


def test_no_file_at_all(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path / "nothing", tmp_path / "nowhere") is None


@pytest.mark.parametrize(("quota", "count"), [(0.2, 1), (1.5, 2), (2.0, 2)])
def test_a_quota_below_the_affinity_mask_counts(monkeypatch: pytest.MonkeyPatch, quota: float, count: int) -> None:
    monkeypatch.setattr(threads, "cgroup_quota", lambda: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert granted() == (count, "the CPU quota of the container")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5}, raising=False)
    assert granted()[0] == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity mask")
def test_the_affinity_mask_counts_and_is_never_changed() -> None:
    code = """
import os
one = {min(os.sched_getaffinity(0))}
os.sched_setaffinity(0, one)
import numpy as np
import cnnfast
from cnnfast.layers import Linear
net = cnnfast.Network.from_layers([Linear(np.eye(4))], (4,))
net.forward(np.zeros((999, 4), np.float32), threads=3)
print(cnnfast.get_num_threads(), os.sched_getaffinity(0) == one)
"""
    assert output_of(code) == "1 True"


def test_a_bad_variable_is_an_error_of_the_call_and_not_of_the_import() -> None:
    assert output_of("import cnnfast; print('fine')", CNNFAST_NUM_THREADS="many") == "fine"
    run = run_python("import cnnfast; cnnfast.get_num_threads()", CNNFAST_NUM_THREADS="many")
    assert "ConfigError: CNNFAST_NUM_THREADS='many'" in run.stderr


def test_the_affinity_mask_of_taskset_counts() -> None:
    taskset = shutil.which("taskset")
    if taskset is None:
        pytest.skip("there is no taskset on this machine")
    cpu = str(max(os.sched_getaffinity(0)))
    code = "from cnnfast.runtime import threads; print(threads.decide())"
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    run = subprocess.run(
        [taskset, "-c", cpu, sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert run.stdout.strip() == "(1, 'the affinity mask')", run.stderr


@linux
def test_a_mask_that_changes_later_is_heard_by_calls() -> None:
    code = """
import os
from cnnfast.runtime import threads
everything = os.sched_getaffinity(0)
assert threads.of_call() == len(everything)
os.sched_setaffinity(0, {min(everything)})
threads.STALE = 0
threads._recent_until = 0
print(threads.of_call())
"""
    assert output_of(code) == "1"


@pytest.fixture
def half_a_cpu() -> Iterator[Path]:
    """A cgroup with half a CPU, made for the test and removed after it."""
    for root, files in (
        (Path("/sys/fs/cgroup"), {"cpu.max": "50000 100000"}),
        (Path("/sys/fs/cgroup/cpu"), {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"}),
    ):
        group = root / f"cnnfast-test-{os.getpid()}"
        if not (root / "cgroup.procs").exists():
            continue
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            for name, text in files.items():
                (group / name).write_text(text)
        except OSError:
            group.rmdir()
            continue
        yield group
        time.sleep(0.05)  # until the process that was in it is gone for good
        group.rmdir()
        return
    pytest.skip("no cgroup with a CPU quota can be made here: that takes root and a writable /sys/fs/cgroup")


@linux
def test_the_quota_of_a_real_cgroup_counts(half_a_cpu: Path) -> None:
    code = f"""
import os
open("{half_a_cpu}/cgroup.procs", "w").write(str(os.getpid()))
from cnnfast.runtime import threads
print(threads.decide())
"""
    assert output_of(code) == "(1, 'the CPU quota of the container')"


LIMITS = """
import threading
import threadpoolctl
import cnnfast
from cnnfast.runtime import threads
seen = [threads.of_call()]
with threadpoolctl.threadpool_limits(1):
    seen += [threads.of_call(), threads.decide(), threads.of_call(2)]
    with cnnfast.threads(2):
        seen.append(threads.of_call())
seen.append(threads.of_call())
print(seen)
print([lib["num_threads"] for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "openmp"])
"""


def test_threadpoolctl_sees_and_limits() -> None:
    pytest.importorskip("threadpoolctl", reason="threadpoolctl is not installed")
    cpus = granted()[0]
    if cpus < 2:
        pytest.skip("a single CPU leaves nothing to limit")
    seen, found = output_of(LIMITS).splitlines()
    rule = "a limit of OpenMP, as threadpoolctl sets"
    assert seen == str([cpus, 1, (1, rule), 2, 2, cpus])
    assert found == str([len(threads._affinity())])


@pytest.mark.parametrize(
    "settings", [{"OMP_NUM_THREADS": "1", "CNNFAST_NUM_THREADS": "2"}, {"CNNFAST_NUM_THREADS": "7"}]
)
def test_what_openmp_starts_with_limits_nothing(settings: dict[str, str]) -> None:
    code = "from cnnfast.runtime import threads; print(*threads.decide())"
    assert output_of(code, **settings) == f"{settings['CNNFAST_NUM_THREADS']} CNNFAST_NUM_THREADS"


IDLE = """
import os, time
import numpy as np
import cnnfast
from cnnfast.layers import Conv2d
assert "GOMP_SPINCOUNT" not in os.environ or {user}
net = cnnfast.Network.from_layers([Conv2d(np.ones((16, 3, 5, 5)), padding=2)], (3, 32, 32))
x = np.zeros((64, 3, 32, 32), np.float32)
used = []
for _ in range(20):
    net.forward(x, layout="nchw", threads=2)
    before = time.process_time()
    time.sleep(0.02)
    used.append(time.process_time() - before)
print(sorted(used)[{which}])
"""


def test_threads_do_not_spin_after_a_call() -> None:
    """The median of twenty: in 20 ms after a call less than 1 ms of CPU time; libgomp by itself takes 5 to 10."""
    assert float(output_of(IDLE.format(user=False, which=10))) < 1e-3


@linux
def test_what_the_user_says_about_spinning_counts() -> None:
    code = "import os, cnnfast; cnnfast.Network; print(os.environ['OMP_WAIT_POLICY'], os.environ.get('GOMP_SPINCOUNT'))"
    assert output_of(code, OMP_WAIT_POLICY="active") == "active None"
    # the most of twenty: on a busy machine a thread that spins is often not on a CPU
    assert float(output_of(IDLE.format(user=True, which=-1), GOMP_SPINCOUNT="100000000")) > 1e-3


def test_openmp_gives_as_many_threads_as_are_asked_for() -> None:
    assert [kernels.count_threads(n) for n in (1, 2, 3)] == [1, 2, 3]
