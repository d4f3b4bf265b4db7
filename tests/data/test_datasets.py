"""Data sets of every registered kind: what comes out, and what damage is told apart."""

import gzip
import os
import random
import struct
import tracemalloc
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from data.examples import COUNT, EXAMPLES, IMAGES, LABELS, cifar10_records, idx
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnnfast.data import FORMATS, Dataset, match_class, open_dataset
from cnnfast.data.arrays import ArraySource
from cnnfast.errors import CnnfastError, ConfigError, DataError, InputError
from cnnfast.images.preprocess import Preprocess

AS_IS = Preprocess(size=(32, 32))
GRAY = Preprocess(size=(32, 32), channels="gray")


def everything(dataset, size=3, preprocess=None):
    """Return all images, labels, names and failures of a data set."""
    batches = list(dataset.batches(size, preprocess))
    images = np.concatenate([batch.images for batch in batches])
    labels = None if dataset.labels is None else np.concatenate([batch.labels for batch in batches])
    names = [name for batch in batches for name in batch.names]
    return images, labels, names, [error for batch in batches for error in batch.failed]


def test_every_registered_kind_has_an_example():
    assert FORMATS.keys() == EXAMPLES.keys(), "write an example of the new kind in tests/data/examples.py"


@pytest.fixture(params=FORMATS)
def example(request, tmp_path):
    """Return an example of each registered kind."""
    return EXAMPLES[request.param](tmp_path)


# What every kind has to do ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, COUNT, 100])
def test_gives_all_images_in_order(example, size):
    dataset = open_dataset(example.path)
    rule = AS_IS if example.images.shape[3] == 3 else GRAY
    images, labels, names, failed = everything(dataset, size, rule)
    assert len(dataset) == len(example.images)
    np.testing.assert_array_equal(images, example.images)
    assert dataset.classes == example.classes
    assert (None if labels is None else labels.tolist()) == example.labels
    assert labels is None or labels.dtype == np.int64
    assert len(set(names)) == len(example.images)
    assert not failed


def test_can_be_read_twice_and_be_left_early(example):
    dataset = open_dataset(example.path)
    first = next(iter(dataset.batches(2, AS_IS)))
    again = next(iter(dataset.batches(2, AS_IS)))
    np.testing.assert_array_equal(first.images, again.images)
    assert first.names == again.names


def test_is_recognized_by_its_own_kind_only(example, request):
    kind = request.node.callspec.params["example"]
    first = next(name for name, format_ in FORMATS.items() if format_.recognize(example.path))
    assert first == kind


def test_images_are_fitted_to_the_preprocessing(example):
    images, *_ = everything(open_dataset(example.path), preprocess=Preprocess(size=(9, 11), channels="gray"))
    assert images.shape == (COUNT, 9, 11, 1)


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_needs_an_image(example, size):
    with pytest.raises(ConfigError, match="at least 1"):
        open_dataset(example.path).batches(size)


