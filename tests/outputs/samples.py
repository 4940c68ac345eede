"""Frames, detections and videos for tests of what is written."""
import cv2
import numpy as np

from lib.bbox.detections import Detections
from lib.image.sources import Frame, Source

CLASSES = ('__background__', 'cat', '=HYPERLINK("x")', '../dog')


def frame(path='pictures/a.png', width=40, height=30, video=None, **more):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Frame(Source(path, video), pixels, **more)


def found(rows=((1, 2, 3, 10, 12, .9), (2, 0, 0, 39, 29, .6)), **more):
    """rows: label, x1, y1, x2, y2, score."""
    rows = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(np.zeros(len(rows)), rows[:, 0], rows[:, 1:5], rows[:, 5], classes=CLASSES, **more)


def write_video(path, count=7, size=(64, 48), rate=10.0):
    """A video whose frame number k has brightness 10 k."""
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*('MJPG' if path.endswith('avi') else 'mp4v')), rate, size)
    for number in range(count):
        writer.write(np.full((size[1], size[0], 3), 10 * number, np.uint8))
    writer.release()
    return path


class FakeVideo:
    """Stands for an opened video."""

    def __init__(self, live=False, rate=10.0):
        self.live, self.rate = live, rate
