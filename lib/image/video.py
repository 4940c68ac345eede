"""Videos and cameras: (H, W, 3) uint8 B, G, R, frame by frame, turned as players turn them."""
import logging
import math
import os
import time
from typing import Any, Iterator, Optional, Tuple

import numpy as np

from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')   # its lines name no file; read at the first video
import cv2  # noqa: E402

logger = logging.getLogger(__name__)

ENDINGS = ('.mp4', '.m4v', '.mov', '.avi', '.mkv', '.webm', '.mpg', '.mpeg', '.wmv', '.flv', '.mts', '.m2ts', '.3gp',
           '.ogv')
USUAL_RATE, HIGHEST_RATE = 25.0, 1000.0     # frames/s where a file says none, or nonsense
CUT_SHORT = 0.9                             # of the frames that a file promises


class Video:
    """A video file, or a camera by its number; a frame is read when it is opened, so that a broken one is known.

    size: (width, height); rate: frames/s; count: of frames as the file says, which may be an estimate, 0 if it does
    not; live: whether frames are lost that nobody takes. Between, a file is closed: of many videos one is open.
    SniperError if it cannot be opened, or has no frame.
    """

    def __init__(self, path: str = '', camera: Optional[int] = None):
        self.live = camera is not None
        self.path = path if camera is None else f'camera {camera}'
        reason = '' if self.live else why_unreadable(path)
        if reason:
            raise SniperError(f'video {path} {reason}')
        # The whole path: FFmpeg takes what stands before a colon for a protocol.
        self._source = camera if self.live else os.path.abspath(path)
        self._capture: Any = cv2.VideoCapture(self._source)    # None while it is closed
        pixels = self._first()
        self.size: Tuple[int, int] = pixels.shape[1], pixels.shape[0]
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if math.isfinite(rate) and 0 < rate <= HIGHEST_RATE else USUAL_RATE
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.count = int(count) if not self.live and math.isfinite(count) and 0 < count < 1e9 else 0
        if not self.live:
            self.close()

    def frames(self, every: int = 1) -> Iterator[Tuple[int, float, np.ndarray]]:
        """(number from 0, seconds since the beginning, pixels) of every `every`-th frame. Others are not decoded where
        their format allows it."""
        number, pixels, started = 0, self._first(), time.monotonic()
        while pixels is not None:
            yield number, time.monotonic() - started if self.live else number / self.rate, pixels
            skipped = 0
            while skipped < every - 1 and self._capture.grab():
                skipped += 1
            number += 1 + skipped
            pixels = self._read() if skipped == every - 1 else None
        self.close()
        if self.live:
            logger.warning('%s gives no more frames', self.path)
        elif number < CUT_SHORT * self.count:
            logger.warning('video %s ends after %d of %d frames: is it cut short?', self.path, number, self.count)

    def _first(self):
        """Open what is not open -> pixels of the first frame."""
        if self._capture is None:
            self._capture = cv2.VideoCapture(self._source)
        pixels = self._read() if self._capture.isOpened() else None
        if pixels is None:
            self.close()
            raise SniperError(f'{self.path} cannot be opened: is it plugged in, and not in use by another program?'
                              if self.live else
                              f'video {self.path} is damaged, cut short, or of a kind that OpenCV does not read: fetch '
                              'it again, or convert it (ffmpeg -i FILE new.mp4)')
        return pixels

    def _read(self):
        """Pixels of the next frame, None after the last."""
        try:
            there, pixels = self._capture.read()
        except cv2.error:   # damaged in the middle
            return None
        if not there or pixels is None or not pixels.size:
            return None
        return pixels if pixels.ndim == 3 and pixels.shape[2] == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)

    def close(self) -> None:
        """Let the file or camera go."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
