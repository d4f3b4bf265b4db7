"""What people look at after a run: contact sheets of pictures, and the scores of a network.

================  ================================================================
`sheet`           `contact_sheet`: PNG or HTML, by the suffix of the file
`tile`            `Tile`: one picture of a sheet
`png`, `html`     the two ways of drawing a sheet
`thumbnail`       a picture, in the size of a tile
`scores`          accuracy, precision, recall, F1, confusion matrix
`plots`           curves of a training run, and its confusion matrix as a picture
`ladder`          one network run in ever faster ways, each checked and timed
`profile`         where the time of an image goes, node by node
================  ================================================================
"""

from __future__ import annotations

from cnnfast.report.scores import Scores
from cnnfast.report.sheet import contact_sheet
from cnnfast.report.tile import Tile

__all__ = ["Scores", "Tile", "contact_sheet"]
