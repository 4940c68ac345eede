"""What other programs write: depths, orientations, ends, and files that are no pictures."""
import gzip
import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from lib.image import ImageFile, ImageNotices, read_image
from lib.utils.errors import SniperError

WIDTH, HEIGHT = 60, 40
TURNS = {1: None, 2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE,
         6: Image.ROTATE_90, 7: Image.TRANSVERSE, 8: Image.ROTATE_270}


def scene():
    """(H, W, 3) smooth colours, R, G, B, different in every corner."""
    x, y = np.meshgrid(np.linspace(0, 219, WIDTH), np.linspace(0, 180, HEIGHT))
    return np.stack([x, y, (x + y) / 2], axis=2).astype(np.uint8)


def grey():
    return scene()[:, :, 0]


def save(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return str(path)


def pillow(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def opencv(ending, pixels, *options):
    return cv2.imencode(ending, pixels, options)[1].tobytes()


def tiff(samples, photometric=1, sample_format=1, order='<'):
    """A TIFF file of one strip, (h, w) or (h, w, c), by hand: sample formats and photometrics that libraries lack."""
    height, width = samples.shape[:2]
    channels, bits = samples.size // (height * width), samples.dtype.itemsize * 8
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    entries = [(256, width), (257, height), (258, [bits] * channels), (259, 1), (262, photometric), (273, 0),
               (277, channels), (278, height), (279, len(data)), (339, [sample_format] * channels)]
    after = 8 + 2 + 12 * len(entries) + 4
    body, extra = struct.pack(order + 'H', len(entries)), b''
    start = after + 2 * 2 * channels if channels > 2 else after
    for tag, value in entries:
        if isinstance(value, list):
            packed = struct.pack(f'{order}{channels}H', *value)
            if channels > 2:
                body += struct.pack(order + 'HHII', tag, 3, channels, after + len(extra))
                extra += packed
            else:
                body += struct.pack(order + 'HHI', tag, 3, channels) + packed.ljust(4, b'\0')
        else:
            body += struct.pack(order + 'HHII', tag, 4, 1, start if tag == 273 else value)
    return ((b'II*\0' if order == '<' else b'MM\0*') + struct.pack(order + 'I', 8) + body + b'\0' * 4 + extra + data)


@pytest.mark.parametrize('ending', ['.png', '.tif', '.pgm', '.jp2'])
@pytest.mark.parametrize('bits', [8, 10, 12, 14])
def test_few_bits_in_16_are_scaled_and_said(tmp_path, ending, bits):
    path = save(tmp_path, 'a' + ending, opencv(ending, grey().astype(np.uint16) << (bits - 8),
                                               *([cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000] if ending == '.jp2'
                                                 else [])))
    file = ImageFile(path)
    assert abs(file.decode().pixels.astype(int) - grey()[:, :, None]).max() <= (1 if ending == '.jp2' else 0)
    notice, = file.notices
    highest = 219 << (bits - 8)
    assert f'highest value {highest}, ' in notice.text and f' % of the range; it is read as one of {bits} bits' in (
        notice.text) and 'convert' in notice.text


def test_the_share_is_that_of_the_range(tmp_path):
    file = ImageFile(save(tmp_path, 'a.png', opencv('.png', grey().astype(np.uint16) * 16)))
    file.decode()
    assert 'highest value 3504, 5 % of the range' in file.notices[0].text


@pytest.mark.parametrize('ending', ['.png', '.tif', '.pgm'])
@pytest.mark.parametrize('channels', [1, 3, 4])
def test_whole_16_bits_are_the_high_byte_as_before(tmp_path, ending, channels):
    if ending == '.pgm' and channels > 1:
        pytest.skip('grey alone')
    samples = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, channels), np.uint16)
    content = opencv(ending, samples)
    file = ImageFile(save(tmp_path, 'a' + ending, content))
    assert (file.decode().pixels == cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)).all()
    assert file.notices == []


def test_colours_of_12_bits_with_transparency(tmp_path):
    samples = np.dstack([scene().astype(np.uint16) << 4, np.full((HEIGHT, WIDTH), 4095, np.uint16)])
    np.testing.assert_array_equal(read_image(save(tmp_path, 'a.png', opencv('.png', samples))), scene())


