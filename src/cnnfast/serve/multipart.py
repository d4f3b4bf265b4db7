"""The files of a multipart body, in memory: nothing is written, and names of files are not even looked at."""

from __future__ import annotations

from email.message import Message

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from cnnfast.serve.exchange import RequestError
from cnnfast.serve.limits import MAX_PARTS


def boundary_of(content_type: str) -> str:
    """Return what separates the parts, from the header Content-Type.

    Examples
    --------
    >>> boundary_of('multipart/form-data; boundary="a b"')
    'a b'
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise RequestError(400, "the Content-Type of the multipart body has no boundary of 1 to 70 characters of ASCII")
    return boundary


def parts_of(body: bytes, boundary: str) -> list[bytes]:
    """Return the content of each part.

    Raises
    ------
    RequestError
        If the body is damaged, incomplete, or has too many parts.

    Examples
    --------
    >>> parts_of(b"--x\\r\\nContent-Disposition: form-data; name=a\\r\\n\\r\\nfile\\r\\n--x--\\r\\n", "x")
    [b'file']
    """
    parts = _Parts()
    parser = MultipartParser(
        boundary,
        {"on_part_begin": parts.begin, "on_part_data": parts.add, "on_part_end": parts.end, "on_end": parts.finish},
    )
    try:
        parser.write(body)
    except FormParserError:
        raise RequestError(400, "the multipart body is damaged") from None
    if not parts.is_complete:
        raise RequestError(400, "the multipart body ends before its last boundary")
    return parts.contents


class _Parts:
    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.is_complete = False
        self._pieces: list[bytes] = []

    def begin(self) -> None:
        if len(self.contents) == MAX_PARTS:
            raise RequestError(413, f"the multipart body has more than {MAX_PARTS} parts")
        self._pieces = []

    def add(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append(data[start:end])

    def end(self) -> None:
        self.contents.append(b"".join(self._pieces))

    def finish(self) -> None:
        self.is_complete = True
