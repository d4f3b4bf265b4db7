"""Imports point downward only, the environment has one reader, and ``import cnnfast`` is cheap."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from fresh_python import output_of

SOURCE = Path(__file__).resolve().parents[2] / "src" / "cnnfast"

LEVELS = (
    ("errors", "_bar", "_frozen", "_kernels", "models", "__version__"),
    ("_optional", "runtime"),
    ("ops",),
    ("graph", "images"),
    ("layers",),
    ("architectures",),
    ("plan", "formats"),
    ("network",),
    ("data", "calibration"),
    ("report", "train", "quantization", "compare", "arrow", "learn", "review", "serve"),
    ("cli", "mlflow", "sklearn", "spark"),
    ("__main__",),
)
"""The rooms of docs/architecture.md, the lowest first; a module imports from lower ones, and from its own folder."""

HEIGHT = {name: height for height, names in enumerate(LEVELS) for name in names}


def modules() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*.py")) if path != SOURCE / "__init__.py"]


def unit(path: Path) -> str:
    """Return the part of the package that a file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Yield the full names of all modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names) if module == "cnnfast" else (module,)


def test_every_part_has_its_place() -> None:
    assert {unit(path) for path in modules()} <= set(HEIGHT)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_downward(path: Path) -> None:
    own = unit(path)
    for name in imported(path):
        package, _, rest = name.partition(".")
        if package == "cnnfast" and rest:
            other = rest.split(".")[0]
            assert other == own or HEIGHT[other] < HEIGHT[own], f"{own} imports {name}"


def module_name(path: Path) -> str:
    """Return the full name of the module that a file is."""
    parts = ("cnnfast", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_at_run_time(path: Path, known: set[str]) -> set[str]:
    """Return the modules of the package that a file imports, wherever in it, but for the sake of types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node not in for_types:
            found |= {name if (name := f"{node.module}.{alias.name}") in known else node.module for alias in node.names}
        elif isinstance(node, ast.Import) and node not in for_types:
            found |= {alias.name for alias in node.names}
    return (found & known) - {module_name(path)}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Inside of a folder too, and an import inside a function counts: it would only hide the circle."""
    files = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}
    order = TopologicalSorter({name: imported_at_run_time(path, set(files)) for name, path in files.items()})
    order.prepare()


def test_the_kernels_import_nothing_of_the_package() -> None:
    for path in (*SOURCE.glob("*.pyx"), *SOURCE.rglob("*.pxi")):
        lines = [line.strip() for line in path.read_text().splitlines()]
        found = [line for line in lines if line.startswith(("import ", "from ")) and "cimport" not in line]
        foreign = [line for line in found if line.split()[1].partition(".")[0] not in sys.stdlib_module_names]
        assert not foreign, f"{path.name}: {foreign}"


def test_ops_need_numpy_and_nothing_else() -> None:
    for path in (SOURCE / "ops").glob("*.py"):
        for name in imported(path):
            top = name.split(".")[0]
            assert top in {"numpy", "cnnfast"} or top in sys.stdlib_module_names, f"{path.name}: {name}"


def test_only_config_reads_the_environment() -> None:
    reading = re.compile(r"\bos\.environ|\bgetenv|import environ")
    assert {p.name for p in SOURCE.rglob("*.py") if reading.search(p.read_text())} == {"config.py"}


HEAVY = (
    *("PIL", "tqdm", "safetensors", "torch", "onnx", "h5py", "matplotlib", "pyarrow", "pyspark", "sklearn"),
    *("asyncio", "multiprocessing"),
)


def test_the_import_brings_numpy_at_most() -> None:
    code = f"import sys, cnnfast; print([m for m in sys.modules if m.split('.')[0] in {HEAVY!r}])"
    assert output_of(code) == "[]"


COST = "import time; start = time.process_time(); import {}; print(time.process_time() - start)"


def test_the_import_costs_at_most_20_ms_more_than_that_of_numpy() -> None:
    """CPU time, the best of five each, because what else the machine does only ever adds."""
    ours, theirs = (min(float(output_of(COST.format(name))) for _ in range(5)) for name in ("cnnfast", "numpy"))
    assert ours <= theirs + 0.020


def test_no_file_is_a_heap() -> None:
    assert not [p for p in SOURCE.rglob("*") if p.stem in {"utils", "util", "helpers", "misc", "common"}]
