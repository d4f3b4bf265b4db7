"""Files that hold weights and no network: each becomes one with an architecture that the user names.

==============  =================================================================
`expected`      what a graph wants to be called in a file: names, shapes, layouts
`fit`           tensors → the constants of a graph
`mismatch`        what to say when they do not fit, with the nearest guess
`nests`         where in a checkpoint the state dict is
`skeleton`      tensors → the text of a network that they might belong to
`load`          `cnnfast.load_weights`: the tensors alone
`read`          tensors and the user's options → a `Model`; what both formats share
`safetensors`   the format of Hugging Face, written by others
`torch`         state dicts of PyTorch
==============  =================================================================
"""

from __future__ import annotations

import cnnfast.formats.weights.safetensors
import cnnfast.formats.weights.torch  # noqa: F401  (both register their formats)
