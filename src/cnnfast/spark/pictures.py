"""Files of pictures as a data frame, and that as Parquet."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

from cnnfast.errors import ConfigError
from cnnfast.runtime.arguments import flag, text

FILES = 512
"""In a partition, at least: Spark alone would make partitions of 32, and a task costs as much as some pictures."""

GROUP_BYTES = 1 << 24
"""Of a row group of Parquet: the reader of Spark brings thousands of rows into memory at once, but of one group."""


def read_pictures(
    spark: Any, path: str | PathLike[str] | list[str], *, recursive: bool = True, glob: str | None = None
) -> Any:
    """Return a data frame of the files of a folder: ``path``, ``modificationTime``, ``length``, ``content``.

    It is Spark's own ``binaryFile``, in partitions that are worth a task: of 512 files or more.

    Parameters
    ----------
    spark : SparkSession
    path : path, address or list of them
    recursive : bool
        Read the folders inside too.
    glob : str, optional
        Which names are read, such as ``*.jpg``. Files that are not pictures become rows with an error.

    Raises
    ------
    ConfigError
        If an argument is of the wrong type.

    Examples
    --------
    >>> pictures = read_pictures(spark, "hdfs:///pictures", glob="*.{jpg,png}")  # doctest: +SKIP
    """
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", str(flag("recursive", recursive)).lower())
    if text("glob", glob):
        reader = reader.option("pathGlobFilter", glob)
    files = reader.load(path if isinstance(path, list) else fspath(path))
    # reads no content
    count = files.select("length").count()
    return files.coalesce(max(1, count // FILES))


def pack_pictures(df: Any, path: str | PathLike[str], *, mode: str = "error") -> Any:
    """Write a data frame of pictures as Parquet, and return it as read from there.

    Worth its time where pictures are read more than once: opening small files takes as long as classifying them.

    Parameters
    ----------
    df : DataFrame
        Of `read_pictures`, or any other.
    path : path or address
    mode : str
        "error", "overwrite", "append" or "ignore", as Spark has them.

    Raises
    ------
    ConfigError
        If an argument is of the wrong type.

    Examples
    --------
    >>> pictures = pack_pictures(read_pictures(spark, "photos"), "photos.parquet")  # doctest: +SKIP
    """
    if mode not in ("error", "errorifexists", "overwrite", "append", "ignore"):
        raise ConfigError(f"mode must be 'error', 'overwrite', 'append' or 'ignore', but is {mode!r}")
    # pictures are compressed already, and no two of them are equal
    writer = df.write.mode(mode).option("compression", "none").option("parquet.enable.dictionary", "false")
    writer.option("parquet.block.size", str(GROUP_BYTES)).parquet(fspath(path))
    return df.sparkSession.read.parquet(fspath(path))
