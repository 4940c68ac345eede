"""lib.image: reading with its failures, geometry against golden pixels, colours."""
import cv2
import numpy as np
import pytest

from lib.image import cut_window, jitter_colors, read_image, resize_by, write_planes
from lib.image.header import read_jpeg_header
from lib.utils.errors import SniperError
from tests.golden import golden_file

MEANS = np.array([103.939, 116.779, 123.68], np.float32)


def encoded(extension, shape=(40, 60, 3)):
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    return pixels, cv2.imencode(extension, pixels)[1].tobytes()


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize('extension', ['.png', '.bmp'])
def test_reads_lossless_files_exactly(tmp_path, extension):
    pixels, content = encoded(extension)
    np.testing.assert_array_equal(read_image(write(tmp_path, 'a' + extension, content)), pixels)


def test_grey_file_gives_three_channels(tmp_path):
    content = cv2.imencode('.jpg', np.full((10, 12), 77, np.uint8))[1].tobytes()
    assert read_image(write(tmp_path, 'grey.jpg', content)).shape == (10, 12, 3)


def with_exif(jpeg, preview=b'', orientation=6):
    """The JPEG with an EXIF block that says "rotate by 90 degrees" (6), and `preview` bytes inside."""
    tiff = (b'II*\0\x08\0\0\0' + b'\x01\0' + b'\x12\x01\x03\0\x01\0\0\0' + bytes([orientation]) + b'\0\0\0'
            + b'\0\0\0\0')
    body = b'Exif\0\0' + tiff + preview
    return jpeg[:2] + b'\xff\xe1' + (len(body) + 2).to_bytes(2, 'big') + body + jpeg[2:]


def test_exif_orientation_is_ignored_where_the_annotation_does(tmp_path):
    _, content = encoded('.jpg')
    path = write(tmp_path, 'a.jpg', with_exif(content))
    assert read_image(path, 60, 40).shape == (40, 60, 3)
    assert read_image(path, 40, 60).shape == read_image(path).shape == (60, 40, 3)


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
@pytest.mark.parametrize('share', [0.3, 0.7, 0.99])
def test_truncated_file_is_named(tmp_path, extension, share):
    _, content = encoded(extension)
    path = write(tmp_path, 'cut' + extension, content[:int(len(content) * share)])
    with pytest.raises(SniperError, match=f'cut{extension} is cut short'):
        read_image(path)


def test_truncated_jpeg_is_noticed_behind_an_embedded_preview(tmp_path):
    _, content = encoded('.jpg')
    whole = with_exif(content, preview=encoded('.jpg', (8, 8, 3))[1])
    assert read_image(write(tmp_path, 'whole.jpg', whole)).shape == (60, 40, 3)
    with pytest.raises(SniperError, match='cut short'):
        read_image(write(tmp_path, 'cut.jpg', whole[:-200]))


def test_bytes_behind_the_end_do_no_harm(tmp_path):
    _, content = encoded('.jpg')
    assert read_image(write(tmp_path, 'a.jpg', content + b'\0' * 1000)).shape == (40, 60, 3)


@pytest.mark.parametrize('content, words', [(b'', 'is empty'), (b'hello, I am text', 'not an image'),
                                            (b'\x89PNG\r\n\x1a\nIEND', 'not an image')])
def test_other_broken_files_are_named(tmp_path, content, words):
    with pytest.raises(SniperError, match='x.jpg.*' + words):
        read_image(write(tmp_path, 'x.jpg', content))


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(SniperError, match='gone.jpg cannot be read'):
        read_image(str(tmp_path / 'gone.jpg'))
    with pytest.raises(SniperError, match='cannot be read'):
        read_image(str(tmp_path))


def test_cut_window_equals_mirroring_the_whole_image_first():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (30, 50, 3), dtype=np.uint8)
    for flipped in (False, True):
        for vertical in (False, True):
            whole = pixels[:, ::-1] if flipped else pixels
            whole = whole[::-1] if vertical else whole
            window = cut_window(pixels, (3.9, 5.2, 40.7, 99), flipped, vertical)
            np.testing.assert_array_equal(window, whole[5:30, 3:40])


def test_cut_window_outside_is_empty():
    assert cut_window(np.zeros((10, 10, 3), np.uint8), (12, 0, 20, 5)).size == 0


