"""HEIC and AVIF, raw files of cameras, and videos: each on files that are made here."""

from __future__ import annotations

import io
import re
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from cnnfast.errors import PictureError
from cnnfast.images.pictures import heif, kinds
from cnnfast.images.pictures.decode import read_picture
from cnnfast.images.pictures.exif_time import time_taken
from cnnfast.images.pictures.files import find_pictures
from cnnfast.images.pictures.raw import is_raw
from cnnfast.images.pictures.tiff import begins_with_preview
from cnnfast.images.pictures.video import frame_name, frame_times, frames, named_frame
from cnnfast.images.preprocess import Preprocess

PREPROCESS = Preprocess(size=(6, 8))


def scene(size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Return a picture whose upper half is blue, and whose lower half is red."""
    image = Image.new("RGB", size, (250, 0, 0))
    image.paste((0, 0, 250), (0, 0, size[0], size[1] // 2))
    return image


def halves(pixels: np.ndarray) -> tuple[str, str]:
    """Return the colors of the upper and the lower half."""
    means = (pixels[:2].mean(axis=(0, 1)), pixels[-2:].mean(axis=(0, 1)))
    return tuple("red" if r > 200 and b < 50 else "blue" if b > 200 and r < 50 else "?" for r, _, b in means)


@pytest.mark.parametrize(("suffix", "format_"), [(".heic", "HEIF"), (".avif", "AVIF")])
def test_heic_and_avif_are_read_upright(tmp_path, monkeypatch, suffix, format_):
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    exif = Image.Exif()
    exif[0x0112] = 3
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 06:30:00"
    file = tmp_path / f"photo{suffix}"
    if format_ == "AVIF" and "AVIF" not in Image.registered_extensions().values():
        pytest.skip("this Pillow writes no AVIF")
    if format_ == "HEIF":
        made = pillow_heif.from_pillow(scene())
        made.info["exif"] = exif.tobytes()
        made.save(file, quality=95)
    else:
        scene().save(file, exif=exif.tobytes())
    assert find_pictures([tmp_path]) == [file]
    assert halves(read_picture(file, PREPROCESS)) == ("red", "blue")
    with file.open("rb") as opened:
        assert time_taken(opened) == "2024-05-01T06:30:00"
    bare = file.rename(tmp_path / "photo")
    assert find_pictures([tmp_path]) == [bare]
    assert halves(read_picture(bare, PREPROCESS)) == ("red", "blue")
    content = bare.read_bytes()
    for length in (13, 40, len(content) // 2, len(content) - 20):
        with pytest.raises(PictureError):
            read_picture(content[:length], PREPROCESS)


def test_heic_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif.as_plugin", None)
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x1cftypheic" + bytes(40))
    with pytest.raises(PictureError, match=r"a\.heic: cannot be decoded: reading HEIC needs .*cnnfast\[heif\]"):
        read_picture(tmp_path / "a.heic", PREPROCESS)


def test_avif_is_left_to_pillow_where_it_reads_it():
    head = b"\0\0\0\x1cftypavif"
    Image.init()
    assert heif.is_heif(head) == ("AVIF" not in Image.OPEN)


KINDS = {1: "<{}B", 2: "<{}B", 3: "<{}H", 4: "<{}I", 5: "<{}I", 10: "<{}i"}


def directory(entries: dict[int, tuple[int, list[int]]], extra_at: int) -> tuple[bytes, bytes]:
    """Return a directory of a TIFF file, and the values that are elsewhere."""
    table, extra = struct.pack("<H", len(entries)), b""
    for tag, (kind, values) in sorted(entries.items()):
        data = struct.pack(KINDS[kind].format(len(values)), *values)
        count = len(values) // (2 if kind in (5, 10) else 1)
        if len(data) <= 4:
            table += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
        else:
            table += struct.pack("<HHII", tag, kind, count, extra_at + len(extra))
            extra += data + bytes(len(data) % 2)
    return table + bytes(4), extra


def dng(preview: bytes | None, size: tuple[int, int], is_jpeg: bool, orientation: int = 1) -> bytes:
    """Return a raw file: a directory with the preview, and below it one with 64 x 64 gray values of a sensor."""
    name, sensor = list(b"Maker Model\0"), struct.pack("<4096H", *[8000] * 4096)
    preview = preview or b""
    sensor_at = 2048 + len(preview) + len(preview) % 2
    identity = [v for row in np.eye(3, dtype=int).tolist() for one in row for v in (one, 1)]
    of_preview = {
        254: (4, [1]), 256: (4, [size[0]]), 257: (4, [size[1]]), 258: (3, [8, 8, 8]), 259: (3, [7 if is_jpeg else 1]),
        262: (3, [6 if is_jpeg else 2]), 273: (4, [2048]), 277: (3, [3]), 278: (4, [size[1]]), 279: (4, [len(preview)]),
    }  # fmt: skip
    main = {
        271: (2, list(b"Maker\0")), 272: (2, list(b"Model\0")), 274: (3, [orientation]), 330: (4, [1024]),
        50706: (1, [1, 4, 0, 0]), 50708: (2, name), 50721: (10, identity), 50728: (5, [1] * 6), 50778: (3, [21]),
    }  # fmt: skip
    of_sensor = {
        254: (4, [0]), 256: (4, [64]), 257: (4, [64]), 258: (3, [16]), 259: (3, [1]), 262: (3, [32803]),
        273: (4, [sensor_at]), 277: (3, [1]), 278: (4, [64]), 279: (4, [8192]), 33421: (3, [2, 2]),
        33422: (1, [0, 1, 1, 2]),
    }  # fmt: skip
    if not preview:
        main, of_preview = {**main, **of_sensor}, {}
        del main[330]
    content = bytearray(sensor_at + len(sensor))
    parts = [(8, 512, {**main, **of_preview})] + ([(1024, 1536, of_sensor)] if preview else [])
    content[:8] = b"II*\0" + struct.pack("<I", 8)
    for at, extra_at, entries in parts:
        table, extra = directory(entries, extra_at)
        content[at : at + len(table)], content[extra_at : extra_at + len(extra)] = table, extra
    content[2048 : 2048 + len(preview)] = preview
    content[sensor_at:] = sensor
    return bytes(content)


def jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.mark.parametrize("is_jpeg", [True, False])
@pytest.mark.parametrize(("orientation", "expected"), [(1, ("blue", "red")), (3, ("red", "blue"))])
def test_the_preview_of_a_raw_file_is_read_upright(tmp_path, is_jpeg, orientation, expected):
    pytest.importorskip("rawpy", reason="rawpy is not installed")
    preview = jpeg(scene()) if is_jpeg else scene().tobytes()
    (tmp_path / "photo.DNG").write_bytes(dng(preview, (160, 120), is_jpeg, orientation))
    assert find_pictures([tmp_path]) == [tmp_path / "photo.DNG"]
    assert halves(read_picture(tmp_path / "photo.DNG", PREPROCESS)) == expected


def test_the_preview_is_turned_by_a_quarter(tmp_path):
    pytest.importorskip("rawpy", reason="rawpy is not installed")
    for is_jpeg in (True, False):
        preview = jpeg(scene()) if is_jpeg else scene().tobytes()
        (tmp_path / "photo.nef").write_bytes(dng(preview, (160, 120), is_jpeg, 6))
        pixels = read_picture(tmp_path / "photo.nef", Preprocess(size=(8, 6)))
        assert halves(pixels.transpose(1, 0, 2)) == ("red", "blue")


@pytest.mark.parametrize("content", [b"no picture", b"", b"II*\0", dng(None, (0, 0), False)[:3000]])
def test_a_raw_file_that_is_damaged_is_an_error(tmp_path, content):
    pytest.importorskip("rawpy", reason="rawpy is not installed")
    (tmp_path / "photo.nef").write_bytes(content)
    with pytest.raises(PictureError, match=r"photo\.nef: "):
        read_picture(tmp_path / "photo.nef", PREPROCESS)


def test_a_raw_file_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
    # the preview is a TIFF that Pillow would read, in another size and not turned
    (tmp_path / "photo.nef").write_bytes(dng(scene().tobytes(), (160, 120), False))
    with pytest.raises(PictureError, match=r"photo\.nef: .*reading raw files needs .*cnnfast\[raw\]"):
        read_picture(tmp_path / "photo.nef", PREPROCESS)


@pytest.mark.parametrize("is_jpeg", [True, False])
def test_a_raw_file_is_known_without_its_name(tmp_path, is_jpeg):
    pytest.importorskip("rawpy", reason="rawpy is not installed")
    preview = jpeg(scene()) if is_jpeg else scene().tobytes()
    content = dng(preview, (160, 120), is_jpeg, 3)
    (tmp_path / "photo.tif").write_bytes(content)
    for picture in (content, io.BytesIO(content), tmp_path / "photo.tif"):
        assert halves(read_picture(picture, PREPROCESS)) == ("red", "blue")


def test_a_cr2_is_known_by_its_first_bytes():
    assert is_raw("<bytes>", b"II*\0\x10\0\0\0CR\2\0")
    assert not is_raw("<bytes>", b"RIFF\x10\0\0\0CR\2\0")


def test_a_raw_file_without_its_name_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
    with pytest.raises(PictureError, match=r"reading raw files needs .*cnnfast\[raw\]"):
        read_picture(dng(scene().tobytes(), (160, 120), False), PREPROCESS)


@pytest.mark.parametrize("tags", [{254: 1}, {254: 1, 330: (8,)}, {50706: b"\1\4\0\0"}])
def test_only_what_is_a_raw_file_is_taken_for_one(tags):
    file, info = io.BytesIO(), TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        info[tag] = value
    scene().save(file, "TIFF", tiffinfo=info)
    with Image.open(io.BytesIO(file.getvalue())) as image:
        assert begins_with_preview(image) is (len(tags) == 2 or 50706 in tags)


def test_a_photograph_that_is_called_like_a_raw_file_is_read(tmp_path):
    (tmp_path / "photo.nef").write_bytes(jpeg(scene()))
    assert halves(read_picture(tmp_path / "photo.nef", PREPROCESS)) == ("blue", "red")
    scene().save(tmp_path / "photo.dng", "PNG")
    assert halves(read_picture(tmp_path / "photo.dng", PREPROCESS)) == ("blue", "red")


def test_the_preview_of_a_raw_file_that_is_cut_off_is_not_whole(tmp_path):
    pytest.importorskip("rawpy", reason="rawpy is not installed")
    content = dng(jpeg(scene()), (160, 120), True)
    begin = content.index(b"\xff\xd8\xff")
    for left in (len(jpeg(scene())) // 2, len(jpeg(scene())) - 60, len(jpeg(scene())) - 1):
        # what is behind the end may still be in memory
        (tmp_path / "photo.dng").write_bytes(content)
        read_picture(tmp_path / "photo.dng", PREPROCESS)
        (tmp_path / "photo.dng").write_bytes(content[: begin + left])
        with pytest.raises(PictureError, match=r"photo\.dng: "):
            read_picture(tmp_path / "photo.dng", PREPROCESS)


def test_reasons_are_one_line(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    pillow_heif.from_pillow(scene()).save(tmp_path / "a.heic")
    content = (tmp_path / "a.heic").read_bytes()
    with pytest.raises(PictureError) as caught:
        read_picture(content[: len(content) // 2], PREPROCESS)
    assert caught.value.reason == caught.value.reason.strip()
    assert len(caught.value.reason.splitlines()) == 1


def clip(
    path: Path,
    seconds: int = 3,
    rate: int = 10,
    codec: str = "mpeg4",
    options: dict[str, str] | None = None,
    noise: bool = False,
) -> Path:
    """Write a video whose picture becomes brighter with each second; its upper half may be noise, which takes bytes."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    draws = np.random.default_rng(0)
    with av.open(str(path), "w", options=options or {}) as video:
        stream = video.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.bit_rate = 2_000_000
        for number in range(seconds * rate):
            pixels = np.full((48, 64, 3), 40 + 60 * (number // rate), np.uint8)
            if noise:
                pixels[:24] = draws.integers(0, 256, (24, 64, 3))
            video.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        video.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_frames_are_taken_at_equal_times(tmp_path, suffix):
    path = clip(tmp_path / f"clip{suffix}")
    assert frame_times(path, 1.0) == [0, 1, 2]
    assert len(frame_times(path, 0.5)) == 6
    assert frame_times(path, 100.0) == [0]
    seen = [int(frame.mean().round()) for frame in frames(path, [0.0, 1.0, 2.0])]
    assert seen == pytest.approx([40, 100, 160], abs=4)
    found, late = frames(path, [1.5, 99.0])
    assert int(found.mean().round()) == pytest.approx(100, abs=4)
    assert re.search(rf"clip{suffix}: ends after 3\.000 seconds, earlier than it states", str(late))


@pytest.mark.parametrize("suffix", [".mts", ".mpg"])
def test_times_count_from_the_first_frame(tmp_path, suffix):
    path = clip(tmp_path / f"clip{suffix}", codec="mpeg2video", rate=25)
    seen = [int(frame.mean().round()) for frame in frames(path, [0.0, 0.92, 1.0, 1.92, 2.0])]
    assert seen == pytest.approx([40, 40, 100, 100, 160], abs=4)


def test_frames_that_are_cut_off_are_errors(tmp_path):
    path = clip(tmp_path / "clip.mp4", options={"movflags": "faststart"}, noise=True)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    times = frame_times(path, 0.5)
    assert len(times) == 6
    first, *_, last = frames(path, times)
    assert int(first[24:].mean().round()) == pytest.approx(40, abs=8)
    assert re.search(r"clip\.mp4: (ends after 1\.\d+ seconds|cannot be decoded)", str(last))


def test_a_video_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"video")
    with pytest.raises(PictureError, match=r"a\.mp4: reading videos needs .*cnnfast\[video\]"):
        frame_times(tmp_path / "a.mp4", 1.0)
    assert "cnnfast[video]" in str(next(frames(tmp_path / "a.mp4", [0.0])))


def test_frames_have_names():
    for name in ("clip.mp4", "a\nb[1.000s].mp4", "clip.mp4[2.000s]"):
        assert named_frame(frame_name(Path(name), 61.5)) == (name, 61.5)
    assert named_frame("clip[1s].mp4") is None


def test_what_is_not_a_video_is_an_error(tmp_path):
    path = clip(tmp_path / "clip.mp4")
    (tmp_path / "text.mp4").write_bytes(b"no video")
    (tmp_path / "half.mp4").write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    for name in ("text.mp4", "half.mp4", "absent.mp4"):
        with pytest.raises(PictureError, match=f"{name}: cannot be opened as a video"):
            frame_times(tmp_path / name, 1.0)
        assert isinstance(next(iter(frames(tmp_path / name, [0.0]))), PictureError)


def test_what_holds_no_pictures_is_an_error(tmp_path):
    path = clip(tmp_path / "clip.mp4")
    content, begin = path.read_bytes(), path.read_bytes().index(b"moov") - 4
    # all pictures are there, but nothing says what they are
    (tmp_path / "cut.mp4").write_bytes(content[:begin])
    with pytest.raises(PictureError, match=r"cut\.mp4: cannot be opened as a video"):
        frame_times(tmp_path / "cut.mp4", 1.0)
    with wave.open(str(tmp_path / "sound.avi"), "wb") as sound:
        sound.setparams((1, 2, 8000, 100, "NONE", ""))
        sound.writeframes(bytes(200))
    with pytest.raises(PictureError, match=r"sound\.avi: has no pictures, only sound"):
        frame_times(tmp_path / "sound.avi", 1.0)


def test_it_is_said_how_a_video_is_read(tmp_path):
    (tmp_path / "clip.MOV").write_bytes(b"\0\0\0\x14ftypqt  ")
    with pytest.raises(PictureError, match=r"every 1s of find and classify reads frames of \.mov"):
        read_picture(tmp_path / "clip.MOV", PREPROCESS)
    assert kinds.how_to_read("a.jpg") == ""
