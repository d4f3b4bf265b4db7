"""Pictures of every kind become the same upright array, or an error that names them."""

import inspect
import itertools
import os
import random
import struct
import sys
import threading
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageSequence
from systems import posix

from cnnfast import set_max_pixels
from cnnfast.errors import ConfigError, DataError, InputError, PictureError
from cnnfast.images.pictures import rule as picture_rule
from cnnfast.images.pictures.decode import fit_images, read_picture
from cnnfast.images.pictures.files import find_pictures
from cnnfast.images.pictures.kinds import picture_suffixes
from cnnfast.images.pictures.many import read_pictures
from cnnfast.images.pictures.pixels import DEFAULT as MAX_PIXELS
from cnnfast.images.pictures.reduced import scale_of
from cnnfast.images.preprocess import INTERPOLATIONS, RESIZES, Preprocess

# Broken files may make Pillow warn before it fails; that they are reported is what counts here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")

AS_IS = Preprocess(size=(6, 8))
GRAY = Preprocess(size=(6, 8), channels="gray")
ORIENTATION = 0x0112


def scene() -> Image.Image:
    """Return 8 x 6 pixels whose four quarters differ, so that no turn leaves them alike."""
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[:3, :4] = 255, 0, 0
    pixels[:3, 4:] = 0, 255, 0
    pixels[3:, :4] = 0, 0, 255
    pixels[3:, 4:] = 255, 255, 0
    return Image.fromarray(pixels)


