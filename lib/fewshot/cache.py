"""Features and objects on disk, by the content of the picture file and what else they depend on.

A picture is known by the SHA-256 of its file: one that changes is looked at anew, alone; one that is moved is not.
Files are lib.utils.npz, which trusts nothing of what it reads; what is damaged or of another network is made anew.
"""
import logging
import os
from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from lib.bbox.detections import Detections
from lib.utils.npz import DamagedFile, StaleFile, digest, read_npz, write_npz

logger = logging.getLogger(__name__)

MEND = 'it is made anew'


class FeatureCache:
    """Features of whole pictures in `<folder>/features-<digits>.npz`: digests (n,) text, features (n, V, D) float32.

    origin: FeatureNetwork.origin(). Another origin has another file.
    """

    def __init__(self, folder: str, origin: dict):
        self.path = os.path.join(folder, f'features-{digest(origin)[:16]}.npz')
        self._origin, self._changed = origin, False
        self._known: Dict[str, np.ndarray] = self._load()

    def get(self, picture: str) -> Optional[np.ndarray]:
        """(V, D) of a picture by its digest; None if it is not known."""
        return self._known.get(picture)

    def add(self, pictures: Sequence[str], features: np.ndarray) -> None:
        """Features (n, V, D) of pictures by their digests."""
        self._known.update(zip(pictures, features))
        self._changed = self._changed or bool(len(pictures))

    def save(self) -> None:
        """Write what was added."""
        if self._changed:
            write_npz(self.path, {'digests': np.array(list(self._known), np.str_),
                                  'features': np.stack(list(self._known.values()))}, self._origin)
            self._changed = False

    def _load(self):
        arrays = _read(self.path, self._origin)
        digests, features = (arrays.get(name, np.zeros(0)) for name in ('digests', 'features'))
        if features.ndim != 3 or features.dtype != np.float32 or digests.shape != features.shape[:1] or (
                digests.dtype.kind != 'U' or not np.isfinite(features).all()):
            if arrays:
                logger.warning('%s holds no features: %s', self.path, MEND)
            return {}
        return dict(zip(digests.tolist(), features))


class ObjectCache:
    """Objects of pictures, a file `<folder>/objects/<digits>.npz` each. origin: FeatureNetwork.objects_origin()."""

    def __init__(self, folder: str, origin: dict):
        self._folder, self._origin = os.path.join(folder, 'objects'), origin

    def get(self, picture: str) -> Optional[Tuple[Detections, np.ndarray]]:
        """(objects, features (n, D)) of a picture by its digest; None if they are not known."""
        arrays = _read(self._path(picture), dict(self._origin, picture=picture))
        rows, features = arrays.get('rows', np.zeros(0)), arrays.get('features', np.zeros(0))
        if rows.ndim != 2 or features.ndim != 2 or rows.shape[1] != 5 or len(rows) != len(features) or (
                rows.dtype != np.float32 or features.dtype != np.float32
                or not (np.isfinite(rows).all() and np.isfinite(features).all())):
            return None
        return Detections.from_rows(0, rows, 0), features

    def put(self, picture: str, objects: Detections, features: np.ndarray) -> None:
        """Write them."""
        write_npz(self._path(picture), {'rows': objects.rows(), 'features': features},
                  dict(self._origin, picture=picture))

    def _path(self, picture):
        return os.path.join(self._folder, f'{digest([picture, self._origin])[:32]}.npz')


def _read(path, origin):
    """{name: array} of a file; {} if there is none that fits."""
    try:
        return read_npz(path, origin, MEND)[0]
    except (DamagedFile, StaleFile) as error:
        logger.warning('%s', error)
    except OSError:
        pass
    return {}
