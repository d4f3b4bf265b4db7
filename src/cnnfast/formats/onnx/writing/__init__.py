"""Networks as ONNX files, operator set 17: the mirror of the reader.

    target.py     the graph of the file under construction
    rules.py      the list of rules, one per op
    layers.py     convolution, dense layer, pools, norms
    elements.py   functions of one element, and of two
    moves.py      what moves, cuts and resizes
    integers.py   ops on bytes
    model.py      from a `Model` to the message and the file
    metadata.py   labels, preprocessing, license and notes: written, and read back

To add an op, write a function of a `WriteCall` and enter it under the class of the op; a test fails until there is one.
"""
