import gzip
import io
import lzma
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from dataeff_al.errors import DataError
from dataeff_al.samples.pools import cifar10, pictures, tarball
from dataeff_al.samples.pools.cifar10 import in_turn
from dataeff_al.samples.pools.tarball import PackedImage, packed_images


def test_a_folder_of_classes_is_read_pixel_by_pixel(build, tmp_path, draw_images):
    pixels = draw_images(tmp_path / "pictures", ["dog", "cat"], 3, side=5)
    pool = build("image_folder", folder="pictures")
    assert list(pool.ids()) == sorted(pixels)
    assert pool.target.classes == ("cat", "dog")
    for sample, answer in zip(pool.read(pool.ids()), pool.answers(pool.ids()), strict=True):
        assert np.allclose(sample.fields["x"], pixels[sample.id].transpose(2, 0, 1) / 255)
        assert pool.target.classes[int(answer["label"])] == sample.id.split("/")[0]


def test_a_folder_without_classes_is_a_pool_without_answers(build, tmp_path, draw_images):
    draw_images(tmp_path, ["flat"], 3, side=5)
    pool = build("image_folder", folder="flat")
    assert len(pool.ids()) == 3
    assert not hasattr(pool, "answers")


def test_a_group_may_stand_in_the_file_name(build, tmp_path, draw_images):
    draw_images(tmp_path / "pictures", ["a", "b"], 4, side=5)
    pool = build("image_folder", folder="pictures", group_before="_")
    assert {pool.group(sample_id) for sample_id in pool.ids()} == {"case0", "case1"}
    with pytest.raises(DataError, match="group before '-'"):
        build("image_folder", folder="pictures", group_before="-")


def test_images_of_two_sizes_need_resize(build, tmp_path, draw_images):
    draw_images(tmp_path / "pictures", ["a", "b"], 2, side=5)
    Image.new("L", (9, 7), 3).save(tmp_path / "pictures" / "b" / "odd.png")
    with pytest.raises(DataError, match=r"must have one size.*odd\.png"):
        build("image_folder", folder="pictures")
    pool = build("image_folder", folder="pictures", resize=[6, 8], colour="grey")
    assert pool.spec.input_field.shape == (1, 6, 8)
    assert "b/odd.png" in pool.notes["constant"]


def test_one_class_and_constant_images_are_refused(build, tmp_path, draw_images):
    draw_images(tmp_path / "one", ["only"], 4, side=5)
    with pytest.raises(DataError, match="at least two classes, but got 'only'"):
        build("image_folder", folder="one")
    for label in ("a", "b"):
        (tmp_path / "plain" / label).mkdir(parents=True)
        Image.new("RGB", (5, 5), 9 if label == "a" else 90).save(tmp_path / "plain" / label / "x.png")
    with pytest.raises(DataError, match="carry information"):
        build("image_folder", folder="plain", colour="grey")


def png(mode, size, colour=0):
    stream = io.BytesIO()
    Image.new(mode, size, colour).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "whole PNG, JPEG or BMP"),
        (b"GIF89a" + b"\0" * 40, "whole PNG, JPEG or BMP"),
        (png("RGB", (40, 40))[:-30], "whole PNG, JPEG or BMP"),
        (png("L", (30_000, 6_000)), "must have at most|must be a whole"),
        (png("I;16", (8, 8)), "8 bits a channel"),
    ],
)
def test_hostile_images_are_refused_by_name(content, sentence):
    with pytest.raises(DataError, match=f"bad.png.*({sentence})"):
        pictures.decode(content, "bad.png", "rgb")


def test_every_plain_mode_is_decoded():
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        assert pictures.decode(png(mode, (4, 3)), "x.png", "rgb").shape == (3, 3, 4)
        assert pictures.decode(png(mode, (4, 3)), "x.png", "grey").shape == (1, 3, 4)


def records(count, seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (count, 3073), dtype=np.uint8)
    rows[:, 0] = np.arange(count) % 10
    return rows


def test_official_cifar10_binary_batches_are_read(build, size, tmp_path):
    parts = {
        name: records(20, seed) for seed, name in enumerate(["data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"])
    }
    for name, rows in parts.items():
        (tmp_path / name).write_bytes(rows.tobytes())
    pool = build("cifar10", folder=".", size=30)
    assert (size("cifar10", folder=".", size=30), len(pool.ids()), len(pool.held_out())) == (50, 50, 20)
    row = parts["data_batch_2.bin"][3]
    assert np.array_equal(np.rint(pool.read(["train-00023"])[0].fields["x"] * 255), row[1:].reshape(3, 32, 32))
    assert int(pool.answers(["train-00023"])[0]["label"]) == row[0]
    with pytest.raises(DataError, match="size must be at most the 40"):
        build("cifar10", folder=".", size=41)
    (tmp_path / "data_batch_1.bin").write_bytes(parts["data_batch_1.bin"].tobytes()[:-1])
    with pytest.raises(DataError, match="whole records"):
        build("cifar10", folder=".")