@pytest.mark.filterwarnings("ignore:.* have no label and are left out")
def test_damage_is_reported_by_name_or_comes_out_as_other_pixels(example, request):
    """Truncate and flip the files of every kind: only our own errors may come, and they name the file."""
    chance = random.Random(request.node.name)
    for file in example.files[:2]:
        whole = file.read_bytes()
        damaged = [whole[: len(whole) * i // 12] for i in range(12)] + [whole + b"\0"]
        for _ in range(60):
            flipped = bytearray(whole)
            flipped[chance.randrange(min(len(whole), chance.choice([16, 200, len(whole)])))] ^= 1 << chance.randrange(8)
            damaged.append(bytes(flipped))
        for content in damaged:
            file.write_bytes(content)
            try:
                *_, failed = everything(open_dataset(example.path), preprocess=AS_IS)
            except CnnfastError as error:
                failed = [error]
            assert all(file.name in str(error) for error in failed)
        file.write_bytes(whole)


# Recognizing -----------------------------------------------------------------------------------------------------


def test_names_what_is_not_there(tmp_path):
    with pytest.raises(DataError, match="absent: no such file or folder"):
        open_dataset(tmp_path / "absent")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize("name", ["x", "x.npy", "x.npz", "x.gz", "data_batch_1.bin", "train-images-idx3-ubyte"])
def test_a_pipe_is_never_opened(tmp_path, name):
    """Nobody writes into it: opening it would never return."""
    os.mkfifo(tmp_path / name)
    for path in (tmp_path / name, tmp_path):
        with pytest.raises(DataError):
            open_dataset(path)
    with pytest.raises(DataError, match="neither a file nor a folder"):
        open_dataset(os.devnull)


def test_unknown_kind_lists_the_known_ones(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match=r"notes.txt: is not a data set.*CIFAR-10.*MNIST.*NumPy.*folder"):
        open_dataset(tmp_path / "notes.txt")


def test_split_is_train_or_test(tmp_path):
    with pytest.raises(ConfigError, match="'train', 'test'"):
        open_dataset(tmp_path, split="validation")


# Classes by name -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "classes", "index"),
    [
        ("cat", ["Cat", "cats", "cat"], 2),
        ("CAT", ["dog", "cats", "Cat"], 2),
        ("cats", ["dog", "Cat"], 1),
        ("Dog", ["dogs", "cats"], 0),
    ],
)
def test_exact_name_wins_then_case_then_plural(name, classes, index):
    assert match_class(name, classes) == index


@pytest.mark.parametrize(("name", "classes"), [("cow", ["cat", "dog"]), ("CAT", ["Cat", "cat"])])
def test_no_class_or_two_is_an_error(name, classes):
    with pytest.raises(DataError, match=name):
        match_class(name, classes)


def test_labels_become_those_of_the_network(tmp_path):
    example = EXAMPLES["class-folders"](tmp_path)
    (tmp_path / "cat").rename(tmp_path / "Cats")
    dataset = open_dataset(example.path, classes=["dog", "cat", "frog", "bird"])
    # "Cats" sorts before "bird" now, so the pictures of cats come first.
    assert dataset.labels.tolist() == [1, 1, 1, 3, 3, 0, 0]
    assert dataset.classes == ("dog", "cat", "frog", "bird")


def test_class_that_the_network_lacks_is_an_error(tmp_path):
    with pytest.raises(DataError, match="'dog' is none of the network's: bird, cat"):
        open_dataset(EXAMPLES["npy"](tmp_path).path, classes=["bird", "cat"])


def test_classes_without_images_need_no_match(tmp_path):
    dataset = open_dataset(EXAMPLES["cifar10"](tmp_path).path, classes=["bird", "automobile", "airplane"])
    assert dataset.labels.tolist() == [2, 2, 1, 1, 1, 0, 0]


def test_bare_labels_count_the_networks_classes(tmp_path):
    np.savez(tmp_path / "bare.npz", images=IMAGES, labels=LABELS)
    assert open_dataset(tmp_path / "bare.npz", classes=["a", "b", "c"]).classes == ("a", "b", "c")
    with pytest.raises(DataError, match="has the label 2, but the network has 2 classes"):
        open_dataset(tmp_path / "bare.npz", classes=["a", "b"])


# CIFAR-10 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [".", "cifar-10-batches-bin"])
def test_cifar10_folder_has_its_splits_and_batches_cross_files(tmp_path, inside):
    folder = tmp_path / inside
    folder.mkdir(exist_ok=True)
    (folder / "test_batch.bin").write_bytes(cifar10_records(IMAGES[:1], LABELS[:1]))
    for i in range(5):
        (folder / f"data_batch_{i + 1}.bin").write_bytes(cifar10_records(np.roll(IMAGES, i, 0), LABELS))
    assert len(open_dataset(tmp_path)) == 1
    train = open_dataset(tmp_path, split="train")
    images, labels, names, _ = everything(train, size=4)
    np.testing.assert_array_equal(images, np.concatenate([np.roll(IMAGES, i, 0) for i in range(5)]))
    assert labels.tolist() == LABELS.tolist() * 5
    assert [len(batch.images) for batch in train.batches(4)] == [4] * 8 + [3]
    assert names[6:8] == ["data_batch_1.bin[6]", "data_batch_2.bin[0]"]


def test_cifar10_split_with_a_file_missing_is_an_error(tmp_path):
    (tmp_path / "data_batch_1.bin").write_bytes(cifar10_records(IMAGES, LABELS))
    with pytest.raises(DataError, match=r"data_batch_2\.bin: is missing"):
        open_dataset(tmp_path, split="train")
    assert len(open_dataset(tmp_path / "data_batch_1.bin")) == COUNT


def test_cifar10_takes_class_names_from_beside(tmp_path):
    example = EXAMPLES["cifar10"](tmp_path)
    (tmp_path / "batches.meta.txt").write_text("a b c d e f g h i j\n\n")
    assert open_dataset(example.path).classes == tuple("abcdefghij")
    (tmp_path / "batches.meta.txt").write_text("a b c")
    with pytest.raises(DataError, match="names 3 classes"):
        open_dataset(example.path)


def test_cifar10_says_which_record_is_wrong(tmp_path):
    file = tmp_path / "x.bin"
    file.write_bytes(cifar10_records(IMAGES, np.array([0, 1, 2, 200, 4, 5, 6])))
    with pytest.raises(DataError, match=r"x\.bin: record 3 \(byte 9219\) has the label 200"):
        open_dataset(file)
    file.write_bytes(b"\0" * 5000)
    with pytest.raises(DataError, match="has 5000 bytes, but CIFAR-10 comes in records of 3073; 1927 are left over"):
        open_dataset(file)


# MNIST -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("a-images-idx3-ubyte", "a-labels-idx1-ubyte"), ("my-images", "my-labels.gz")])
def test_idx_file_finds_its_labels_beside_it(tmp_path, names):
    images, labels = idx(IMAGES[..., 0]), idx(LABELS.astype(np.uint8))
    (tmp_path / names[0]).write_bytes(images)
    assert open_dataset(tmp_path / names[0]).labels is None
    (tmp_path / names[1]).write_bytes(gzip.compress(labels) if names[1].endswith("gz") else labels)
    assert open_dataset(tmp_path / names[0]).labels.tolist() == LABELS.tolist()


def test_idx_label_file_is_no_data_set(tmp_path):
    EXAMPLES["mnist"](tmp_path)
    with pytest.raises(DataError, match="starts with 00 00 08 01, but idx images start with 00 00 08 03"):
        open_dataset(tmp_path / "t10k-labels-idx1-ubyte.gz")


def test_idx_labels_must_be_as_many_as_images(tmp_path):
    example = EXAMPLES["mnist"](tmp_path)
    example.files[1].write_bytes(gzip.compress(idx(np.zeros(3, np.uint8))))
    with pytest.raises(DataError, match=r"holds 3 labels, but t10k-images-idx3-ubyte\.gz holds 7 images"):
        open_dataset(tmp_path)


def test_idx_folder_without_the_split_is_an_error(tmp_path):
    EXAMPLES["mnist"](tmp_path)
    with pytest.raises(DataError, match="no images of the split 'train'"):
        open_dataset(tmp_path, split="train")


@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (0, 28, 28), (8, 32, 32), (6, 32, 32), (2**31, 1, 1)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_header_that_promises_something_else_takes_no_memory(tmp_path, shape, pack):
    file = tmp_path / "x-images-idx3-ubyte"
    file.write_bytes(pack(b"\0\0\x08\x03" + struct.pack(">3I", *shape) + IMAGES[..., 0].tobytes()))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="x-images-idx3-ubyte: "):
            everything(open_dataset(file), size=1000)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


