"""Which files of a folder are pictures; what a file is that OpenCV does not read, by its first bytes, so that a message
can say it."""
import os
import re
from typing import List, Optional

from lib.image.header import COMPRESSION, is_animated_webp, jpeg_process, tiff_tags
from lib.utils.errors import SniperError

# What people call pictures; those that OpenCV does not read are named by the reader.
ENDINGS = ('.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.bmp', '.tif', '.tiff', '.webp', '.jp2', '.pgm', '.ppm', '.gif',
           '.heic', '.heif', '.avif')

_CONVERT = 'which OpenCV does not read: convert it to JPEG or PNG'
_NO_PICTURE = 'not an image: fetch it again, or leave it out'

# (first bytes, what it is, what to do)
_STARTS = (
    (b'GIF8', 'a GIF', _CONVERT), (b'%PDF-', 'a PDF document', _CONVERT), (b'%!PS', 'a PostScript document', _CONVERT),
    (b'8BPS', 'a Photoshop document', _CONVERT), (b'gimp xcf', 'a GIMP document', _CONVERT),
    (b'\x76\x2f\x31\x01', 'an OpenEXR picture', _CONVERT), (b'\xff\x0a', 'a JPEG XL picture', _CONVERT),
    (b'\0\0\0\x0cJXL ', 'a JPEG XL picture', _CONVERT), (b'II\xbc\x01', 'a JPEG XR picture', _CONVERT),
    (b'qoif', 'a QOI picture', _CONVERT), (b'BPG\xfb', 'a BPG picture', _CONVERT),
    (b'FLIF', 'a FLIF picture', _CONVERT),
    (b'DDS ', 'a DirectDraw surface', _CONVERT), (b'icns', 'an icon', _CONVERT), (b'\0\0\1\0', 'an icon', _CONVERT),
    (b'\0\0\2\0', 'a cursor', _CONVERT), (b'AT&TFORM', 'a DjVu document', _CONVERT),
    (b'\x0a\x05\x01', 'a PCX', _CONVERT),
    (b'\x01\xda', 'an SGI picture', _CONVERT), (b'SIMPLE  =', 'a FITS file', _CONVERT),
    (b'FUJIFILMCCD-RAW', 'a raw file of a camera', _CONVERT), (b'IIRO', 'a raw file of a camera', _CONVERT),
    (b'IIU\0', 'a raw file of a camera', _CONVERT),
    (b'\x93NUMPY', 'an array of NumPy', _CONVERT), (b'\x89HDF', 'an HDF5 file', _CONVERT),
    (b'CDF\x01', 'a NetCDF file', _CONVERT), (b'CDF\x02', 'a NetCDF file', _CONVERT),
    (b'MATLAB', 'a MATLAB file', _CONVERT),
    (b'\x1aE\xdf\xa3', 'a video', _CONVERT), (b'\0\0\1\xba', 'a video', _CONVERT),
    (b'\0\x05\x16\x07', 'a companion file of macOS', 'not the picture: leave it out'),
    (b'version https://git-lfs', 'a pointer of Git LFS', 'not the picture itself: run git lfs pull'),
    (b'/annex/objects', 'a pointer of git-annex', 'not the picture itself: run git annex get'),
    (b'PK\x03\x04', 'a zip archive', 'not an image: unpack it'),
    (b'\x1f\x8b', 'compressed by gzip', 'not an image: unpack it'),
    (b'BZh', 'compressed by bzip2', 'not an image: unpack it'),
    (b'\xfd7zXZ', 'compressed by xz', 'not an image: unpack it'),
    (b'(\xb5/\xfd', 'compressed by Zstandard', 'not an image: unpack it'),
    (b'Rar!', 'a RAR archive', 'not an image: unpack it'),
    (b'7z\xbc\xaf', 'a 7-Zip archive', 'not an image: unpack it'),
)
_BRANDS = {b'avif': 'an AVIF picture', b'avis': 'an AVIF picture', b'crx ': 'a raw file of a camera'}
_HEIF = (b'heic', b'heix', b'hevc', b'hevx', b'heim', b'heis', b'mif1', b'msf1', b'heif')
_COMPRESSIONS = {34712: 'JPEG 2000', 34887: 'LERC', 34925: 'LZMA', 50000: 'Zstandard', 50001: 'WebP', 50002: 'JPEG XL'}
_TEXT = ((rb'<!doctype html|<html|<head|<body', 'an HTML page', _NO_PICTURE), (rb'<svg', 'an SVG drawing', _CONVERT),
         (rb'<\?xml|<', 'an XML document', _NO_PICTURE), (rb'[{\[]', 'JSON text', _NO_PICTURE))


def unreadable_kind(content: bytes) -> Optional[str]:
    """Bytes of a file that OpenCV does not decode -> 'a GIF, which OpenCV does not read: convert it ...', None if its
    first bytes say nothing."""
    for start, what, mend in _STARTS:
        if content.startswith(start):
            return f'{what}, {mend}'
    if content[4:8] == b'ftyp':
        brands = [content[8:12]] + [content[place:place + 4] for place in range(16, min(len(content), 64), 4)]
        known = next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
        heif = 'a HEIC picture' if any(brand in _HEIF for brand in brands) else 'a video'
        return f'{known or heif}, {_CONVERT}'
    if content.startswith(b'\xff\xd8'):
        process = jpeg_process(content)
        return process and f'{process}, {_CONVERT}'
    compression = (tiff_tags(content).get(COMPRESSION) or [0])[0]
    if compression in _COMPRESSIONS:
        return f'a TIFF compressed by {_COMPRESSIONS[compression]}, {_CONVERT}'
    if is_animated_webp(content):
        return f'an animated WebP, {_CONVERT}'
    if content[:4] == b'RIFF' and content[8:12] in (b'AVI ', b'CDXA'):
        return f'a video, {_CONVERT}'
    if content[128:132] == b'DICM':
        return f'a DICOM file, {_CONVERT}'
    if not content.strip(b'\0'):
        return 'nothing but zeros: fetch it again, or leave it out'
    return _text_kind(content[:4096])


def _text_kind(head):
    """The same of a file of text."""
    if head.startswith((b'\xff\xfe', b'\xfe\xff')):     # UTF-16
        head = head.replace(b'\0', b'')[2:]
    text = head.replace(b'\xef\xbb\xbf', b'', 1).lstrip().lower()
    if text.startswith(b'<'):
        svg = re.search(rb'<svg[\s>]', text)
        if svg and not re.match(_TEXT[0][0], text):
            return f'{_TEXT[1][1]}, {_TEXT[1][2]}'
    for pattern, what, mend in _TEXT:
        if re.match(pattern, text):
            return f'{what}, {mend}'
    if text and all(32 <= letter < 127 or letter in b'\t\r\n\f' for letter in text):
        return 'damaged or not an image, but text: fetch it again, or leave it out'
    return None


def picture_files(folder: str) -> List[str]:
    """Paths of the pictures of a folder by their endings, sorted. SniperError if there are none."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise SniperError(f'folder {folder} cannot be read: {error.strerror or error}') from None
    found = [os.path.join(folder, name) for name in names
             if name.lower().endswith(ENDINGS) and not name.startswith('.')]    # hidden: companions of macOS, ...
    if not found:
        raise SniperError(f'folder {folder} holds no picture ({" ".join(ENDINGS)})')
    return found