def test_resize_keeps_a_pixel_of_a_sliver():
    assert resize_by(np.zeros((2, 300, 3), np.uint8), 0.1).shape == (1, 30, 3)


def test_write_planes_order_means_padding_and_cut():
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:] = 10, 20, 30
    out = np.full((3, 5, 5), 9, np.float32)
    assert write_planes(pixels, (1, 2, 3), out) == (4, 5)
    np.testing.assert_array_equal(out[:, :4], np.broadcast_to(np.float32([27, 18, 9])[:, None, None], (3, 4, 5)))
    assert not out[:, 4:].any()
    out[:] = 9
    assert write_planes(pixels[:, :2], (1, 2, 3), out) == (4, 2)
    assert not out[:, :, 2:].any()


def test_jitter_is_seeded_and_bounded():
    pixels = np.random.default_rng(5).integers(60, 180, (20, 20, 3), dtype=np.uint8)
    first = jitter_colors(pixels, 0.2, np.random.default_rng(1))
    np.testing.assert_array_equal(first, jitter_colors(pixels, 0.2, np.random.default_rng(1)))
    assert (first != jitter_colors(pixels, 0.2, np.random.default_rng(2))).any()
    change = abs(first.astype(int) - pixels).max()
    assert 0 < change < 130
    np.testing.assert_array_equal(jitter_colors(pixels, 0.0, np.random.default_rng(1)), pixels)


def golden_cases():
    cases = np.load(golden_file('pipeline/image_workers.npz'))
    for number in range(int(cases['n_cases'])):
        yield number, {key[4:]: cases[key] for key in cases.files if key.startswith(f'{number:03d}/')}


def network_input(case, box, flipped, scale, size):
    """Network input with the means added back, and the filled size."""
    out = np.full((3,) + tuple(size), 99, np.float32)
    window = resize_by(cut_window(case['image'], box, flipped), float(scale))
    extent = write_planes(window, case['means_bgr'], out)
    return out + case['means_bgr'][::-1, None, None], extent


def test_golden_training_chips():
    for number, case in golden_cases():
        size = (int(case['crop_size']),) * 2
        pixels, extent = network_input(case, case['crop'], bool(case['flipped']), case['crop_scale'], size)
        assert extent == tuple(case['train_extent']), number
        assert abs(np.rint(pixels) - case['train']).max() <= 1, number


def test_golden_test_images_and_crops():
    for number, case in golden_cases():
        height, width = case['image'].shape[:2]
        pixels, extent = network_input(case, (0, 0, width, height), bool(case['flipped']), case['test_im_scale'],
                                       case['test_max'])
        assert extent == tuple(case['test_shape']), number
        assert abs(np.rint(pixels) - case['test']).max() <= 1, number
        pixels, extent = network_input(case, case['crop'], False, case['focus_scale'], case['focus_max'])
        assert extent == tuple(case['focus_shape']), number
        assert abs(np.rint(pixels) - case['focus']).max() <= 1, number


def test_jpeg_header():
    content = encoded('.jpg')[1]
    assert read_jpeg_header(content)[:2] == ((60, 40), 1)
    turned = with_exif(content, orientation=6)
    header = read_jpeg_header(turned)
    assert header[:2] == ((60, 40), 6) and turned[header.scan - 14:header.scan - 12] == b'\xff\xda'
    assert read_jpeg_header(with_exif(content, orientation=9))[:2] == ((60, 40), 1)
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="3"/>'    # OpenCV does not turn by it
    told = content[:2] + b'\xff\xe1' + (len(xmp) + 2).to_bytes(2, 'big') + xmp + content[2:]
    assert read_jpeg_header(told)[:2] == ((60, 40), 1)


def test_damaged_jpeg_headers_are_quiet(recwarn):
    content = with_exif(encoded('.jpg')[1])
    rng = np.random.default_rng(0)
    for _ in range(2000):
        damaged = bytearray(content[:rng.integers(2, 700)])
        for place in rng.integers(0, min(len(damaged), 200), 3):
            damaged[place] = rng.integers(256)
        header = read_jpeg_header(bytes(damaged))
        assert 1 <= header.orientation <= 8 and 0 <= header.scan <= len(damaged)
    assert not recwarn.list
