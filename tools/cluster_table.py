"""The tables of docs/cluster.md, from bench/results/cluster.json.

python tools/cluster_table.py          print them
python tools/cluster_table.py --write  put them into the page, between its markers
python tools/cluster_table.py --check  fail if the page holds others
"""

from __future__ import annotations

import json
from typing import Any

import marked

RESULTS = marked.ROOT / "bench" / "results" / "cluster.json"

COLUMNS = {
    "pixels": "cs61c, pixels",
    "resnet": "cifar10-resnet, pixels",
    "photographs": "cs61c, photographs of 160 pixels",
}

BASE = "one process"
ROWS = {
    BASE: "one process: arrays in memory, files of photographs",
    "Arrow, Parquet": "Arrow, Parquet (`classify_dataset` reads this way)",
    "Spark, SETTINGS": "Spark with `SETTINGS`, Parquet, `classify`",
    "Spark": "Spark without",
    "Spark, predict_batch_fn": "Spark without, Parquet, `predict_batch_fn`",
    "Spark, binaryFile": "Spark without, `binaryFile`, `classify`",
    "Spark, moved only": "Spark without, Parquet, moved to Python and dropped",
}

HOURS = {"Arrow, Parquet": "Arrow", "Spark, SETTINGS": "Spark, Parquet", "Spark, binaryFile": "Spark, `binaryFile`"}

CAPTION = """\
Images per second of CPU, of all processes together (JVM, daemon, workers), and in brackets the share of one process:
the best of three rounds, after rounds that do not count because Java still compiles; {cpu}, pyspark {pyspark}, commits
{commits}. Other programs ran on the machine at times: rates of one way differ by a tenth and more between rounds,
those of files of photographs by half. Arrays of smallint, as the manual of `predict_batch_udf` has them: {lists:,.0f}.

The first job of a session takes {first:.0f} s of CPU more than a later one, for Java to compile and for workers to
start. A worker of `classify` has at most {settings} MiB, {private} of them its own (the others it shares with the
daemon that it is forked from); without `SETTINGS` {peak} MiB; of `predict_batch_fn`, with pandas, {pandas} MiB.

A hundred million pictures, computed from these rates, in hours of CPU; divide by the cores you have:"""

ENCODED = """\
Encoded small pictures, PNGs of 32 × 32 pixels in Parquet, next to the same network in onnxruntime, in a function of
`predict_batch_udf` that decodes by Pillow (`bench/bench_cluster_peer.py`; both with the settings of Spark, both give a
label and its probability). The two take turns; the ratio is the median of {rounds} rounds of CPU seconds, in brackets
the least and the greatest. Other programs ran at the same time, so compare within this table only. onnxruntime
{onnxruntime}, commit {commit}:"""

ENCODED_WAYS = {
    "classify": "`classify`",
    "onnxruntime in predict_batch_udf": "onnxruntime",
    "the same without a network": "the same, decoding only",
}


def cell(ways: dict[str, Any], way: str) -> str:
    """Return the rate of a way, and its share of that of one process."""
    if way not in ways:
        return ""
    rate = ways[way]["per_cpu_second"]
    share = "" if way in (BASE, "Spark, moved only") else f" ({rate / ways[BASE]['per_cpu_second']:.2f})"
    return rounded(rate) + share


def rounded(rate: float) -> str:
    """Return a rate with three digits that count."""
    return f"{float(f'{rate:.3g}'):,.0f}"


def largest(results: dict[str, Any], way: str, size: str) -> int:
    """Return the MiB of the largest worker of all parts in the first round of a way."""
    return max(results[part]["ways"][way]["worker_mebibytes"][size] for part in COLUMNS)


def encoded(part: dict[str, Any]) -> str:
    """Return the table of encoded small pictures, with what was measured above it."""
    rows = [["", *ENCODED_WAYS.values(), "`classify` ÷ onnxruntime"]]
    for name, found in part["networks"].items():
        rates = [rounded(found["per_cpu_second"][way]) for way in ENCODED_WAYS]
        ratio = found["ratio"]
        rows.append([name, *rates, f"{ratio['median']:.2f} ({ratio['least']:.2f}–{ratio['greatest']:.2f})"])
    (rounds,) = {found["rounds"] for found in part["networks"].values()}
    caption = ENCODED.format(rounds=rounds, onnxruntime=part["packages"]["onnxruntime"], commit=part["commit"])
    return f"{caption}\n\n{marked.as_table(rows, left=(0,))}"


def page(results: dict[str, Any]) -> str:
    """Return the table of rates, what was measured where, the table of hours, and that of encoded small pictures."""
    parts = [results[part] for part in COLUMNS]
    rates = [["", *COLUMNS.values()]]
    rates += [[words, *(cell(part["ways"], way) for part in parts)] for way, words in ROWS.items()]
    hours = [["", *HOURS.values()]]
    for part, title in zip(parts, COLUMNS.values(), strict=True):
        found = [part["ways"].get(way, {}).get("per_cpu_second") for way in HOURS]
        hours.append([title, *(f"{1e8 / rate / 3600:.2g}" if rate else "" for rate in found)])
    first = results["pixels"]["ways"]["Spark, SETTINGS"]
    caption = CAPTION.format(
        cpu=parts[0]["cpu"],
        pyspark=parts[0]["packages"]["pyspark"],
        commits=", ".join(dict.fromkeys(part["commit"] for part in parts)),
        lists=results["lists"]["ways"]["Spark, predict_batch_fn"]["per_cpu_second"],
        first=first["first_seconds"] - first["images"] / first["per_cpu_second"],
        settings=largest(results, "Spark, SETTINGS", "peak"),
        private=largest(results, "Spark, SETTINGS", "uss"),
        peak=largest(results, "Spark", "peak"),
        pandas=largest(results, "Spark, predict_batch_fn", "peak"),
    )
    tables = [
        marked.as_table(rates, left=(0,)),
        caption,
        marked.as_table(hours, left=(0,)),
        encoded(results["encoded"]),
    ]
    return "\n\n".join(tables)


if __name__ == "__main__":
    marked.run(marked.ROOT / "docs" / "cluster.md", "cluster", page(json.loads(RESULTS.read_text())))
