"""What is to be said of images that were read, or could not be: a line a kind, not one an image."""
import logging
import os
from typing import Any, Dict, NamedTuple

logger = logging.getLogger(__name__)

UNREADABLE, SIZE, ORIENTATION, DEPTH, END = 'unreadable', 'size', 'orientation', 'depth', 'end'
NAMED = 5   # images that a line names
SHOWN = 20  # images that cannot be read, each with its reason
_OF_SEVERAL = {SIZE: 'images are not of the size that their annotation says',
               ORIENTATION: 'images are to be shown turned or mirrored, which their annotated size does not tell',
               DEPTH: 'images of 16 bits a sample use a part of the range only',
               END: 'images lack the mark of their end, with all pixels there'}


class Notice(NamedTuple):
    """Something to be said of an image."""

    kind: str
    path: str
    text: str           # a whole line that names the image and the mend
    detail: str = ''    # the figure, for a line of several images


class ImageNotices:
    """Collects notices and logs them as warnings: the first of a kind at once, the others by `summary`.

    unreadable: {path: why} of the images that cannot be read; the first of them are logged as they come.
    """

    def __init__(self):
        self.unreadable: Dict[str, str] = {}
        self._known: Dict[str, Dict[str, str]] = {}     # kind -> path -> detail
        self._told: Dict[str, int] = {}                 # kind -> how many of them were logged or counted

    def add(self, notice: Notice) -> None:
        """What was said of this image before is not said again."""
        if notice.kind == UNREADABLE:
            self.add_unreadable(notice.path, notice.text)
            return
        known = self._known.setdefault(notice.kind, {})
        if notice.path not in known:
            known[notice.path] = notice.detail
            if len(known) == 1:
                logger.warning('%s', notice.text)
                self._told[notice.kind] = 1

    def add_unreadable(self, path: str, reason: str) -> None:
        """An image that has no detections, as it cannot be read."""
        if path in self.unreadable:
            return
        self.unreadable[path] = reason
        if len(self.unreadable) <= SHOWN:
            logger.warning('%s (no detections there)', reason)
        if len(self.unreadable) == SHOWN:
            logger.warning('further images that cannot be read are counted only')

    def summary(self) -> None:
        """A line for every kind that has met more images than were told of before."""
        for kind, known in self._known.items():
            if len(known) > self._told[kind]:
                self._told[kind] = len(known)
                logger.warning('%d %s: %s', len(known), _OF_SEVERAL[kind], _named(known))


def _named(known: Dict[str, Any]) -> str:
    first = [f'{os.path.basename(path)} ({detail})' if detail else os.path.basename(path)
             for path, detail in list(known.items())[:NAMED]]
    return ', '.join(first) + (', ...' if len(known) > NAMED else '')
