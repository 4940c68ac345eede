"""Records of a data set kept in a file, so that a large annotation file is parsed once.

    <dataset.root_path>/cache/<data set>_<place>_roidb.npz       (lib.utils.npz; <place>: digest of the file's path)

It holds the columns of a CompactRoidb, the `classes`, what was `said` about the annotations (JSON), and the hash of the
annotation file that it was made from; it is made anew when that, the options or the format is another, or when it is
damaged. Processes that write it at the same time do not disturb each other.
"""
import copy
import hashlib
import json
import logging
import os

import numpy as np

from lib.dataset.compact import CompactRoidb
from lib.utils.errors import SniperError
from lib.utils.npz import DamagedFile, StaleFile, file_digest, read_npz, write_npz

logger = logging.getLogger(__name__)

_ENDING = '_roidb.npz'
FORMAT = 4  # raise it when the meaning of the file, or what a loader makes of annotations, changes
WORTHWHILE = 5000000  # bytes of an annotation file; smaller ones are parsed in a fraction of a second
MEND = 'it is made anew'


class RoidbCache:
    """The file of one data set. `classes` and `roidb` are None until `load` has succeeded, `notes` and `not_trained`
    (lib.dataset.base) are empty.

    root_path: configuration dataset.root_path; name: of the data set; annotation_path: the file to be parsed;
    options: whatever else the records depend on, JSON-able. state: text that changes with the annotations, where these
    are too many files to be read for it; annotation_path is their folder then, and caching them is always worthwhile.
    """

    def __init__(self, root_path, name, annotation_path, options=None, state=''):
        place = hashlib.sha256(os.path.abspath(annotation_path).encode('utf-8', 'surrogateescape')).hexdigest()[:8]
        self.path = os.path.join(root_path, 'cache', f'{name}_{place}{_ENDING}')
        self.classes, self.roidb = None, None
        self.notes, self.not_trained = [], {}
        self._annotation_path = annotation_path
        self._options = options
        self._state = state
        self._origin, self._loaded = None, None

    def of(self, ignored: str) -> 'RoidbCache':
        """The file of the records that Dataset.roidb(ignored) makes; '' is this one."""
        if not ignored:
            return self
        other = copy.copy(self)
        other.path = f'{self.path[:-len(_ENDING)]}_{ignored}{_ENDING}'
        other.classes, other.roidb, other._loaded = None, None, None
        return other

    def load(self) -> bool:
        """-> True if the file fits: then `classes` and `roidb` are set. A log line says what was found; once."""
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def _load(self):
        if not self._worthwhile():
            return False
        origin = self._current_origin()  # before anything is parsed, so that it is never newer than what is stored
        if not os.path.isfile(self.path):
            return False
        try:
            columns, _ = read_npz(self.path, origin, MEND)
            classes = tuple(columns.pop('classes').tolist())
            notes, not_trained = json.loads(str(columns.pop('said')))
            roidb = CompactRoidb(columns)
        except StaleFile as error:
            logger.info('%s', error)
            return False
        except DamagedFile as error:
            logger.warning('%s', error)
            return False
        except KeyError as error:
            logger.warning('%s is damaged (it lacks %s): %s', self.path, error, MEND)
            return False
        except OSError as error:
            logger.warning('%s cannot be read (%s): the annotations are parsed', self.path, error)
            return False
        if len(roidb) and not self._state and not os.path.isfile(roidb.path(0)):
            logger.info('%s names images that are not there: %s', self.path, MEND)
            return False
        self.classes, self.roidb, self.notes, self.not_trained = classes, roidb, notes, not_trained
        logger.info('%d records read from %s', len(roidb), self.path)
        return True

    def store(self, classes, roidb, notes, not_trained):
        """Write the file, if that is worthwhile and possible; notes: lines that are said whenever it is read."""
        if not self._worthwhile():
            return
        try:
            write_npz(self.path, dict(roidb.columns, classes=np.array(classes, np.str_),
                                      said=np.array(json.dumps([notes, not_trained]))), self._current_origin())
            logger.info('%d records written to %s', len(roidb), self.path)
        except (SniperError, OSError) as error:
            logger.warning('%s: the annotations will be parsed again next time', error)

    def _worthwhile(self):
        return bool(self._state) or os.path.getsize(self._annotation_path) >= WORTHWHILE

    def _current_origin(self):
        """What the records depend on. The hash is of the whole file: times and sizes do not tell all changes."""
        if self._origin is None:
            self._origin = {'format': FORMAT, 'annotations': self._state or file_digest(self._annotation_path),
                            'options': self._options}
        return self._origin
