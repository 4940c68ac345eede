"""Pictures that are the same: pixel for pixel, or saved anew with another quality or size.

A picture is known again by a small grey copy of itself. 63 signs of its cosine transform (the perceptual hash that is
called pHash: low frequencies against their median) find candidates; the small copies, which must then be alike, decide.
"""
import hashlib
from typing import Dict, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

SIDE, LOW = 32, 8        # pixels of the small copy, and frequencies of it
BITS_APART = 8           # of 63, that copies of a picture may differ in
ALIKE = 0.95             # correlation of small copies of one picture
FLAT = 2.0               # standard deviation of grey values, below which a picture shows too little to be told by
SHAPE = 1.06             # times that the ratio of width and height of copies may differ
_BLOCK = 512


class PictureHash(NamedTuple):
    """exact: of the pixels; bits: (63,) of +1 and -1; small: (SIDE * SIDE,) uint8; ratio: width / height; flat: it
    shows too little for `bits`."""

    exact: bytes
    bits: np.ndarray
    small: np.ndarray
    ratio: float
    flat: bool


def picture_hash(pixels: np.ndarray) -> PictureHash:
    """(H, W, 3) uint8 pixels -> PictureHash; a JPEG decoded at half its size or less does as well, each time alike."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:LOW, :LOW].ravel()[1:]     # without the mean
    bits = np.where(low > np.median(low), 1, -1).astype(np.int8)
    exact = hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16).digest()
    return PictureHash(exact, bits, small.ravel(), pixels.shape[1] / pixels.shape[0], bool(small.std() < FLAT))


def same_pictures(hashes: Sequence[PictureHash]) -> Tuple[List[Tuple[int, int]], List[Tuple[int, int]]]:
    """Pairs (place, later place) of the same pixels, and of copies saved anew: as many as join all that are alike, so
    that n pictures of one kind, directly or by others between them, make n - 1 pairs."""
    exact: List[Tuple[int, int]] = []
    firsts: Dict[bytes, int] = {}
    for place, one in enumerate(hashes):
        first = firsts.setdefault(one.exact, place)
        if first != place:
            exact.append((first, place))
    kept = [place for place in firsts.values() if not hashes[place].flat]
    return exact, _copies(hashes, kept)


def _copies(hashes, kept):
    """Pairs among the places `kept`."""
    if len(kept) < 2:
        return []
    bits = np.stack([hashes[place].bits for place in kept]).astype(np.float32)
    count, found, group = bits.shape[1], [], {place: [place] for place in kept}
    for begin in range(0, len(kept), _BLOCK):
        apart = (count - bits[begin:begin + _BLOCK] @ bits[begin:].T) / 2
        for row, column in zip(*np.nonzero(apart <= BITS_APART)):
            if row >= column:
                continue
            one, other = kept[begin + row], kept[begin + column]
            if group[one] is not group[other] and _alike(hashes[one], hashes[other]):
                group[one] += group[other]
                for place in group[other]:
                    group[place] = group[one]
                found.append((one, other))
    return found


def _alike(one, other):
    if max(one.ratio, other.ratio) > SHAPE * min(one.ratio, other.ratio):
        return False
    return np.corrcoef(one.small.astype(np.float64), other.small)[0, 1] >= ALIKE
