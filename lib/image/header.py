"""What an image file says before its pixels: which way up it is to be shown, how its samples are stored.

Nothing is decoded, and nothing fails: what is not understood here is left to the decoder, which has the last word.
"""
import io
import struct
import threading
import warnings
import zlib
from typing import Dict, NamedTuple, Optional, Sequence, Set, Tuple

from PIL import ExifTags, Image, JpegImagePlugin

JPEG, PNG, TIFF, WEBP, OTHER = 'JPEG', 'PNG', 'TIFF', 'WebP', ''
JPEG_END = b'\xff\xd9'
PNG_END = b'\0\0\0\0IEND\xaeB`\x82'

_PNG_START = b'\x89PNG\r\n\x1a\n'
_TIFF_STARTS = {b'II*\0': '<', b'MM\0*': '>', b'II+\0': '<', b'MM\0+': '>'}     # with + 64-bit offsets
_DEEP_STARTS = (b'P2', b'P3', b'P5', b'P6', b'P7', b'\0\0\0\x0cjP  ', b'\xff\x4f\xff\x51')  # PNM, JPEG 2000: any depth
_FLOAT_STARTS = (b'PF\n', b'Pf\n', b'PF ', b'Pf ',     # portable float maps, Radiance
                 b'#?RADIANCE', b'#?RGBE')

# Tags of TIFF 6.0, section 8
_BITS, COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _CHANNELS, _FORMAT = 258, 259, 262, 274, 277, 339
_TYPE_BYTES = {1: 'B', 3: 'H', 4: 'I', 16: 'Q'}
_WHITE_IS_ZERO, _LAB, _LOG_LUV = 0, (8, 9, 10), (32844, 32845)
_SAMPLES = {2: 'signed whole numbers', 3: 'floating-point numbers', 5: 'complex numbers', 6: 'complex numbers'}
_CONVERT = 'convert it to 8 or 16 bits without sign'


class ImageHeader(NamedTuple):
    """What a file says of itself."""

    size: Optional[Tuple[int, int]] = None  # of a JPEG: (width, height) as stored, if it is understood
    orientation: int = 1                    # Exif's 1 to 8; 1 if not told
    scan: int = 0                           # of a JPEG: offset from which on the compressed pixels lie
    kind: str = OTHER                       # JPEG, PNG, TIFF, WEBP or OTHER
    deep: bool = False                      # there can be more than 8 bits a sample
    packed: bool = False                    # 9 to 15 bits a sample, which OpenCV moves to the top of 16
    white_is_zero: bool = False
    refused: str = ''                       # why no picture of 8 bits can be made of it, and the mend


def read_header(content: bytes) -> ImageHeader:
    """Bytes of an image file, whole or not -> ImageHeader."""
    if content.startswith(b'\xff\xd8'):
        return read_jpeg_header(content)
    if content.startswith(_PNG_START):
        exif = dict(_png_chunks(content)).get(b'eXIf', b'') if b'eXIf' in content else b''
        return ImageHeader(kind=PNG, orientation=_exif_orientation(exif), deep=content[24:25] == b'\x10')
    if content[:4] in _TIFF_STARTS:
        return _tiff_header(content)
    if content[:4] == b'RIFF' and content[8:12] == b'WEBP':
        return ImageHeader(kind=WEBP, orientation=_exif_orientation(_webp_exif(content)))
    if content.startswith(_FLOAT_STARTS):
        return ImageHeader(refused=f'holds {_SAMPLES[3]}, whose range nobody knows; {_CONVERT}')
    return ImageHeader(deep=content.startswith(_DEEP_STARTS))


_silence = threading.Lock()     # warnings.catch_warnings is not made for threads


def read_jpeg_header(content: bytes) -> ImageHeader:
    """Bytes of a JPEG file, whole or not -> ImageHeader, by Pillow. Takes 25 us, decoding some thousands."""
    stream, size, orientation = io.BytesIO(content), None, 1
    with _silence, warnings.catch_warnings():
        warnings.simplefilter('ignore')     # Pillow's on damaged Exif entries name no file
        try:
            header = JpegImagePlugin.JpegImageFile(stream)
            size = header.size
            if 'exif' in header.info:
                exif = Image.Exif()     # not header.getexif(): that believes XMP too, which OpenCV does not
                exif.load(header.info['exif'])
                orientation = exif.get(ExifTags.Base.Orientation, 1)
        except Exception:  # a damaged header ends in whatever error Pillow runs into first
            pass
    return ImageHeader(size, _known(orientation), stream.tell(), JPEG)


def jpeg_process(content: bytes) -> str:
    """'a lossless JPEG' or 'a JPEG of 12 bits' by the frame header of a JPEG file; '' for a common one."""
    place = 2
    while place + 5 < len(content) and content[place] == 0xff:
        marker, length = content[place + 1], int.from_bytes(content[place + 2:place + 4], 'big')
        if 0xc0 <= marker <= 0xcf and marker not in (0xc4, 0xc8, 0xcc):
            if marker in (0xc3, 0xc7, 0xcb, 0xcf):
                return 'a lossless JPEG'
            return f'a JPEG of {content[place + 4]} bits' if content[place + 4] != 8 else ''
        if marker == 0xda or length < 2:
            break
        place += 2 + length
    return ''