def test_gzip_bomb_is_read_no_further_than_its_header_says(tmp_path):
    file = tmp_path / "bomb-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(b"\0\0\x08\x03" + struct.pack(">3I", 2, 28, 28) + bytes(100_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="holds more data than its header states"):
            everything(open_dataset(file))
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


# NumPy -----------------------------------------------------------------------------------------------------------


def test_npy_has_labels_beside_it(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES[..., 0])
    assert open_dataset(tmp_path / "images.npy").labels is None
    np.save(tmp_path / "labels.npy", LABELS.astype(np.int8)[:, None])
    dataset = open_dataset(tmp_path / "images.npy")
    images, labels, names, _ = everything(dataset)
    np.testing.assert_array_equal(images, IMAGES[..., :1])
    assert labels.tolist() == LABELS.tolist()
    assert names[1] == "images.npy[1]"


def test_npz_of_keras_has_splits(tmp_path):
    np.savez(tmp_path / "mnist.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:2], y_test=LABELS[:2])
    assert len(open_dataset(tmp_path / "mnist.npz")) == 2
    assert len(open_dataset(tmp_path / "mnist.npz", split="train")) == COUNT


@pytest.mark.parametrize("order", ["<", ">"])
def test_float32_images_are_handed_on_as_they_are(tmp_path, order):
    values = np.linspace(-1, 1, 2 * 4 * 4 * 3, dtype=f"{order}f4").reshape(2, 4, 4, 3)
    np.save(tmp_path / "x.npy", values)
    dataset = open_dataset(tmp_path / "x.npy")
    images, *_ = everything(dataset, preprocess=Preprocess(size=(4, 4)))
    assert images.dtype == np.float32
    assert images.dtype.isnative
    np.testing.assert_array_equal(images, values)
    with pytest.raises(InputError, match="cannot be fitted"):
        everything(dataset, preprocess=AS_IS)


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999, 32, 32, 3)}") + b"\0", "promises"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 32, 32, 3)}"), "x.npy: "),
        (header("{'descr': '|u1', 'fortran_order': True, 'shape': (1, 1, 2, 3)}") + bytes(6), "Fortran order"),
        (header("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1, 1)}") + bytes(8), "Python objects"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1)}") + bytes(8), "uint8 or float32"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3, 2, 2)}") + bytes(12), "channels come last"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (5,)}") + bytes(5), "must be"),
        (header("__import__('os').system('true')"), "cannot be read"),
        (header("{" * 2000), "cannot be read"),
        (header("'''"), "cannot be read"),
        (header("(" * 9000 + ")" * 9000), "cannot be read"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': ()}") + bytes(1), "must be"),
        (b"\x93NUMPY\x07\0", "version"),
        (b"\x93NUM", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_npy_that_is_not_images_is_refused(tmp_path, content, reason):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        open_dataset(tmp_path / "x.npy")
    assert "x.npy" in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.zeros(COUNT), "integers"),
        (np.zeros(COUNT - 1, int), "7 integers"),
        (np.full(COUNT, 3), "label 0 is 3, but labels are 0 to 2"),
        (np.full(COUNT, -1), "label 0 is -1"),
    ],
)
def test_npz_labels_are_checked(tmp_path, labels, reason):
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=labels, classes=["bird", "cat", "dog"])
    with pytest.raises(DataError, match=reason):
        open_dataset(tmp_path / "x.npz")


