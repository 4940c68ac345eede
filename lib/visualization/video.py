"""Video files, written frame by frame."""
import os
from typing import Optional, Tuple

import cv2
import numpy as np

from lib.utils.errors import SniperError
from lib.utils.files import check_writable, publish

CODECS = {'.mp4': 'mp4v', '.avi': 'MJPG'}   # what OpenCV's wheels write without a library of the system


class VideoWriter:
    """A video at `path`, .mp4 or .avi, of `rate` frames/s. The file is complete or absent; what is there when it is
    closed early is a whole video too. Frames get the size of the first one; odd sides lose a line, as the codec wants.

    SniperError if it cannot be written.
    """

    def __init__(self, path: str, rate: float):
        folder, base = os.path.split(path)
        stem, self._ending = os.path.splitext(base)
        if self._ending.lower() not in CODECS:
            raise SniperError(f'video {path} must end in one of {", ".join(CODECS)}')
        check_writable(path)
        self.path, self.count = path, 0
        self._rate = rate
        self._temporary = os.path.abspath(os.path.join(folder, f'.{stem}.tmp-{os.getpid()}{self._ending}'))
        self._writer: Optional[cv2.VideoWriter] = None
        self._size: Tuple[int, int] = (0, 0)

    def add(self, pixels: np.ndarray) -> None:
        """The next frame, (H, W, 3) uint8 B, G, R."""
        if self._writer is None:
            self._size = pixels.shape[1], pixels.shape[0]
            codec = cv2.VideoWriter_fourcc(*CODECS[self._ending.lower()])
            self._writer = cv2.VideoWriter(self._temporary, codec, self._rate, self._size)
            if not self._writer.isOpened():
                self._discard()
                raise SniperError(f'video {self.path} of {self._size[0]} x {self._size[1]} pixels and {self._rate:g} '
                                  'frames/s cannot be written: try .avi, or smaller frames')
        if (pixels.shape[1], pixels.shape[0]) != self._size:
            pixels = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        self._writer.write(pixels)
        self.count += 1

    def close(self) -> None:
        """End the file. SniperError if it has fewer frames than it was given: nothing else tells of a full disk."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        written = frame_count(self._temporary)
        if written != self.count:
            self._discard()
            raise SniperError(f'cannot write {self.path}: only {written} of {self.count} frames arrived; is the disk '
                              'full?')
        publish(self._temporary, self.path)

    def _discard(self):
        if os.path.exists(self._temporary):
            os.remove(self._temporary)


def frame_count(path: str) -> int:
    """Frames of a video file as its index says; 0 if it cannot be opened."""
    capture = cv2.VideoCapture(path)
    try:
        return int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    finally:
        capture.release()
