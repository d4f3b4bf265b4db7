"""JPEGs decoded at a fraction of their size give what those decoded in full give, but for a little."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from cnnfast import get_max_pixels, set_max_pixels
from cnnfast.errors import PictureError
from cnnfast.images.pictures.decode import read_picture
from cnnfast.images.pictures.reduced import MARGIN, reduce_jpeg, scale_of
from cnnfast.images.pictures.turn import ORIENTATION_TAG, turned_box
from cnnfast.images.preprocess import RESIZES, Preprocess

SMALL = Preprocess(size=(16, 24))


def photograph(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Return steep gradients in all channels, with a little noise."""
    y, x = np.mgrid[:height, :width]
    ramps = np.stack([x / width, y / height, (x + 2 * y) / (width + 2 * height)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 3, ramps.shape)
    return Image.fromarray(np.clip(20 + 215 * ramps + noise, 0, 255).astype(np.uint8)).convert(mode)


def jpeg(image: Image.Image, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", **{"quality": 95, **options})
    return file.getvalue()


def both(content: bytes, **fields: object) -> tuple[np.ndarray, np.ndarray]:
    rule = {"size": SMALL.size, **fields}
    return tuple(read_picture(content, Preprocess(decode=decode, **rule)).astype(int) for decode in ("reduced", "full"))


@pytest.fixture
def loaded(monkeypatch):
    """Return the list of the sizes and modes at which JPEGs are loaded from now on."""
    seen = []
    load = JpegImagePlugin.JpegImageFile.load

    def remember(self):
        if self.tile:
            seen.append((self.size, self.mode))
        return load(self)

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", remember)
    return seen


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [(96, 64, 1), (191, 128, 1), (192, 127, 1), (192, 128, 2), (384, 256, 4), (767, 5000, 4), (768, 512, 8)],
)
def test_the_scale_leaves_four_times_what_the_network_takes(width, height, scale, loaded):
    assert scale_of((width, height), SMALL) == scale
    read_picture(jpeg(photograph(width, height)), SMALL)
    assert loaded == [((-(-width // scale), -(-height // scale)), "RGB")]
    assert scale == 1 or min(width / scale / 24, height / scale / 16) >= MARGIN


def test_a_picture_that_is_padded_only_needs_its_longer_side():
    assert scale_of((768, 100), Preprocess(size=(16, 24), resize="pad")) == 8
    assert scale_of((768, 100), Preprocess(size=(16, 24), resize="crop")) == 1


@pytest.mark.parametrize("fields", [{"decode": "full"}, {"interpolation": "nearest"}])
def test_full_and_nearest_decode_all_pixels(fields, loaded):
    read_picture(jpeg(photograph(800, 600)), Preprocess(size=(16, 24), **fields))
    assert loaded == [((800, 600), "RGB")]


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "box", "lanczos"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_ways_of_fitting_and_turning_agree_with_the_whole_picture(resize, interpolation, orientation):
    """Sides that are not multiples of 8 leave a last row and column that stand for fewer pixels than the others."""
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    content = jpeg(photograph(1001, 777), exif=exif)
    reduced, full = both(content, resize=resize, interpolation=interpolation)
    assert np.abs(reduced - full).max() <= 2
    assert np.abs(reduced - full).mean() < 0.75


@pytest.mark.parametrize("method", Image.Transpose)
def test_a_box_is_turned_like_the_pixels_in_it(method):
    marked = Image.new("L", (7, 5))
    marked.paste(255, (1, 2, 4, 5))
    assert marked.transpose(method).getbbox() == turned_box((1, 2, 4, 5), marked.size, method)


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 2}, {"optimize": True}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_all_kinds_of_jpegs(mode, options, loaded):
    reduced, full = both(jpeg(photograph(801, 603, mode), **options))
    assert np.abs(reduced - full).max() <= 2
    assert [size for size, _ in loaded] == [(101, 76), (801, 603)]


def test_several_jpegs_in_one_file_give_the_first(loaded):
    file = BytesIO()
    photograph(800, 600).save(file, "MPO", save_all=True, append_images=[Image.new("RGB", (800, 600))], quality=95)
    reduced, full = both(file.getvalue())
    assert np.abs(reduced - full).max() <= 2
    assert [size for size, _ in loaded] == [(100, 75), (800, 600)]


@pytest.mark.parametrize("width", [40, 800])
def test_gray_networks_decode_luminance_only(width, loaded):
    """Rounding to colors and back is left out, so a pixel may differ by one step more than the scale makes."""
    reduced, full = both(jpeg(photograph(width, width * 3 // 4)), channels="gray")
    assert np.abs(reduced - full).max() <= 2
    assert [mode for _, mode in loaded] == ["L", "RGB"]


def test_half_a_picture_is_refused():
    content = jpeg(photograph(800, 600))
    with pytest.raises(PictureError, match="truncated"):
        read_picture(content[: len(content) // 2], SMALL)


def test_the_limit_counts_pixels_that_are_decoded(monkeypatch):
    """All frequencies of a progressive picture are held, however small it becomes; Pillow's limit is not asked."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    large = photograph(800, 600)
    set_max_pixels(100 * 75)
    try:
        assert get_max_pixels() < 800 * 600
        assert read_picture(jpeg(large), SMALL).shape == (16, 24, 3)
        for content, rule in (
            (jpeg(large, progressive=True), SMALL),
            (jpeg(large), Preprocess(size=(16, 24), decode="full")),
            (jpeg(large), Preprocess(size=(160, 240))),
        ):
            with pytest.raises(PictureError, match=r"has 800 x 600 pixels, more than 7500, .*set_max_pixels"):
                read_picture(content, rule)
    finally:
        set_max_pixels(None)


def held(content: bytes) -> int:
    return reduce_jpeg(Image.open(BytesIO(content)), BytesIO(content), SMALL)[1]


def test_a_picture_in_several_scans_is_counted_in_full():
    content = jpeg(photograph(800, 600))
    scan = content.index(b"\xff\xda")
    one_of_three = content[: scan + 4] + b"\1" + content[scan + 5 :]
    assert held(content) == 100 * 75
    assert held(one_of_three) == held(jpeg(photograph(800, 600), progressive=True)) == 800 * 600
    assert held(jpeg(photograph(800, 600, "L"))) == 100 * 75


def test_bytes_that_fill_up_change_nothing():
    content = jpeg(photograph(800, 600))
    filled = content.replace(b"\xff\xc0", b"\xff\xff\xff\xc0").replace(b"\xff\xda", b"\xff\xff\xda")
    assert len(filled) == len(content) + 3
    assert held(filled) == held(content)
    np.testing.assert_array_equal(read_picture(filled, SMALL), read_picture(content, SMALL))


def test_a_lossless_jpeg_holds_no_frequencies_and_is_decoded_in_full():
    """Written by hand: one code, of one bit, for no difference from the pixel before."""

    def segment(marker: int, content: bytes) -> bytes:
        return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content

    frame = b"\x08" + (600).to_bytes(2, "big") + (800).to_bytes(2, "big") + b"\1\1\x11\0"
    code = b"\0\1" + bytes(15) + b"\0"
    scan = b"\1\1\0\1\0\0"
    content = b"\xff\xd8" + segment(0xC3, frame) + segment(0xC4, code) + segment(0xDA, scan) + bytes(800 * 600 // 8 + 8)
    for rule in (SMALL, Preprocess(size=(16, 24), channels="gray")):
        assert (read_picture(content + b"\xff\xd9", rule) == 128).all()


def test_colors_that_no_luminance_holds():
    """Of pure red, the luminance of the file is that of the color."""
    reduced, full = both(jpeg(Image.new("RGB", (800, 600), (255, 0, 0))), channels="gray")
    assert np.abs(reduced - full).max() <= 1