def has_all_scans(content: bytes) -> bool:
    """Whether no scan of a progressive JPEG file is missing, which holds every coefficient to its last bit in some;
    True for other JPEG files."""
    missing: Set[Tuple[int, int]] = set()   # (component, coefficient)
    for marker, body in _jpeg_segments(content):
        if marker == 0xc2:
            missing = {(component, number) for component in body[6::3] for number in range(64)}
        elif marker == 0xda and len(body) >= 4:
            components, (first, last, bits) = body[1:-3:2], body[-3:]
            if bits & 15 == 0:
                missing -= {(component, number) for component in components for number in range(first, last + 1)}
    return not missing


def _jpeg_segments(content):
    """(marker, body) of every segment, those between scans too."""
    place = 2
    while 0 <= place < len(content) - 3:
        marker = content[place + 1]
        if marker in (0, 1, 0xff) or 0xd0 <= marker <= 0xd9:    # none, or one without a body
            place += 1 if marker == 0xff else 2
        else:
            length = int.from_bytes(content[place + 2:place + 4], 'big')
            yield marker, content[place + 4:place + 2 + length]
            place += 2 + length
        place = content.find(b'\xff', place)


def _known(orientation):
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _exif_orientation(exif):
    """Orientation of an Exif block, which is a TIFF file; 1 if there is none."""
    if exif.startswith(b'Exif\0\0'):    # JPEG's prefix, which some tools leave there in WebP files
        exif = exif[6:]
    return _known((tiff_tags(exif).get(_ORIENTATION) or [1])[0])


def _png_chunks(content):
    """(name, body) of every whole chunk."""
    place = len(_PNG_START)
    while place + 12 <= len(content):
        length = int.from_bytes(content[place:place + 4], 'big')
        end = place + 12 + length
        if end > len(content):
            return
        yield content[place + 4:place + 8], content[place + 8:end - 4]
        place = end


def whole_png_without_end(content: bytes) -> Optional[bytes]:
    """A PNG file whose end is missing -> what is there of it, in whole chunks; None if pixels are missing too."""
    stream, found, length = zlib.decompressobj(), False, len(_PNG_START)
    try:
        for name, body in _png_chunks(content):
            length += 12 + len(body)
            part = body if name == b'IDAT' else b''
            found = found or name == b'IDAT'
            while part and not stream.eof:
                stream.decompress(part, 1 << 20)    # a piece at a time: nobody wants to have it all
                part = stream.unconsumed_tail
    except zlib.error:
        return None
    return content[:length] if found and stream.eof else None


def _webp_exif(content):
    place = 12
    while place + 8 <= len(content):
        length = int.from_bytes(content[place + 4:place + 8], 'little')
        if content[place:place + 4] == b'EXIF':
            return content[place + 8:place + 8 + length]
        place += 8 + length + length % 2
    return b''


def is_animated_webp(content: bytes) -> bool:
    """OpenCV's decoder refuses these."""
    return content[:4] == b'RIFF' and content[8:16] == b'WEBPVP8X' and len(content) > 20 and bool(content[20] & 2)


def _tiff_header(content):
    tags = tiff_tags(content)
    bits, channels = (max(tags.get(_BITS) or [1])), (tags.get(_CHANNELS) or [1])[0]
    samples, colours = (tags.get(_FORMAT) or [1])[0], (tags.get(_PHOTOMETRIC) or [1])[0]
    samples, refused = 3 if colours in _LOG_LUV else samples, ''    # how floats are packed, by OpenCV too
    if samples in _SAMPLES:
        refused = f'holds {_SAMPLES[samples]}, whose range nobody knows; {_CONVERT}'
    elif bits > 16:
        refused = f'holds {bits} bits a sample; {_CONVERT}'
    elif channels > 4:
        refused = f'has {channels} channels; write three of them, or one, as a picture'
    elif colours in _LAB:
        refused = 'holds colours as CIELab; convert it to RGB'
    return ImageHeader(kind=TIFF, orientation=_known((tags.get(_ORIENTATION) or [1])[0]), deep=bits > 8,
                       packed=8 < bits < 16, white_is_zero=colours == _WHITE_IS_ZERO, refused=refused)


def tiff_tags(content: bytes) -> Dict[int, Sequence[int]]:
    """{tag: numbers} of those tags of the first directory that are few whole numbers; {} if it is not understood."""
    order, big = _TIFF_STARTS.get(content[:4]), content[2:4] in (b'+\0', b'\0+')
    tags: Dict[int, Sequence[int]] = {}
    if order is None:
        return tags
    offset, count_form, entry_bytes, room = ('Q', 'Q', 20, 8) if big else ('I', 'H', 12, 4)
    try:
        place, = struct.unpack_from(order + offset, content, 8 if big else 4)
        count, = struct.unpack_from(order + count_form, content, place)
        place += struct.calcsize(count_form)
        for entry in range(place, place + min(count, 4096) * entry_bytes, entry_bytes):
            tag, kind, numbers = struct.unpack_from(order + 'HH' + offset, content, entry)
            form = _TYPE_BYTES.get(kind)
            if form is None or not 1 <= numbers <= 64:
                continue
            at = entry + 4 + room
            if numbers * struct.calcsize(form) > room:
                at, = struct.unpack_from(order + offset, content, at)
            tags[tag] = struct.unpack_from(f'{order}{numbers}{form}', content, at)
    except struct.error:
        pass
    return tags