def encoded(image: Image.Image, format_: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, kind: int, rows: bytes, transparent: bytes = b"") -> bytes:
    """Write a PNG by hand, for what Pillow reads but does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    key = chunk(b"tRNS", transparent) if transparent else b""
    return b"\x89PNG\r\n\x1a\n" + header + key + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# Colors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_modes_that_hold_the_colors_give_them_back(mode):
    np.testing.assert_array_equal(read_picture(encoded(scene().convert(mode)), AS_IS), np.asarray(scene()))


@pytest.mark.parametrize(
    ("format_", "mode"), [("TIFF", "CMYK"), ("TIFF", "YCbCr"), ("JPEG", "CMYK"), ("JPEG", "YCbCr")]
)
def test_other_color_spaces_come_back_as_rgb(format_, mode):
    found = read_picture(
        encoded(scene().convert(mode), format_, **({"quality": 100, "subsampling": 0} if format_ == "JPEG" else {})),
        AS_IS,
    )
    assert np.abs(found.astype(int) - np.asarray(scene())).max() <= 8


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P"])
def test_gray_modes_repeat_in_color_networks(mode):
    ramp = Image.fromarray(np.arange(0, 240, 5, dtype=np.uint8).reshape(6, 8)).convert(mode)
    found = read_picture(encoded(ramp), AS_IS)
    assert (found == found[..., :1]).all()
    np.testing.assert_array_equal(found[..., 0], np.asarray(ramp.convert("L")))
    np.testing.assert_array_equal(read_picture(encoded(ramp), GRAY), found[..., :1])


def test_channel_orders():
    rgb = read_picture(encoded(scene()), AS_IS)
    bgr = read_picture(encoded(scene()), Preprocess(size=(6, 8), channels="bgr"))
    np.testing.assert_array_equal(bgr, rgb[..., ::-1])
    gray = read_picture(encoded(scene()), GRAY)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray[..., 0] - luma).max() <= 1


@pytest.mark.parametrize("background", [(255, 255, 255), (10, 20, 30)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "L", "RGB"])
def test_transparent_pixels_show_the_background(mode, background):
    rule = Preprocess(size=(1, 2), background=background)
    if mode == "P":
        image = Image.new("P", (2, 1), 1)
        image.putpalette([9, 9, 9, 0, 0, 0])
        image.putpixel((0, 0), 0)
        content = encoded(image, transparency=0)
    elif mode in ("RGBA", "LA"):
        image = Image.new(mode, (2, 1), (0,) * (len(mode) - 1) + (255,))
        image.putpixel((0, 0), (9,) * (len(mode) - 1) + (0,))
        content = encoded(image)
    else:
        image = Image.new(mode, (2, 1))
        image.putpixel((0, 0), (255, 255, 255) if mode == "RGB" else 255)
        content = encoded(image, transparency=(255, 255, 255) if mode == "RGB" else 255)
    found = read_picture(content, rule)
    assert found[0].tolist() == [list(background), [0, 0, 0]]


def test_half_transparent_is_half_way():
    found = read_picture(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 128))), Preprocess(size=(1, 1)))
    assert found.ravel().tolist() == [127, 127, 127]


def test_16_bit_gray_is_scaled_and_not_clipped():
    values = np.array([[0, 255, 256, 1000, 32768, 40000, 65280, 65535]], np.uint16)
    rule = Preprocess(size=(1, 8))
    expected = (values >> 8).astype(np.uint8)[0]
    raw = b"\0" + values.astype(">u2").tobytes()
    as_png = png(8, 1, 16, 0, raw)
    as_pgm = b"P5 8 1 65535\n" + values.astype(">u2").tobytes()
    as_tiff = encoded(Image.fromarray(values), "TIFF")
    for content in (as_png, as_pgm, as_tiff):
        assert read_picture(content, rule)[0, :, 0].tolist() == expected.tolist()
    color = png(8, 1, 16, 2, b"\0" + np.repeat(values.astype(">u2"), 3).tobytes())
    np.testing.assert_array_equal(read_picture(color, rule), read_picture(as_png, rule))


def test_16_bit_gray_with_a_transparent_value():
    rows = b"\0" + struct.pack(">2H", 1000, 1001)
    found = read_picture(png(2, 1, 16, 0, rows, struct.pack(">H", 1000)), Preprocess(size=(1, 2)))
    assert found[0, :, 0].tolist() == [255, 3]


def test_12_bit_pgm_uses_its_own_maximum():
    content = b"P5 2 1 4095\n" + struct.pack(">2H", 4095, 0)
    assert read_picture(content, Preprocess(size=(1, 2), channels="gray")).ravel().tolist() == [255, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 100, 255]], np.int32), [0, 100, 255]),
        (np.array([[0, 256, 65535]], np.int32), [0, 1, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 100, 255]], np.float32), [0, 100, 255]),
        (np.array([[0, 256, 65535]], np.float32), [0, 1, 255]),
    ],
)
def test_32_bit_gray_has_the_least_scale_that_holds_it(values, expected):
    content = encoded(Image.fromarray(values), "TIFF")
    assert read_picture(content, Preprocess(size=(1, 3), channels="gray")).ravel().tolist() == expected


@pytest.mark.parametrize("value", [-1.0, 70000.0, float("nan"), float("inf")])
def test_32_bit_gray_without_a_known_scale_is_refused(value):
    content = encoded(Image.fromarray(np.array([[0, value]], np.float32)), "TIFF")
    with pytest.raises(PictureError, match="no known scale"):
        read_picture(content, Preprocess(size=(1, 2)))


# Turning and animations ------------------------------------------------------------------------------------------

STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_comes_out_upright(format_, orientation):
    method = STORED[orientation]
    stored = scene() if method is None else scene().transpose(method)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(format_, {})
    found = read_picture(encoded(stored, format_, exif=exif, **options), AS_IS)
    assert np.abs(found.astype(int) - np.asarray(scene())).max() <= (8 if format_ == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_impossible_orientation_is_ignored(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    np.testing.assert_array_equal(read_picture(encoded(scene(), exif=exif), AS_IS), np.asarray(scene()))


def test_broken_exif_does_not_cost_the_picture():
    content = encoded(scene(), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    np.testing.assert_array_equal(read_picture(content, AS_IS), np.asarray(scene()))


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP", "TIFF"])
def test_animation_gives_its_first_frame(format_):
    frames = [scene(), Image.new("RGB", (8, 6), "black"), Image.new("RGB", (8, 6), "white")]
    options = {"lossless": True} if format_ == "WEBP" else {}
    content = encoded(frames[0], format_, save_all=True, append_images=frames[1:], **options)
    assert len(list(ImageSequence.Iterator(Image.open(BytesIO(content))))) == 3
    np.testing.assert_array_equal(read_picture(content, AS_IS), np.asarray(scene()))


# Fitting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 1000), (40, 30), (32, 32), (7, 5)])
def test_any_size_is_fitted_and_one_color_stays(size, resize, interpolation):
    color = (200, 100, 50)
    content = encoded(Image.new("RGB", (size[1], size[0]), color))
    rule = Preprocess(size=(32, 24), resize=resize, interpolation=interpolation, background=color)
    found = read_picture(content, rule)
    assert found.shape == (32, 24, 3)
    assert found.dtype == np.uint8
    assert (found == color).all()


def test_crop_keeps_the_center():
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 255
    found = read_picture(encoded(Image.fromarray(pixels)), Preprocess(size=(5, 5), resize="crop", interpolation="box"))
    assert (found == 255).all()


@pytest.mark.parametrize(("width", "height"), [(512, 512), (768, 512), (512, 1024)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_crop_pct_is_resize_256_and_crop_224(width, height, interpolation):
    """As torchvision and timm do it, here in floats: Pillow rounds bytes twice, once for each side."""
    # nothing is so dark or bright that it would be cut off between the two
    noise = np.random.default_rng(3).integers(40, 216, (height // 16, width // 16), np.uint8)
    gray = Image.fromarray(noise).resize((width, height), Image.Resampling.BILINEAR)
    rule = Preprocess((224, 224), "gray", "crop", interpolation, crop_pct=224 / 256)
    half = gray.convert("F").resize((width // 2, height // 2), Image.Resampling[interpolation.upper()])
    top, left = (height // 2 - 224) // 2, (width // 2 - 224) // 2
    expected = np.asarray(half)[top : top + 224, left : left + 224, None]
    assert np.abs(read_picture(encoded(gray), rule) - expected).max() <= 1.2


def test_a_jpeg_is_reduced_by_what_the_crop_leaves():
    size = (2048, 2048)
    assert scale_of(size, Preprocess(size=(128, 128), resize="crop")) == 4
    assert scale_of(size, Preprocess(size=(128, 128), resize="crop", crop_pct=0.9)) == 2


def test_pad_centers_and_fills():
    content = encoded(Image.new("RGB", (30, 10), "black"))
    found = read_picture(content, Preprocess(size=(30, 30), resize="pad", background=(1, 2, 3)))
    assert (found[10:20] == 0).all()
    assert (found[:10] == (1, 2, 3)).all()
    assert (found[20:] == (1, 2, 3)).all()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "box", "lanczos"])
def test_reducing_averages(interpolation):
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    found = read_picture(encoded(Image.fromarray(board)), Preprocess(size=(8, 8), interpolation=interpolation))
    assert np.abs(found.astype(int) - 127).max() <= 3


def test_arrays_are_fitted_like_files():
    rng = np.random.default_rng(0)
    for channels, rule in itertools.product((1, 3, 4), (Preprocess(size=(9, 7), resize="crop"), GRAY)):
        images = rng.integers(0, 256, (3, 12, 16, channels), np.uint8)
        fitted = fit_images(images, rule)
        for image, found in zip(images, fitted, strict=True):
            file = encoded(Image.fromarray(image[..., 0] if channels == 1 else image))
            np.testing.assert_array_equal(found, read_picture(file, rule))


def test_arrays_that_fit_already_are_not_copied():
    images = np.zeros((2, 6, 8, 3), np.uint8)
    assert fit_images(images, AS_IS) is images
    images[..., 0] = 7
    assert (fit_images(images, Preprocess(size=(6, 8), channels="bgr"))[..., 2] == 7).all()


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 6, 8, 3), np.float32),
        np.zeros((6, 8, 3), np.uint8),
        np.zeros((1, 6, 8, 2), np.uint8),
        np.zeros((1, 0, 8, 3), np.uint8),
    ],
)
def test_arrays_that_are_no_images_are_refused(images):
    with pytest.raises(InputError):
        fit_images(images, AS_IS)


# What cannot be read ---------------------------------------------------------------------------------------------


def test_paths_bytes_and_files_are_the_same(tmp_path):
    path = tmp_path / "scene.png"
    path.write_bytes(encoded(scene()))
    with open(path, "rb") as file:
        found = [
            read_picture(p, AS_IS) for p in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), file)
        ]
        assert not file.closed
    assert all((f == np.asarray(scene())).all() for f in found)


def test_reasons_name_the_file(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "cut.png").write_bytes(encoded(scene().resize((100, 100)))[:-40])
    (tmp_path / "drawing.eps").write_bytes(encoded(scene(), "EPS"))
    (tmp_path / "dangling.png").symlink_to("nowhere")
    expected = {
        "absent.png": "no such file",
        "dangling.png": "no such file",
        "empty.png": "is empty",
        "text.png": "not a picture",
        "cut.png": "cannot be decoded: .*truncated",
        "drawing.eps": "EPS file, which needs another program",
        ".": "is a folder",
        "zero\0byte.png": "cannot be opened: (embedded null byte|stat: embedded null character in path)$",
    }
    for name, reason in expected.items():
        with pytest.raises(PictureError, match=reason) as caught:
            read_picture(tmp_path / name, AS_IS)
        assert caught.value.path == str(tmp_path / name)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes and /dev/zero are of Unix")
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_half_a_picture_is_refused_even_if_a_library_lets_it_pass(format_, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    rng = np.random.default_rng(0)
    whole = encoded(Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)), format_)
    with pytest.raises(PictureError):
        read_picture(whole[: len(whole) * 2 // 3], Preprocess(size=(8, 8)))
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert read_picture(whole, Preprocess(size=(8, 8))).shape == (8, 8, 3)


def test_the_flag_for_half_pictures_comes_back_after_many_threads(monkeypatch, tmp_path):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    paths = []
    for i in range(60):
        paths.append(tmp_path / f"{i}.jpg")
        Image.effect_noise((90, 90), 80).save(paths[-1])
        if i % 3 == 0:
            paths[-1].write_bytes(paths[-1].read_bytes()[:-900])
    outcomes = [picture for _, picture in read_pictures(paths, Preprocess(size=(8, 8)), workers=4)]
    assert [isinstance(outcome, PictureError) for outcome in outcomes] == [i % 3 == 0 for i in range(60)]
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@posix
def test_pipes_and_devices_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        with pytest.raises(PictureError, match="neither a file nor a folder"):
            read_picture(path, AS_IS)


def test_permission_is_a_reason(tmp_path, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(13, "Permission denied", path)

    (tmp_path / "secret.png").write_bytes(encoded(scene()))
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(PictureError, match=r"secret\.png: cannot be opened: Permission denied"):
        read_picture(tmp_path / "secret.png", AS_IS)


@pytest.mark.parametrize(
    "size", [(MAX_PIXELS + 1, 1), (10_000, 10_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)], ids=str
)
@pytest.mark.parametrize("limit", [MAX_PIXELS, None], ids=["limit", "unlimited"])
def test_decompression_bombs_are_refused_even_if_a_library_lifted_the_limit(size, limit, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(PictureError, match="decompression bomb"):
        read_picture(png(*size, 8, 2, b""), AS_IS)


def test_the_limit_of_pixels_is_the_users(monkeypatch):
    """Pillow's own limit is lifted where it is lower, and is back afterwards."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    large = encoded(scene().resize((80, 60)))
    np.testing.assert_array_equal(read_picture(large, AS_IS).shape, (6, 8, 3))
    set_max_pixels(80 * 60 - 1)
    try:
        with pytest.raises(PictureError, match=r"has 80 x 60 pixels, more than 4799, .*set_max_pixels or --max-pixels"):
            read_picture(large, AS_IS)
    finally:
        set_max_pixels(None)
    assert Image.MAX_IMAGE_PIXELS == 1000


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
@pytest.mark.parametrize("rows", [1, 7, 100])
def test_strips_over_the_background_are_the_whole(mode, rows, monkeypatch):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (23, 9, 4), np.uint8), "RGBA")
    if mode == "P":
        image = image.convert("RGB").quantize(16)
        image.info["transparency"] = bytes(range(0, 256, 16))
    else:
        image = image.convert("LA" if mode == "PA" else mode).convert(mode)
    background = (200, 30, 99)
    canvas = Image.new("RGBA", image.size, (*background, 255))
    whole = np.asarray(Image.alpha_composite(canvas, image.convert("RGBA")).convert("RGB"))
    monkeypatch.setattr(picture_rule, "STRIP", 9 * rows)
    np.testing.assert_array_equal(np.asarray(picture_rule._over(image, background)), whole)


