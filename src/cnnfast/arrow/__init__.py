"""Tables of pictures: from Arrow to Arrow, so from Parquet, Feather, pandas and polars too.

>>> import pyarrow as pa
>>> batch = pa.record_batch({"content": [b"not a picture", None]})
>>> Classifier("mnist-mlp")(batch)["error"].to_pylist()
['not a picture in a format that Pillow can read', 'is null']

`Classifier` classifies record batches, tables and frames; `classify_dataset` files larger than memory. Which way a
column is read follows from its type, see ``docs/arrow.md``. Needs ``pip install "cnnfast[arrow]"``.

=============  =====================================================================
`columns`      which column has the pictures, and as what
`pixels`       pixels of a column as an array, without a copy
`results`      the columns of labels, probabilities, features and errors; `arrays` what they are made with
`classifier`   record batches, one after the other
`sources`      files of Parquet and Arrow, read in small pieces
`parts`        finished results of a run that may be interrupted, joined at its end
`dataset`      from files to a file
=============  =====================================================================
"""

from __future__ import annotations

from cnnfast._optional import needs

with needs("cnnfast.arrow", "cnnfast[arrow]"):
    from cnnfast.arrow.classifier import Classifier
    from cnnfast.arrow.dataset import ClassifiedDataset, classify_dataset

__all__ = ["ClassifiedDataset", "Classifier", "classify_dataset"]