def test_npz_without_images_says_what_it_holds(tmp_path):
    np.savez(tmp_path / "x.npz", weights=IMAGES)
    with pytest.raises(DataError, match=r"holds \['weights'\], but they are looked for as images, x, x_test"):
        open_dataset(tmp_path / "x.npz")


def test_npz_that_needs_another_method_or_holds_pickles_is_refused(tmp_path):
    content = BytesIO()
    np.save(content, IMAGES)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("images.npy", content.getvalue())
    with pytest.raises(DataError, match="a method that NumPy does not write"):
        open_dataset(tmp_path / "x.npz")
    np.savez(tmp_path / "z.npz", images=np.uint8(1))
    with pytest.raises(DataError, match="images must be"):
        open_dataset(tmp_path / "z.npz")
    np.savez(tmp_path / "y.npz", images=np.array([{}, {}], object))
    with pytest.raises(DataError, match="Python objects"):
        open_dataset(tmp_path / "y.npz")


def test_large_files_are_read_in_constant_memory(tmp_path):
    many = np.zeros((20_000, 32, 32, 3), np.uint8)
    np.savez_compressed(tmp_path / "many.npz", images=many)
    del many
    tracemalloc.start()
    try:
        for batch in open_dataset(tmp_path / "many.npz").batches(100, AS_IS):
            assert len(batch.images) == 100
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()


# Picture files ---------------------------------------------------------------------------------------------------


def test_picture_files_need_a_preprocessing(tmp_path):
    with pytest.raises(ConfigError, match="preprocess=Preprocess"):
        next(open_dataset(EXAMPLES["pictures"](tmp_path).path).batches(2))


def test_unreadable_pictures_are_reported_in_their_batch_and_keep_labels_right(tmp_path):
    example = EXAMPLES["class-folders"](tmp_path)
    for i in (1, 5, 6):
        example.files[i].write_bytes(b"broken")
    batches = list(open_dataset(tmp_path).batches(2, AS_IS))
    assert [len(b.images) for b in batches] == [1, 2, 1, 0]
    assert [b.labels.tolist() for b in batches] == [[0], [1, 1], [1], []]
    assert [[error.path for error in b.failed] for b in batches] == [
        [str(example.files[1])],
        [],
        [str(example.files[5])],
        [str(example.files[6])],
    ]
    assert batches[3].images.shape == (0, 32, 32, 3)


def test_folders_of_splits_are_entered(tmp_path):
    for split, count in (("training_set", 2), ("test_set", 1)):
        for name in ("cats", "dogs"):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                Image.fromarray(IMAGES[i]).save(tmp_path / split / name / f"{i}.png")
    assert len(open_dataset(tmp_path)) == 2
    train = open_dataset(tmp_path, split="train")
    assert train.labels.tolist() == [0, 0, 1, 1]
    assert train.classes == ("cats", "dogs")


