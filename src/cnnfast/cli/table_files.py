"""Which paths of the command line are tables, by their names alone; nothing is opened or imported for that."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".parquet", ".feather", ".arrow", ".ipc")


def is_table(path: Path) -> bool:
    """Return whether a path is called like a table, or is a folder of such files, as Spark and Dask write them.

    Examples
    --------
    >>> is_table(Path("pictures.parquet")), is_table(Path("photo.jpg"))
    (True, False)
    """
    if path.suffix.lower() in SUFFIXES:
        return True
    if not path.is_dir():
        return False
    # a folder may hold very many pictures: it is read up to the first file that is not a table
    inside = (p.suffix.lower() in SUFFIXES for p in path.iterdir() if not p.name.startswith(("_", ".")) and p.is_file())
    return next(inside, False) and all(inside)
