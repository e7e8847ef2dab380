"""Pillow: pictures are read from and written to a lake as file objects."""

from __future__ import annotations

import io

import pytest

from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs

needs("PIL")

from PIL import Image, ImageChops, UnidentifiedImageError

SIZE = (320, 200)


def picture() -> Image.Image:
    return Image.linear_gradient("L").resize(SIZE).convert("RGB")


def test_pictures_are_saved_and_read(lake: Lake) -> None:
    branch, image = lake.branch, picture()
    with branch.transaction("pictures") as tx:
        for name in ("a.png", "a.jpg", "a.webp", "a.tif", "a.bmp", "a.gif"):
            with tx.open(f"pictures/{name}", "wb") as file:
                image.save(file)  # the format is that of the name
        with tx.open("pictures/no-ending", "wb") as file:
            image.save(file, format="PNG")
    commit = branch.head()
    for path, kind in (("a.png", "PNG"), ("a.tif", "TIFF"), ("a.bmp", "BMP"), ("no-ending", "PNG")):
        with commit.open(f"pictures/{path}", "rb") as source, Image.open(source) as found:
            assert (found.format, found.size) == (kind, SIZE)
            assert ImageChops.difference(found.convert("RGB"), image).getbbox() is None
    for path, kind in (("a.jpg", "JPEG"), ("a.webp", "WEBP"), ("a.gif", "GIF")):
        with commit.open(f"pictures/{path}", "rb") as source, Image.open(source) as found:
            found.load()
            assert (found.format, found.size) == (kind, SIZE)
    assert commit.stat("pictures/a.png").content_type == "image/png"


def test_several_frames_of_tiff_are_made_in_memory(lake: Lake) -> None:
    """Pillow reads back what it wrote of such a file, which a file of a lake does not offer."""
    frames = [Image.new("L", SIZE, each) for each in (10, 20, 30)]
    with pytest.raises(io.UnsupportedOperation, match="read"):
        with lake.branch.open("frames.tif", "wb") as file:
            frames[0].save(file, save_all=True, append_images=frames[1:])
    assert not lake.branch.exists("frames.tif")
    buffer = io.BytesIO()
    frames[0].save(buffer, format="TIFF", save_all=True, append_images=frames[1:])
    lake.branch.upload(buffer.getvalue(), "frames.tif")
    with lake.branch.open("frames.tif", "rb") as source, Image.open(source) as found:
        shades = []
        for index in (2, 0, 1):
            found.seek(index)
            shades.append(found.getpixel((0, 0)))
    assert shades == [30, 10, 20]


def test_a_picture_is_read_when_it_is_used(lake: Lake) -> None:
    with lake.branch.open("a.png", "wb") as file:
        picture().save(file)
    with lake.branch.open("a.png", "rb") as source:
        found = Image.open(source)
    with pytest.raises(ValueError, match="closed file"):
        found.load()


def test_a_failed_save_publishes_nothing(lake: Lake) -> None:
    with pytest.raises(OSError, match="cannot write mode"):
        with lake.branch.open("a.jpg", "wb") as file:
            picture().convert("RGBA").save(file)
    with pytest.raises(ValueError, match="unknown file extension"):
        with lake.branch.open("a.unknown", "wb") as file:
            picture().save(file)
    assert list(lake.branch.list_objects()) == []
    lake.branch.upload(b"no picture", "a.png")
    with lake.branch.open("a.png", "rb") as source, pytest.raises(UnidentifiedImageError):
        Image.open(source)
