"""Pictures and videos with what was found drawn into them."""
import os
from typing import Optional, Sequence

from lib.bbox.detections import Detections
from lib.image.sources import Frame
from lib.image.video import Video
from lib.utils.files import check_writable
from lib.visualization import draw_detections, write_picture
from lib.visualization.video import VideoWriter

SUFFIX = '_detections'
LIVE_RATE = 10.0    # frames/s of a camera's video, in which frames are repeated as long as they stood


class DrawnPictures:
    """<name>_detections.jpg in a folder for every picture, or the file `path` for one; `printed` says where."""

    def __init__(self, place: str, classes: Sequence[str], is_file: bool = False, printed=None):
        """SniperError if the place cannot be written to."""
        check_writable(place, folder=not is_file)
        self._place, self._classes, self._is_file, self._printed = place, classes, is_file, printed

    def add(self, frame: Frame, found: Detections) -> None:
        """See lib.outputs; frames of videos are not its business."""
        if frame.source.video is not None:
            return
        path = self._place if self._is_file else os.path.join(self._place, f'{frame.name}{SUFFIX}.jpg')
        write_picture(path, draw_detections(frame.pixels, found, self._classes))
        if self._printed:
            self._printed(path)

    def close(self) -> None:
        """Nothing is left to write."""


class DrawnVideo:
    """A video of the frames of one video or camera that were looked at, which lasts as long as it did."""

    def __init__(self, path: str, classes: Sequence[str], video: Video, every: int = 1):
        """SniperError if `path` cannot be written."""
        self._video, self._classes = video, classes
        self._writer = VideoWriter(path, LIVE_RATE if video.live else video.rate / every)

    @property
    def path(self) -> str:
        """Of the file."""
        return self._writer.path

    @property
    def count(self) -> int:
        """Frames written."""
        return self._writer.count

    def add(self, frame: Frame, found: Detections) -> None:
        """See lib.outputs; other pictures than its video's are not its business."""
        if frame.source.video is not self._video:
            return
        drawn = draw_detections(frame.pixels, found, self._classes)
        self._writer.add(drawn)
        while self._video.live and self._writer.count < frame.seconds * LIVE_RATE:
            self._writer.add(drawn)

    def close(self) -> None:
        """End the file."""
        self._writer.close()


def video_path(folder: str, name: Optional[str]) -> str:
    """Where the video of a source goes."""
    return os.path.join(folder, f'{name}{SUFFIX}.mp4')