@pytest.mark.parametrize('ending', ['.png', '.tif'])
def test_next_to_no_contrast_is_said(tmp_path, ending):
    """One hot pixel of 65535 hides that there are 12 bits; a thermal camera's picture lies between 28000 and 30000."""
    hot = grey().astype(np.uint16) * 16
    hot[3, 4] = 65535
    for samples in (hot, 28000 + grey().astype(np.uint16) * 8):
        image = ImageFile(save(tmp_path, 'a' + ending, opencv(ending, samples)))
        image.decode()
        notice, = image.notices
        assert 'has next to no contrast in 8 bits (99.8 % of it within' in notice.text
    bright = np.where(grey() > 200, 65535, grey().astype(np.uint16) * 16)   # a tenth of the picture: it may be so
    blank = np.full((HEIGHT, WIDTH), 65000, np.uint16)
    spot = blank.copy()
    spot[5, 6] = 2000
    for samples in (bright, blank, spot):
        image = ImageFile(save(tmp_path, 'a' + ending, opencv(ending, samples)))
        image.decode()
        assert not image.notices


@pytest.mark.parametrize('order', ['<', '>'])
def test_white_is_zero(tmp_path, order):
    for bits in (16, 12):
        samples = (grey().astype(np.uint16) << (bits - 8)) + (200 if bits == 16 else 0)
        path = save(tmp_path, f'{bits}.tif', tiff(samples, photometric=0, order=order))
        np.testing.assert_array_equal(read_image(path)[:, :, 0], 255 - grey())


def test_black_16_bit_picture_is_black(tmp_path):
    file = ImageFile(save(tmp_path, 'a.png', opencv('.png', np.zeros((4, 5), np.uint16))))
    assert not file.decode().pixels.any() and file.notices == []


FLOATS = scene().astype(np.float32) / 255
REFUSED = {
    'float.tif': (opencv('.tif', FLOATS), 'floating-point'), 'float64.tif': (tiff(FLOATS.astype(np.float64), 2, 3),
                                                                            'floating-point'),
    'grey.tif': (pillow(Image.fromarray(FLOATS[:, :, 0]), 'TIFF'), 'floating-point'),
    'half.tif': (tiff(FLOATS[:, :, 0].astype(np.float16), 1, 3, '>'), 'floating-point'),
    'map.pfm': (opencv('.pfm', FLOATS), 'floating-point'), 'radiance.hdr': (opencv('.hdr', FLOATS), 'floating-point'),
    'int32.tif': (pillow(Image.fromarray(grey().astype(np.int32)), 'TIFF'), 'signed whole numbers'),
    'uint32.tif': (tiff(grey().astype(np.uint32)), '32 bits a sample'),
    'int16.tif': (tiff(grey().astype(np.int16), 1, 2), 'signed'), 'int8.tif': (tiff(grey().astype(np.int8), 1, 2),
                                                                               'signed'),
    'bands.tif': (tiff(np.repeat(grey()[:, :, None], 5, 2), 1), 'has 5 channels'),
    'lab.tif': (pillow(Image.fromarray(scene()).convert('LAB'), 'TIFF'), 'CIELab')}


@pytest.mark.parametrize('name', REFUSED)
def test_samples_that_make_no_picture_are_refused_with_the_mend(tmp_path, name):
    content, words = REFUSED[name]
    with pytest.raises(SniperError, match=f'{name} .*{words}.*(convert|write)'):
        read_image(save(tmp_path, name, content))


def ycck():
    """A JPEG in Adobe's YCCK, as Photoshop writes it: planes made here, and the marker's byte set."""
    stored = 255 - np.asarray(Image.fromarray(scene()).convert('CMYK')).astype(float)
    red, green, blue = (255 - stored[..., place] for place in range(3))
    luma = .299 * red + .587 * green + .114 * blue
    planes = np.stack([luma, 128 + (blue - luma) * .564, 128 + (red - luma) * .713, stored[..., 3]], 2)
    planes = Image.fromarray(255 - planes.clip(0, 255).round().astype(np.uint8), 'CMYK')
    content = bytearray(pillow(planes, 'JPEG', quality=100, subsampling=0))
    content[content.find(b'Adobe') + 11] = 2
    return bytes(content)