@pytest.mark.parametrize("error", [MemoryError, OverflowError, SyntaxError, struct.error, zlib.error, RecursionError])
def test_whatever_a_decoder_raises_becomes_a_picture_error(error, monkeypatch):
    def fail(self):
        raise error()

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(PictureError, match=f"memory|{error.__name__}"):
        read_picture(encoded(scene()), AS_IS)


@pytest.mark.parametrize(
    "format_", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "TGA", "ICO", "PCX", "SGI", "JPEG2000"]
)
def test_damaged_bytes_never_raise_anything_else(format_):
    try:
        whole = encoded(scene().resize((32, 24)), format_)
    except (OSError, KeyError):
        pytest.skip(f"this Pillow does not write {format_}")
    chance = random.Random(format_)
    damaged = [whole[:n] for n in range(0, len(whole), max(1, len(whole) // 20))]
    for _ in range(60):
        flipped = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            flipped[chance.randrange(len(flipped) if chance.random() < 0.5 else min(64, len(flipped)))] = (
                chance.randrange(256)
            )
        damaged.append(bytes(flipped))
    reasons = []
    for content in damaged:
        try:
            assert read_picture(content, AS_IS).shape == (6, 8, 3)
        except PictureError as error:
            reasons.append(error.reason)
    assert reasons
    assert all(reasons)


def test_odd_images_are_read_or_reported_with_a_reason(shared_data):
    unreadable = {
        "LICENSE": "not a picture",
        "broken.png": "cannot be decoded: broken PNG",
        "broken_data_stream.png": "cannot be decoded: unrecognized data stream",
        "decompression_bomb.gif": "decompression bomb",
        "truncated_image.png": "truncated",
        "truncated_jpeg.jpg": "truncated",
    }
    paths = sorted((shared_data / "odd-images").iterdir())
    failed = {path.name: p for path, p in read_pictures(paths, AS_IS) if isinstance(p, PictureError)}
    assert failed.keys() == unreadable.keys()
    for name, reason in unreadable.items():
        assert reason in failed[name].reason


def test_odd_images_are_upright(shared_data):
    rule = Preprocess(size=(64, 64))
    turned = [read_picture(shared_data / "odd-images" / f"hopper_orientation_{i}.jpg", rule) for i in range(2, 9)]
    for other in turned[1:]:
        assert np.abs(other.astype(int) - turned[0]).mean() < 2
    gray = read_picture(shared_data / "odd-images" / "hopper_gray.jpg", rule)
    deep = read_picture(shared_data / "odd-images" / "hopper_16bit.pgm", rule)
    assert np.abs(gray.astype(int) - turned[0].mean(2, keepdims=True)).mean() < 8
    assert np.abs(gray.astype(int) - deep).mean() < 3


# Many ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def album(tmp_path):
    """Return a folder of twenty pictures that differ, the eighth broken."""
    for i in range(20):
        Image.new("L", (4, 4), i).save(tmp_path / f"{i:02}.png")
    (tmp_path / "07.png").write_bytes(b"broken")
    return tmp_path


@pytest.mark.parametrize("workers", [1, 3, None])
def test_many_come_in_order_with_failures_in_place(album, workers):
    paths = find_pictures([album])
    outcomes = list(read_pictures(paths, Preprocess(size=(1, 1), channels="gray"), workers))
    assert [path for path, _ in outcomes] == paths
    assert isinstance(outcomes[7][1], PictureError)
    assert [int(p[0, 0, 0]) for i, (_, p) in enumerate(outcomes) if i != 7] == [i for i in range(20) if i != 7]


def test_many_are_taken_a_few_at_a_time_and_can_be_stopped(album):
    taken = []

    def endless():
        for i in itertools.count():
            taken.append(i)
            yield album / f"{i % 20:02}.png"

    before = threading.active_count()
    pictures = read_pictures(endless(), AS_IS, workers=2)
    assert not taken
    for _ in range(100):
        next(pictures)
    assert len(taken) <= 100 + 2 * 4 + 1
    pictures.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [0, -1])
def test_many_need_a_worker(workers):
    with pytest.raises(ConfigError):
        read_pictures([], AS_IS, workers)


def test_find_is_sorted_recursive_and_skips_what_is_no_picture(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "book.pdf", "data.h5", "drawing.eps", "noext"):
        (tmp_path / name).touch()
    for name in ("sub/deep/c.webp", "sub/a.gif", ".git/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [p.relative_to(tmp_path).as_posix() for p in find_pictures([tmp_path])]
    assert found == ["a.JPG", "b.png", "sub/a.gif", "sub/deep/c.webp"]


def test_find_takes_named_files_whatever_they_are_and_each_once(tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "a.png").touch()
    named = [tmp_path / "notes.txt", tmp_path, tmp_path / "a.png"]
    assert find_pictures(named) == [tmp_path / "notes.txt", tmp_path / "a.png"]


@posix
def test_an_entry_that_cannot_be_looked_at_hides_no_other(tmp_path):
    """A loop of links, and a link through a file, are unreadable entries of their own among good pictures."""
    Image.new("RGB", (4, 4)).save(tmp_path / "good.png")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "through").symlink_to("good.png/inside")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    found = find_pictures([tmp_path])
    assert [path.name for path in found] == ["a", "b", "good.png", "self.jpg", "through"]
    outcomes = [isinstance(picture, PictureError) for _, picture in read_pictures(found, AS_IS)]
    assert outcomes == [True, True, False, True, True]


@posix
def test_find_enters_loops_of_links_once_and_keeps_broken_links_to_be_reported(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "lost.png").symlink_to("nowhere.png")
    assert find_pictures([tmp_path]) == [tmp_path / "a.png", tmp_path / "lost.png"]


def test_find_goes_deeper_than_python_recurses(tmp_path):
    deep = tmp_path.joinpath(*["d"] * 150)
    deep.mkdir(parents=True)
    (deep / "a.png").touch()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        found = find_pictures([tmp_path])
    finally:
        sys.setrecursionlimit(limit)
    assert found == [deep / "a.png"]


def test_find_leaves_a_closed_folder_to_be_reported(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "open.png").touch()
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert find_pictures([tmp_path]) == [tmp_path / "closed", tmp_path / "open.png"]
    with pytest.raises(PictureError, match="closed: cannot be opened: Permission denied"):
        read_picture(tmp_path / "closed", AS_IS)


def test_find_names_what_does_not_exist(tmp_path):
    with pytest.raises(DataError, match=r"absent\.png: no such file or folder"):
        find_pictures([tmp_path / "absent.png"])


def test_suffixes_are_those_that_can_be_read():
    suffixes = picture_suffixes()
    assert {".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".pgm", ".mpo"} <= suffixes
    assert not {".eps", ".pdf", ".h5", ".mpg", ".wmf"} & suffixes


@pytest.mark.parametrize(("kind", "lengths"), [("PNG", (8, 11, 33, 36)), ("JPEG", (4, 5, 320))])
def test_a_header_that_is_cut_off_is_said_in_words(kind, lengths):
    file = BytesIO()
    Image.effect_noise((20, 20), 50).save(file, kind)
    for length in lengths:
        with pytest.raises(PictureError, match="cannot be decoded: its header is cut off"):
            read_picture(file.getvalue()[:length], Preprocess(size=(8, 8)))
