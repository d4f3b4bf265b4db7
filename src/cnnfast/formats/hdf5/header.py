"""The header of an object: messages of some kinds, in one block or in several."""

from __future__ import annotations

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.hdf5.data import Data, Once

SPACE, LINK_INFO, TYPE, LINK, EXTERNAL, LAYOUT, FILTERS = 0x01, 0x02, 0x03, 0x06, 0x07, 0x08, 0x0B
ATTRIBUTE, CONTINUATION, TABLE, ATTRIBUTE_INFO = 0x0C, 0x10, 0x11, 0x15
"""Kinds of messages."""

SHARED = 2
"""The flag of a message that is somewhere else."""


@frozen
class Message:
    """What one message is, and where it is."""

    kind: int
    at: int
    size: int
    is_shared: bool


def messages(data: Data, at: int) -> list[Message]:
    """Return the messages of the object whose header is at a place.

    Raises
    ------
    ModelFileError
        If the header is damaged.
    UnsupportedError
        If it is of the second version.
    """
    version = data.number(at, 1)
    if data.take(at, 4).tobytes() == b"OHDR":
        raise UnsupportedError(
            "this HDF5 file is of a newer layout than Keras writes (libver='latest', or track_order); load the model "
            "in Keras and save it again with model.save()"
        )
    if version != 1:
        raise ModelFileError(f"an object should be at byte {at} of HDF5, but there is no header of one")
    seen = Once("the header of an object")
    blocks = [(at + 16, data.number(at + 8, 4))]
    found: list[Message] = []
    while blocks:
        place, size = blocks.pop(0)
        seen.visit(place)
        data.take(place, size)
        end = place + size
        while place + 8 <= end:
            kind, length = data.number(place, 2), data.number(place + 2, 2)
            data.step()
            message = Message(kind, place + 8, length, bool(data.number(place + 4, 1) & SHARED))
            place += 8 + length
            if place > end:
                raise ModelFileError(f"a message of {length} bytes does not fit its header at byte {at} of HDF5")
            if kind == CONTINUATION and length >= 16:
                blocks.append((data.number(message.at, 8), data.number(message.at + 8, 8)))
            found.append(message)
    return found


def only(found: list[Message], kind: int, what: str) -> Message:
    """Return the message of a kind.

    Raises
    ------
    ModelFileError
        If there is none, or more than one.
    UnsupportedError
        If it is shared with other objects.
    """
    of_kind = [message for message in found if message.kind == kind]
    if len(of_kind) != 1:
        raise ModelFileError(f"it has {len(of_kind)} messages that state {what}, but must have one")
    if of_kind[0].is_shared:
        raise UnsupportedError(f"{what} is shared with other objects of the HDF5 file, which Keras never writes")
    return of_kind[0]