def transparent():
    """Colours below the transparent half are those that are stored."""
    image = Image.fromarray(scene()).convert('RGBA')
    image.paste(Image.new('L', (WIDTH, 20), 0), (0, 0))
    image.putalpha(Image.fromarray(np.repeat([[0], [255]], 20, 0).astype(np.uint8).repeat(WIDTH, 1)))
    return image


COLOURS = {'cmyk.jpg': (pillow(Image.fromarray(scene()).convert('CMYK'), 'JPEG', quality=98), scene(), 6),
           'ycck.jpg': (ycck(), scene(), 6),
           'cmyk.tif': (pillow(Image.fromarray(scene()).convert('CMYK'), 'TIFF'), scene(), 1),
           'ycbcr.tif': (pillow(Image.fromarray(scene()).convert('YCbCr'), 'TIFF'), scene(), 8),
           'bits.png': (pillow(Image.fromarray(grey() > 99), 'PNG'), 255 * (grey() > 99)[:, :, None], 0),
           'bits.tif': (pillow(Image.fromarray(grey() > 99), 'TIFF', compression='group4'),
                        255 * (grey() > 99)[:, :, None], 0),
           'palette.png': (pillow(Image.fromarray(scene()).quantize(256), 'PNG', transparency=0), scene(), 30),
           'greyalpha.png': (pillow(Image.fromarray(grey()).convert('LA'), 'PNG'), grey()[:, :, None], 0),
           'alpha.png': (pillow(transparent(), 'PNG'), np.array(transparent())[:, :, :3], 0),
           'alpha.webp': (pillow(transparent(), 'WEBP', lossless=True, exact=True), np.array(transparent())[:, :, :3],
                          0)}


@pytest.mark.parametrize('name', COLOURS)
def test_colours_are_those_that_are_stored(tmp_path, name):
    content, right, tolerance = COLOURS[name]
    file = ImageFile(save(tmp_path, name, content))
    assert abs(file.decode().pixels[:, :, ::-1].astype(int) - right).max() <= tolerance and not file.notices


