"""Pickles of PyTorch, read without running anything that is in them.

A pickle is a program for a small machine with a stack, whose instructions may import and call whatever they name. The
machine here imports and calls nothing: a name becomes a `Global`, the call of one becomes a `Record`, which is nothing
but that name, and only what `torch.save` writes for tensors and dictionaries is made into those.

============  =====================================================================
`inert`       what a pickle may hold instead of objects
`machine`     the stack, the memo, and the bounds on both
`opcodes`     the instructions of protocols 0 to 5
`calls`       the few functions whose meaning is known: tensors, `OrderedDict`
`storages`    the numbers of a tensor, from either container of ``torch.save``
`container`   a file → its content
============  =====================================================================
"""
