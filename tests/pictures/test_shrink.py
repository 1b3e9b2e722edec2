"""What comes out is a small JPEG of pixels, or nothing."""

import io
import resource
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from catalog.pictures.shrink import SIDE, NotShrunk, shrink


def as_bytes(picture: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def opened(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture))


def png_of(width: int, height: int) -> bytes:
    """A PNG that says to be so large, and holds nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        whole = kind + body
        return struct.pack(">I", len(body)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(100))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_comes_out_as_a_small_jpeg(kind):
    small = opened(shrink(as_bytes(Image.new("RGB", (2000, 1000), "red"), kind)))
    assert (small.format, small.size) == ("JPEG", (SIDE, SIDE // 2))
    red, green, blue = small.getpixel((10, 10))
    assert red > 240
    assert max(green, blue) < 15


def test_what_can_be_seen_through_is_white_behind():
    small = opened(shrink(as_bytes(Image.new("RGBA", (10, 10), (0, 0, 0, 0)), "PNG")))
    assert min(small.getpixel((5, 5))) > 250


def test_where_it_was_taken_and_all_else_that_is_said_is_dropped():
    exif = Image.Exif()
    exif[0x010F] = "A maker"
    exif[0x0112] = 6  # lies on its side
    exif.get_ifd(0x8825)[1] = "N"
    picture = as_bytes(
        Image.new("RGB", (40, 20), "blue"), "JPEG", exif=exif, icc_profile=b"profile", comment=b"me"
    )
    assert b"A maker" in picture
    small = shrink(picture)
    assert opened(small).size == (20, 40)
    assert not opened(small).getexif()
    assert not {"exif", "icc_profile", "comment"} & set(opened(small).info)
    assert b"A maker" not in small


def test_what_hides_behind_a_picture_is_dropped():
    page = b"<html><script>alert(1)</script>"
    picture = as_bytes(Image.new("RGB", (10, 10), "red"), "JPEG", comment=page) + page
    assert b"script" not in shrink(picture)


def test_of_a_film_the_first_picture_is_read_alone():
    frames = [Image.new("P", (8, 8), n % 250) for n in range(10_000)]
    film = as_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:], optimize=False)
    assert opened(film).is_animated
    assert opened(shrink(film)).size == (8, 8)


def said_much() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("a", "x" * 1_200_000, zip=True)
    return as_bytes(Image.new("RGB", (10, 10)), "PNG", pnginfo=info)


@pytest.mark.parametrize(
    "picture",
    [
        png_of(50_000, 50_000),
        png_of(5000, 4001),
        png_of(2**31 - 1, 2**31 - 1),
        png_of(0, 0),
        png_of(100, 100),
        said_much(),
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a" + bytes(20),
        as_bytes(Image.new("RGB", (100, 100)), "JPEG")[:300],
        as_bytes(Image.new("RGB", (10, 10)), "TIFF"),
        as_bytes(Image.new("RGB", (10, 10)), "BMP"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    ],
    ids=lambda picture: f"{picture[:12]!r} of {len(picture)}",
)
def test_what_is_a_bomb_or_no_picture_is_refused_for_little(picture):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(NotShrunk):
        shrink(picture)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 100_000  # KB