@pytest.mark.parametrize('form', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
@pytest.mark.parametrize('orientation', TURNS)
def test_orientations(tmp_path, form, orientation):
    """Without an annotation as viewers show it; with one, as its size says."""
    image = Image.fromarray(scene())
    image = image if orientation == 1 else image.transpose(TURNS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {'TIFF': {'tiffinfo': {0x0112: orientation}}, 'JPEG': {'quality': 98, 'exif': exif},
               'WEBP': {'lossless': True, 'exif': exif}, 'PNG': {'exif': exif}}[form]
    path = save(tmp_path, 'a.' + form.lower(), pillow(image, form, **options))
    upright, stored = scene()[:, :, ::-1], np.asarray(image)[:, :, ::-1]

    def shows(pixels, *size):
        file = ImageFile(path, *size)
        picture = file.decode()
        assert picture.pixels.shape == pixels.shape == (picture.height, picture.width, 3)
        assert abs(picture.pixels.astype(int) - pixels).max() <= 8
        return [notice.kind for notice in file.notices]
    assert shows(upright) == [] and ImageFile(path).orientation == orientation
    assert ImageFile(path).viewed_size == ((WIDTH, HEIGHT) if form == 'JPEG' else None)
    across = orientation >= 5
    told = [] if orientation == 1 or across else ['orientation']
    if across:
        assert shows(stored, image.width, image.height) == shows(upright, WIDTH, HEIGHT) == []
    else:   # TIFF files are shown turned by all readers, so by the one that wrote the annotations
        assert shows(upright if form == 'TIFF' else stored, WIDTH, HEIGHT) == told


def test_a_reduced_decode_is_turned_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(scene()).transpose(Image.ROTATE_90)
    picture = ImageFile(save(tmp_path, 'a.jpg', pillow(image, 'JPEG', quality=98, exif=exif))).decode(2)
    assert picture.pixels.shape == (20, 30, 3) and picture[1:] == (60, 40, 2)
    assert abs(picture.pixels.astype(int) - scene()[::2, ::2, ::-1]).max() <= 9


@pytest.mark.parametrize('options', [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
@pytest.mark.parametrize('noisy', [True, False])
def test_a_jpeg_without_its_end_mark_is_whole_if_no_pixel_is_missing(tmp_path, options, noisy):
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) if noisy else scene()
    content = opencv('.jpg', pixels, *options)
    right = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    for missing in (1, 2):
        file = ImageFile(save(tmp_path, 'a.jpg', content[:-missing]))
        assert (file.decode().pixels == right).all() and 'lacks the mark of its end' in file.notices[0].text
    for missing in (4, 6, 10, 20, 40, 80):
        with pytest.raises(SniperError, match='cut short'):
            read_image(save(tmp_path, 'a.jpg', content[:-missing]))


@pytest.mark.parametrize('options', [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_zeros_do_not_stand_for_pixels(tmp_path, options):
    """Downloads keep room for the rest of a file."""
    content = opencv('.jpg', np.random.RandomState(0).randint(0, 255, (64, 64, 3)).astype(np.uint8), *options)
    padded = ImageFile(save(tmp_path, 'a.jpg', content[:-2] + bytes(500)))
    assert np.array_equal(padded.decode().pixels, cv2.imdecode(np.frombuffer(content, np.uint8), 1))
    half = len(content) // 2
    with pytest.raises(SniperError, match='is cut short'):
        ImageFile(save(tmp_path, 'a.jpg', content[:half] + bytes(half)))


def test_a_progressive_jpeg_without_its_last_scans_is_cut(tmp_path):
    content = opencv('.jpg', scene(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    starts = [place for place in range(len(content)) if content[place:place + 2] == b'\xff\xda']
    tables = [place for place in range(starts[0], len(content)) if content[place:place + 2] == b'\xff\xc4']
    assert len(starts) > 4
    for end in starts[1:] + tables:
        with pytest.raises(SniperError, match='is cut short'):
            ImageFile(save(tmp_path, 'a.jpg', content[:end]))


def test_a_png_without_its_end(tmp_path):
    content = opencv('.png', scene())
    for missing in (1, 5, 8, 12):
        assert (read_image(save(tmp_path, 'a.png', content[:-missing])) == scene()).all()
    for missing in (13, 16, 20, 100):
        with pytest.raises(SniperError, match='cut short'):
            read_image(save(tmp_path, 'a.png', content[:-missing]))
    assert zlib.crc32(b'IEND') == int.from_bytes(content[-4:], 'big')


def html(text):
    return text.encode()


IMAGE = Image.fromarray(scene())
OTHERS = {
    'a.jpg': (pillow(IMAGE, 'GIF'), 'is a GIF, which OpenCV does not read: convert it'),
    'animated.webp': (pillow(IMAGE, 'WEBP', save_all=True, append_images=[IMAGE.transpose(Image.ROTATE_180)]),
                      'is an animated WebP, which OpenCV does not read: convert it'),
    'heic.jpg': (b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + b'\1' * 99, 'is a HEIC picture, which .*convert'),
    'mif1.jpg': (b'\0\0\0\x18ftypmif1\0\0\0\0mif1heic' + b'\1' * 99, 'is a HEIC picture, which .*convert'),
    'avif.png': (b'\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf' + b'\1' * 99, 'is an AVIF picture, which .*convert'),
    'mif1.avif': (b'\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf' + b'\1' * 99, 'is an AVIF picture, which .*convert'),
    'film.jpg': (b'\0\0\0\x18ftypisom\0\0\0\0mp41isom' + b'\1' * 99, 'is a video, which'),
    'jxl.jpg': (b'\xff\x0a' + b'\1' * 99, 'is a JPEG XL picture'),
    'svg.png': (html('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'), 'is an SVG drawing'),
    'svg2.png': (html('\ufeff <svg width="3">'), 'is an SVG drawing'),
    'pdf.jpg': (b'%PDF-1.4\n' + b'\xe2\xe3' * 20, 'is a PDF document'),
    'page.jpg': (html('\n<!DOCTYPE html><html><title>404 Not Found</title><svg></svg></html>'), 'is an HTML page, not'),
    'xml.jpg': (html('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), 'is an XML document, not'),
    'json.jpg': (html('{"error": 404}'), 'is JSON text, not an image'),
    'lfs.jpg': (html('version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n'), 'git lfs pull'),
    'annex.jpg': (html('/annex/objects/SHA256E-s9--ab.jpg\n'), 'git annex get'),
    'text.jpg': (html('Not Found\n'), 'is damaged or not an image, but text'),
    'zeros.jpg': (b'\0' * 999, 'nothing but zeros'),
    '._a.jpg': (b'\0\x05\x16\x07\0\2\0\0Mac OS X' + b'\0' * 99, 'companion file of macOS'),
    'zip.jpg': (b'PK\x03\x04' + b'\1' * 99, 'a zip archive, .*unpack'),
    'gz.jpg': (gzip.compress(b'a'), 'compressed by gzip'),
    'dicom.png': (b'\0' * 128 + b'DICM' + b'\1' * 9, 'a DICOM file'),
    'npy.png': (b'\x93NUMPY\1\0' + b'\1' * 99, 'an array of NumPy'), 'psd.png': (b'8BPS\0\1' + b'\1' * 99, 'Photoshop'),
    'exr.png': (b'\x76\x2f\x31\x01' + b'\2' * 99, 'OpenEXR'), 'ico.png': (pillow(IMAGE, 'ICO'), 'an icon'),
    '12.jpg': (opencv('.jpg', scene()).replace(b'\xff\xc0\0\x11\x08', b'\xff\xc0\0\x11\x0c'),
               'a JPEG of 12 bits, which'),
    'lossless.jpg': (opencv('.jpg', scene()).replace(b'\xff\xc0\0\x11\x08', b'\xff\xc3\0\x11\x0e'), 'a lossless JPEG'),
    'zstd.tif': (tiff(grey()).replace(struct.pack('<HHII', 259, 4, 1, 1), struct.pack('<HHII', 259, 4, 1, 50000)),
                 'a TIFF compressed by Zstandard, which'),
    'odd.jpg': (b'\x01\xfe\x9a' * 40, 'damaged or not an image'), 'empty.jpg': (b'', 'is empty')}


@pytest.mark.parametrize('name', OTHERS)
def test_what_is_no_picture_is_said_by_its_kind(tmp_path, name, capfd):
    content, words = OTHERS[name]
    with pytest.raises(SniperError, match=f'image .*{name} .*{words}'):
        read_image(save(tmp_path, name, content))
    assert capfd.readouterr().err == ''     # OpenCV's own lines name no file


def test_what_is_no_file(tmp_path):
    (tmp_path / 'x.jpg').mkdir()
    with pytest.raises(SniperError, match=r'x.jpg cannot be read \(it is a folder\)'):
        read_image(str(tmp_path / 'x.jpg'))
    os.mkfifo(str(tmp_path / 'pipe.jpg'))
    with pytest.raises(SniperError, match='pipe.jpg cannot be read'):   # and is not waited for
        read_image(str(tmp_path / 'pipe.jpg'))
    with pytest.raises(SniperError, match='cannot be read'):
        read_image('a\0b.jpg')


def test_mutated_headers_are_read_or_refused(tmp_path):
    rng = np.random.default_rng(3)
    exif = Image.Exif()
    exif[0x0112] = 6
    sources = [pillow(IMAGE, 'PNG', exif=exif), pillow(IMAGE, 'WEBP', exif=exif), pillow(IMAGE, 'TIFF'),
               tiff(grey().astype(np.uint16), 0), opencv('.jpg', scene())[:-2],
               opencv('.pgm', grey().astype(np.uint16))]
    for number in range(240):
        content = bytearray(sources[number % len(sources)])
        for place in rng.integers(0, min(len(content), 160), 3):
            content[place] = rng.integers(256)
        content = content[:rng.integers(4, len(content))] if number % 4 == 0 else content
        try:
            assert read_image(save(tmp_path, 'a', bytes(content))).dtype == np.uint8
        except SniperError as error:
            assert str(error).startswith('image ')


def test_notices_are_a_line_a_kind(tmp_path, caplog):
    notices = ImageNotices()
    for number in range(8):
        file = ImageFile(save(tmp_path, f'{number}.png', opencv('.png', grey().astype(np.uint16) * 16)))
        file.decode()
        for _ in range(2):
            notices.add(file.notices[0])
    assert caplog.text.count('16-bit image') == 1
    notices.summary()
    notices.summary()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2 and lines[1].startswith('8 images of 16 bits a sample use a part of the range only: 0.png '
                                                   '(highest value 3504, 5 %), 1.png') and lines[1].endswith(', ...')
