"""Copies of a picture are known again: the same pixels, other quality, other size; other pictures are not."""
import cv2
import numpy as np

from lib.dataset.picture_hash import PictureHash, picture_hash, same_pictures


def scene(seed, size=(96, 128)):
    """A picture with some structure."""
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 255, (6, 8, 3)).astype(np.uint8), size[::-1], interpolation=cv2.INTER_CUBIC)


def saved_anew(pixels, quality, scale):
    """As JPEG, resized."""
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imdecode(cv2.imencode('.jpg', small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def test_copies_are_found_and_others_are_not():
    pictures = [scene(seed) for seed in range(30)]
    pictures += [pictures[3].copy(), saved_anew(pictures[5], 40, 1), saved_anew(pictures[7], 90, 0.5),
                 saved_anew(pictures[7], 70, 2)]
    exact, copies = same_pictures([picture_hash(pixels) for pixels in pictures])
    assert exact == [(3, 30)]
    assert sorted(copies) == [(5, 31), (7, 32), (7, 33)]


def test_blank_pictures_are_the_same_only_exactly():
    blank = [np.full((80, 80, 3), value, np.uint8) for value in (90, 90, 200)]
    assert same_pictures([picture_hash(pixels) for pixels in blank]) == ([(0, 1)], [])


def test_a_stretched_or_mirrored_picture_is_another():
    pixels = scene(1)
    others = [pixels, cv2.resize(pixels, (96, 128)), pixels[:, ::-1].copy()]
    assert same_pictures([picture_hash(other) for other in others]) == ([], [])
    assert same_pictures([]) == ([], [])


def test_what_lies_between_joins_two():
    """The third differs from the others in five signs, these in ten: all are of one kind."""
    bits = [np.ones(63, np.int8) for _ in range(3)]
    bits[0][:5] = bits[1][5:10] = -1
    small = np.arange(1024, dtype=np.uint8)
    hashes = [PictureHash(bytes([number]), one, small, 1.0, False) for number, one in enumerate(bits)]
    assert same_pictures(hashes) == ([], [(0, 2), (1, 2)])
