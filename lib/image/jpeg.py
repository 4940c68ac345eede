"""What the marker segments of a JPEG file say before its pixels are decoded (ITU-T T.81, annex B; Exif 2.3)."""
import struct
from typing import NamedTuple, Optional, Tuple

_START = b'\xff\xd8'
_END_OF_IMAGE = b'\xff\xd9'
_START_OF_SCAN = 0xDA
_APP1 = 0xE1
# Markers that no length field follows (table B.1), and those that open a frame and tell its size.
_BARE = frozenset([0x01] + list(range(0xD0, 0xD9)))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ORIENTATION_TAG = 0x0112


class JpegHeader(NamedTuple):
    """size: (width, height) of the stored pixels, None if not told; orientation: Exif's 1 to 8, 1 if not told;
    scan: offset of the first scan, where compressed pixels begin."""

    size: Optional[Tuple[int, int]]
    orientation: int
    scan: int


def is_jpeg(content):
    """Whether the bytes begin as a JPEG file does."""
    return content[:2] == _START


def read_header(content):
    """Bytes of a JPEG file, whole or not -> JpegHeader."""
    size, orientation, at = None, 1, 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == _START_OF_SCAN:
            return JpegHeader(size, orientation, at)
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _BARE:
            at += 2
        else:
            end = at + 2 + int.from_bytes(content[at + 2:at + 4], 'big')
            if marker in _FRAMES and at + 9 <= len(content):
                height, width = struct.unpack('>HH', content[at + 5:at + 9])
                size = (width, height) if width and height else None
            elif marker == _APP1 and content[at + 4:at + 10] == b'Exif\0\0':
                orientation = _exif_orientation(content[at + 10:end])
            at = end
    return JpegHeader(size, orientation, min(at, len(content)))


def is_complete(content, header):
    """False if the file ends before its pixels do. An end marker before the first scan is a preview's."""
    return content.rfind(_END_OF_IMAGE, header.scan) >= 0


def _exif_orientation(tiff):
    """Orientation in a TIFF block as Exif embeds it; 1 (upright) if it holds none."""
    order = {b'II': '<', b'MM': '>'}.get(bytes(tiff[:2]))
    if order is None or len(tiff) < 8:
        return 1
    at = struct.unpack(order + 'I', tiff[4:8])[0]
    count = struct.unpack(order + 'H', tiff[at:at + 2])[0] if at + 2 <= len(tiff) else 0
    for entry in range(at + 2, min(at + 2 + 12 * count, len(tiff) - 11), 12):
        tag, = struct.unpack(order + 'H', tiff[entry:entry + 2])
        if tag == _ORIENTATION_TAG:
            value, = struct.unpack(order + 'H', tiff[entry + 8:entry + 10])
            return value if 1 <= value <= 8 else 1
    return 1
