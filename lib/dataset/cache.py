"""Records of a data set kept in a file, so that a large annotation file is parsed once.

    <dataset.root_path>/cache/<data set>_<place>_roidb.bin       (lib.utils.npz; <place>: digest of the file's path)

It holds the hash of the annotation file that it was made from, and is made anew when that, the folder or the format is
another, or when it is damaged. Processes that write it at the same time do not disturb each other.
"""
import hashlib
import logging
import os

from lib.utils.npz import DamagedFile, read_arrays, write_arrays
from lib.dataset.compact import CompactRoidb
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

FORMAT = 1  # raise it when the meaning of the file, or what a loader makes of annotations, changes
WORTHWHILE = 5000000  # bytes of an annotation file; smaller ones are parsed in a fraction of a second
_BLOCK = 1 << 22


class RoidbCache:
    """The file of one data set. `classes` and `roidb` are None until `load` has succeeded.

    root_path: configuration dataset.root_path; name: of the data set; annotation_path: the file to be parsed;
    options: whatever else the records depend on, JSON-able.
    """

    def __init__(self, root_path, name, annotation_path, options=None):
        place = hashlib.sha256(os.path.abspath(annotation_path).encode('utf-8', 'surrogateescape')).hexdigest()[:8]
        self.path = os.path.join(root_path, 'cache', f'{name}_{place}_roidb.bin')
        self.classes, self.roidb = None, None
        self._annotation_path = annotation_path
        self._options = options
        self._key = None

    def load(self):
        """-> True if the file fits: then `classes` and `roidb` are set. A log line says what was found."""
        if not self._worthwhile():
            return False
        key = self._current_key()  # before anything is parsed, so that it is never newer than what is stored under it
        if not os.path.isfile(self.path):
            return False
        try:
            facts, columns = read_arrays(self.path)
            if facts.get('key') != key:
                logger.info('%s was made from other annotations: it is made anew', self.path)
                return False
            roidb = CompactRoidb(columns)
            if len(roidb) and not os.path.isfile(roidb.path(0)):
                logger.info('%s names images that are not there: it is made anew', self.path)
                return False
            self.classes, self.roidb = tuple(facts['classes']), roidb
        except (DamagedFile, KeyError) as error:
            logger.warning('%s is damaged (%s): it is made anew', self.path, error)
            return False
        except OSError as error:
            logger.warning('%s cannot be read (%s): the annotations are parsed', self.path, error)
            return False
        logger.info('%d records read from %s', len(roidb), self.path)
        return True

    def store(self, classes, roidb):
        """Write the file, if that is worthwhile and possible."""
        if not self._worthwhile():
            return
        try:
            write_arrays(self.path, {'key': self._current_key(), 'classes': list(classes)}, roidb.columns)
            logger.info('%d records written to %s', len(roidb), self.path)
        except (SniperError, OSError) as error:
            logger.warning('%s: the annotations will be parsed again next time', error)

    def _worthwhile(self):
        return os.path.getsize(self._annotation_path) >= WORTHWHILE

    def _current_key(self):
        """What the records depend on. The hash is of the whole file: times and sizes do not tell all changes."""
        if self._key is None:
            digest = hashlib.sha256()
            with open(self._annotation_path, 'rb') as stream:
                for block in iter(lambda: stream.read(_BLOCK), b''):
                    digest.update(block)
            self._key = {'format': FORMAT, 'annotations': digest.hexdigest(), 'options': self._options}
        return self._key
