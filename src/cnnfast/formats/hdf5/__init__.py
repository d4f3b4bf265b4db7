"""A reader of HDF5 as Keras writes it, in NumPy, that trusts no byte: each place is looked at once, inside of the file.

What h5py writes by default is read: the first version of groups and headers, arrays in one piece or in chunks, deflate
and shuffle, attributes of numbers and texts. What HDF5 has besides is refused by name. The library of HDF5 is of C, has
no limits, and may never return from a damaged file. The format: https://docs.hdfgroup.org, *HDF5 File Format 2.0*.

============  ==========================================================
`data`        the bytes, with checked places; what may be spent on them
`header`      the messages of an object
`types`       types of elements, and shapes
`groups`      names and objects in a group
`attributes`  attributes and the heap of their texts
`arrays`      data sets
`file`        all of it behind one door
============  ==========================================================
"""

from __future__ import annotations

from cnnfast.formats.hdf5.data import EXPANSION, SIGNATURE
from cnnfast.formats.hdf5.file import File

__all__ = ["EXPANSION", "SIGNATURE", "File"]