def test_folders_without_pictures_are_errors(tmp_path):
    with pytest.raises(DataError, match="holds no picture"):
        open_dataset(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match="holds no picture in the folders cat"):
        open_dataset(tmp_path)
    (tmp_path / "cat").rename(tmp_path / "train")
    with pytest.raises(DataError, match="no folder for the split 'test', only train"):
        open_dataset(tmp_path)


def test_folder_with_pictures_of_its_own_has_no_classes(tmp_path):
    EXAMPLES["class-folders"](tmp_path)
    Image.fromarray(IMAGES[0]).save(tmp_path / "a.png")
    dataset = open_dataset(tmp_path)
    assert dataset.labels is None
    assert len(dataset) == COUNT + 1


def test_a_picture_is_a_data_set_of_one(tmp_path):
    EXAMPLES["pictures"](tmp_path)
    assert len(open_dataset(tmp_path / "3.png")) == 1


# The real ones ---------------------------------------------------------------------------------------------------


def test_real_mnist(shared_data):
    for split, count, first in (("test", 10_000, [7, 2, 1, 0, 4]), ("train", 60_000, [5, 0, 4, 1, 9])):
        dataset = open_dataset(shared_data / "mnist", split=split)
        assert len(dataset) == count
        assert dataset.labels[:5].tolist() == first
        sums = [batch.images.sum(dtype=np.int64) for batch in dataset.batches(1000)]
        mean = sum(sums) / (count * 28 * 28) / 255
        assert mean == pytest.approx({"test": 0.1325, "train": 0.1307}[split], abs=5e-5)


def test_real_cifar10(shared_data, tmp_path):
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        labels = np.fromfile(shared_data / "cifar10" / f"{name}.labels", np.uint8)
        records = np.zeros((10_000, 3073), np.uint8)
        records[:, 0] = labels
        if name == "test_batch":
            sheet = np.asarray(Image.open(shared_data / "cifar10" / f"{name}.webp").convert("RGB"))
            tiles = sheet.reshape(100, 32, 100, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)
            records[:, 1:] = tiles.transpose(0, 3, 1, 2).reshape(10_000, -1)
        records.tofile(tmp_path / f"{name}.bin")
    train, test = open_dataset(tmp_path, split="train"), open_dataset(tmp_path)
    assert np.bincount(train.labels).tolist() == [5000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    images, *_ = everything(test, size=999)
    np.testing.assert_array_equal(images, tiles)


def test_real_cats_and_dogs(shared_data):
    dataset = open_dataset(shared_data / "catsdogs", classes=["airplane", "cat", "dog"])
    assert np.bincount(dataset.labels).tolist() == [0, 1000, 1000]
    batch = next(dataset.batches(64, AS_IS))
    assert batch.images.shape == (64, 32, 32, 3)
    assert Path(batch.names[0]).parent.name == "cats"


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(1, 70), st.integers(1, 9))
def test_a_part_has_of_each_class_its_share(labels, count, size):
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    chunks = lambda n: (images[i : i + n] for i in range(0, len(images), n))  # noqa: E731
    whole = Dataset("numbers", None, np.array(labels), ArraySource(len(labels), str, chunks))
    part = whole.part(count)
    seen, kept, names, failed = everything(part, size)
    positions = seen[:, 0, 0, 0].tolist()
    assert not failed
    assert len(part) == len(positions) == min(count, len(labels))
    assert positions == sorted(set(positions))
    assert names == list(map(str, positions))
    assert kept.tolist() == [labels[i] for i in positions]
    if count >= len(set(labels)):
        assert set(kept.tolist()) == set(labels)
        for label in set(labels):
            share = labels.count(label) * len(positions) / len(labels)
            assert abs(kept.tolist().count(label) - share) <= max(1, len(set(labels)) - 1)


def test_a_part_of_pictures_reads_no_others(tmp_path):
    for i in range(10):
        Image.new("L", (4, 4), i).save(tmp_path / f"{i}.png")
    part = open_dataset(tmp_path).part(3)
    for i in (0, 2, 3, 4, 6, 7, 9):
        (tmp_path / f"{i}.png").unlink()
    images, _, names, failed = everything(part, 2, Preprocess(size=(4, 4), channels="gray"))
    assert (images[:, 0, 0, 0].tolist(), len(names), failed) == ([1, 5, 8], 3, [])


def test_a_part_needs_an_image(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(ConfigError, match="at least 1 image"):
        open_dataset(tmp_path / "x.npy").part(0)
