"""Tables on standard output of what is found in pictures."""
import logging
from typing import Sequence

from lib.bbox.detections import Detections
from lib.image.sources import Frame
from lib.tasks.seen_report import report_found
from lib.utils.errors import printable
from lib.visualization import class_name

logger = logging.getLogger(__name__)


class Tables:
    """Prints what is found in each picture, and warns of limits that cost detections."""

    def __init__(self, config, classes: Sequence[str], score: float, several: bool):
        """score: the least that is shown; several: whether the picture's name stands above its table."""
        self._config, self._classes, self._score, self._several = config, classes, score, several

    def add(self, frame: Frame, found: Detections) -> None:
        """See lib.outputs; frames of videos are too many to be printed."""
        if frame.source.video is not None:
            return
        if frame.orientation > 1:
            logger.info('%s is turned as its EXIF orientation %d says, as viewers show it', frame.source.path,
                        frame.orientation)
        if self._several:
            print(printable(frame.source.path))
        for warning in report_found(self._config, frame.pixels.shape[1::-1], found.box):
            logger.warning('%s: %s', frame.source.path, warning)
        print(detection_table(found, self._classes, self._score), flush=True)

    def close(self) -> None:
        """Nothing is left to print."""


def detection_table(detections: Detections, classes: Sequence[str], score_thresh: float) -> str:
    """Aligned lines 'class score x1 y1 x2 y2', original pixels, best first."""
    shown = detections.take(detections.score >= score_thresh)
    if not len(shown):
        return f'no detection with a score of {score_thresh} or more (--min_score, key TEST.VIS_THRESH)'
    names = [class_name(classes, label) for label in shown.label.tolist()]
    width = max(map(len, ['class'] + names))
    lines = [f'{"class":<{width}}  score      x1      y1      x2      y2']
    for row in sorted(range(len(shown)), key=lambda row: (-shown.score[row], shown.label[row])):
        x1, y1, x2, y2 = shown.box[row].tolist()
        lines.append(f'{names[row]:<{width}}  {shown.score[row]:.3f} {x1:7.1f} {y1:7.1f} {x2:7.1f} {y2:7.1f}')
    return '\n'.join(lines)
