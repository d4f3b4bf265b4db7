"""Modules of PyTorch become graphs, through ``torch.export`` and without a file in between.

===============  ====================================================================
`given`          what the user hands over → a module in evaluation mode
`multihead`      attention layers of PyTorch, written out
`export`         a module → the nodes of ATen, functional, for a batch of images
`values`         what a node stands for: images, or a constant; and how images are
`builder`        the graph under construction
`table`          the list of ATen ops that are known, and the error for all others
`layers`         convolutions, dense layers, normalization
`pools`          pools and reductions
`elementwise`    activations and arithmetic
`attention`      products of two values
`moves`          reshapes, permutations, slices, joins, borders
`batch`          whether the number of images changes anything
`read`           walks the nodes, gathers what is not supported, returns a `Model`
===============  ====================================================================

`given`, `multihead`, `export` and `batch` import torch; nothing here is imported before `cnnfast.from_torch` is called.
"""
