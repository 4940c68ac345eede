"""A table of comma-separated values (RFC 4180), a line a detection."""
import csv
import io
from typing import List, Sequence

from lib.bbox.detections import Detections
from lib.image.sources import Frame
from lib.outputs.boxes import edges
from lib.utils.files import check_writable, write_file
from lib.visualization import class_name

COLUMNS = ('image', 'frame', 'seconds', 'class', 'score', 'xmin', 'ymin', 'xmax', 'ymax', 'width', 'height')
# What spreadsheets would run: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ('=', '+', '-', '@', '\t', '\r')


class CsvFile:
    """Columns: image (path as given), frame and seconds of videos, class, score, the edges of the box in pixels
    (xmax - xmin is its width), and the size of the picture. A text that begins like a formula gets an apostrophe before
    it."""

    def __init__(self, path: str, classes: Sequence[str]):
        """SniperError if `path` cannot be written."""
        check_writable(path)
        self._path, self._classes = path, classes
        self._rows: List[str] = [_line(COLUMNS)]

    def add(self, frame: Frame, found: Detections) -> None:
        """See lib.outputs."""
        height, width = frame.pixels.shape[:2]
        of_video = frame.source.video is not None
        place = [frame.number, f'{frame.seconds:.3f}'] if of_video else ['', '']
        for label, score, box in zip(found.label.tolist(), found.score.tolist(), edges(found.box).tolist()):
            self._rows.append(_line([_text(frame.source.path), *place, _text(class_name(self._classes, label)),
                                     f'{score:.4f}', *(f'{value:.1f}' for value in box), width, height]))

    def close(self) -> None:
        """Write the file, in UTF-8; names of files that are none stay as they are."""
        write_file(self._path, ''.join(self._rows).encode('utf-8', 'surrogateescape'))


def _text(text):
    return f"'{text}" if text.startswith(FORMULA) else text


def _line(values):
    stream = io.StringIO()
    csv.writer(stream, lineterminator='\n').writerow(values)
    return stream.getvalue()
