"""What a session of Spark should be told before it moves pictures."""

from __future__ import annotations

SETTINGS = {
    "spark.sql.execution.arrow.maxBytesPerBatch": str(4 << 20),
    "spark.sql.parquet.columnarReaderBatchSize": "512",
}
"""Of a session: pictures move in pieces that fit into the cache of a CPU, rather than in 10,000 rows or 64 MiB.

They change no result; each is the session's own to set, because they hold for all of its queries.
``SparkSession.builder.config(map=SETTINGS)``, or ``spark.conf.set`` of each in a session that exists already. The first
is known to Spark since 4.1.
"""
