"""Folders in which one run works at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from systems import FILE_EXISTS

from cnnfast import OutputError
from cnnfast.runtime.claims import LOCK, claimed

flocks = pytest.mark.skipif(os.name == "nt", reason="the locks of Windows cannot be removed while they are held")

HOLD = "import sys, time; from pathlib import Path; from cnnfast.runtime.claims import claimed\n"
HOLD += "with claimed(Path(sys.argv[1])): print('mine', flush=True); time.sleep(600)"


def test_a_folder_is_had_by_one_and_gone_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    for _ in range(2):
        with claimed(folder):
            with pytest.raises(OutputError, match="parts: another run is at work here"), claimed(folder):
                pass
            assert [path.name for path in folder.iterdir()] == [LOCK]
        assert not folder.exists()


def test_what_is_in_the_folder_stays(tmp_path: Path) -> None:
    with claimed(tmp_path / "parts"):
        (tmp_path / "parts" / "one").touch()
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["one"]


def test_the_claim_of_a_process_ends_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    with subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"mine"
        with pytest.raises(OutputError, match="another run is at work here"), claimed(folder):
            pass
        other.kill()
    assert (folder / LOCK).exists()
    with claimed(folder):
        pass
    assert not folder.exists()


@flocks
def test_the_lock_of_a_run_that_ends_just_now_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is locked after that run has removed it, and so keeps no one out."""
    import fcntl

    folder, flock = tmp_path / "parts", fcntl.flock
    removed: list[Path] = []

    def remove_first(file: object, how: int) -> None:
        if not removed:
            removed.append(folder / LOCK)
            removed[0].unlink()
            folder.rmdir()
        flock(file, how)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with claimed(folder):
        assert (folder / LOCK).exists()
    assert removed


@flocks
def test_a_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(file: object, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with claimed(tmp_path / "parts"), claimed(tmp_path / "parts"):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=f"file: cannot be made or written: ({FILE_EXISTS})"),
        claimed(tmp_path / "file"),
    ):
        pass
    with (
        pytest.raises(OutputError, match=r"one: there is no folder .*none; make it first"),
        claimed(tmp_path / "none" / "one"),
    ):
        pass