def test_python_batches_of_cifar10_are_never_unpickled(build, tmp_path):
    (tmp_path / "data_batch_1").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    (tmp_path / "test_batch").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(DataError, match=r"must hold test_batch\.bin"):
        build("cifar10", folder=".")


def pack(path, members):
    with tarfile.open(path, "w:xz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_cifar10_is_read_from_its_archive_class_by_class_in_turn(build, size, tmp_path):
    members = {
        f"{part}/{label}/{row}.png": png("RGB", (32, 32), (code, row, len(part)))
        for part in ("train", "test")
        for code, label in enumerate(cifar10.CLASSES)
        for row in range(2)
    }
    members["train/airplane/0.png"] = png_noise()
    pack(tmp_path / "c.tar.xz", members | {"README": b"x", "../../train/evil.png": b"x", "train/cat/../x.png": b"x"})
    pool = build("cifar10", folder=".", size=10)
    assert size("cifar10", folder=".", size=10) is None
    assert [int(answer["label"]) for answer in pool.answers(pool.ids()[:10])] == list(range(10))
    assert len(pool.held_out()) == 20


def png_noise():
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_the_first_images_of_every_class_come_first():
    packed = [PackedImage("train", label, f"train/{label}/{row}.png", b"") for label in "ab" for row in range(3)]
    assert [image.name[6:9] for image in in_turn(packed[::-1])] == ["a/0", "b/0", "a/1", "b/1", "a/2", "b/2"]


def test_hostile_archives_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "c.tar.xz"
    path.write_bytes(b"not an archive")
    with pytest.raises(DataError, match=r"whole \.tar\.xz"):
        packed_images(path, ("train",))
    pack(path, {"train/a/1.png": b"\0" * (tarball.MEMBER_BYTES + 1)})
    with pytest.raises(DataError, match="must have at most"):
        packed_images(path, ("train",))
    pack(path, {f"train/a/{row}.png": b"\0" * 1000 for row in range(50)})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"whole \.tar\.xz"):
        packed_images(path, ("train",))
    pack(path, {f"train/a/{row}.png": b"\0" * 1000 for row in range(50)})
    monkeypatch.setattr(tarball, "TOTAL_BYTES", 20_000)
    with pytest.raises(DataError, match="more than 20000 bytes"):
        packed_images(path, ("train",))


def test_a_forged_extended_header_cannot_ask_for_much_memory(tmp_path):
    path = tmp_path / "c.tar.xz"
    huge = tarfile.TarInfo("x")
    huge.type, huge.size = tarfile.XHDTYPE, 1 << 30
    pack(path, {})
    path.write_bytes(lzma.compress(huge.tobuf() + b"\0" * 10_240))
    with pytest.raises(DataError, match="must have at most"):
        packed_images(path, ("train",))


def idx(array, magic):
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def mnist_like(folder, train=12, test=5, zipped=True):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (count, 6, 6), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        arrays[part] = images, labels
        for stem, content in (("images-idx3", idx(images, 0x803)), ("labels-idx1", idx(labels, 0x801))):
            name = folder / f"{part}-{stem}-ubyte{'.gz' if zipped else ''}"
            name.write_bytes(gzip.compress(content) if zipped else content)
    return arrays


@pytest.mark.parametrize("zipped", [True, False])
def test_mnist_files_are_read_gzipped_or_not(build, size, tmp_path, zipped):
    arrays = mnist_like(tmp_path, zipped=zipped)
    pool = build("mnist", folder=".", size=7)
    assert (size("mnist", folder=".", size=7), len(pool.ids()), len(pool.held_out())) == (12, 12, 5)
    assert np.allclose(pool.read(["train-00006"])[0].fields["x"][0], arrays["train"][0][6] / 255)
    assert np.allclose(pool.read(["test-00004"])[0].fields["x"][0], arrays["t10k"][0][4] / 255)
    assert int(pool.answers(["test-00003"])[0]["label"]) == 3


def test_broken_mnist_files_are_refused(build, tmp_path):
    mnist_like(tmp_path, zipped=False)
    images = tmp_path / "train-images-idx3-ubyte"
    whole = images.read_bytes()
    for content, sentence in (
        (whole[:-1], "must hold"),
        (whole[:3], "must hold"),
        (b"\0" * 40, "IDX file of kind"),
        (struct.pack(">4I", 0x803, 1 << 31, 28, 28), "IDX file of kind"),
        (struct.pack(">4I", 0x803, 12, 1 << 20, 28), "IDX file of kind"),
        (struct.pack(">4I", 0x803, 11, 6, 6) + whole[16:], "one label an image"),
    ):
        images.write_bytes(content)
        with pytest.raises(DataError, match=sentence):
            build("mnist", folder=".")
    images.unlink()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"not gzip")
    with pytest.raises(DataError, match="must be readable"):
        build("mnist", folder=".")


def test_the_digits_are_the_real_ones(build):
    pool = build("digits")
    answers = np.array([int(answer["label"]) for answer in pool.answers(pool.ids())])
    assert len(pool.ids()) == 1797
    assert np.bincount(answers).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert pool.read([pool.ids()[0]])[0].fields["x"].max() <= 1
