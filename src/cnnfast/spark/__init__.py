"""Pictures in the data frames of Spark, classified on its executors with the bits of one process.

Needs ``pip install "cnnfast[spark]"`` and Java 17 on the driver, and the same cnnfast on every executor.

=============  =====================================================================
`travel`       a network or another file reaches each executor once, named by its SHA-256
=============  =====================================================================
"""
