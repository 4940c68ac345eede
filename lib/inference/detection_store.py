"""Detections on disk, with what they were made from: one file a scale and one of the final ones (lib.utils.npz)."""
import logging
import os

import numpy as np

from configs import values_affecting
from lib.bbox.detections import Detections
from lib.inference.scale import ScaleResult, makes_chips, runs_on_chips, scale_name
from lib.inference.unreadable import why_unreadable
from lib.tasks import get_task
from lib.utils.npz import DamagedFile, StaleFile, digest, read_npz, write_npz

logger = logging.getLogger(__name__)

FORMAT = 4   # raise it when the meaning of a file changes
COLUMNS = 6  # of a row: x1 y1 x2 y2 score class
MEND = 'the scale is run again'


class DetectionStore:
    """Detection files of one test under the folder `root` (lib.weights.paths.results_folder).

    root/dets_scale_<a>x<b>/detections.npz: rows (N, 6) x1 y1 x2 y2 score class; rows_per_crop; crops_per_image;
      network_pixels, see ScaleResult; unreadable (k,) numbers of images that could not be read
    root/maps_scale_<a>x<b>/maps.npz: values (N,) of the focus maps, one after another; shapes (crops, 2) rows, columns;
      only where the next scale runs on chips
    root/masks_scale_<a>x<b>/masks.npz: codes, all run-length codes as bytes, one after another; lengths (N,) of them, 0
      where a row has no mask; only with TEST.WITH_MASK
    root/dets_final/detections.npz: rows (N, 6); rows_per_image; image_ids (text); classes (names); with masks codes and
      lengths (N,) and image_sizes (images, 2) height, width
    weights_digest: text that changes with the weights. final_root: in place of root for the final ones, where several
    tests share it (lib.inference.results).
    """

    def __init__(self, root, config, roidb, weights_digest):
        self.root = self.final_root = root
        self._config = config
        self._roidb = roidb
        self._weights = weights_digest
        self._images = None

    def scale_path(self, index):
        """File of scale `index`."""
        return self._path('dets_scale_' + scale_name(self._config, index), 'detections.npz')

    def maps_path(self, index):
        """File of the focus maps of scale `index`."""
        return self._path('maps_scale_' + scale_name(self._config, index), 'maps.npz')

    def masks_path(self, index):
        """File of the masks of scale `index`."""
        return self._path('masks_scale_' + scale_name(self._config, index), 'masks.npz')

    @property
    def final_path(self):
        """File of the final detections."""
        return os.path.join(self.final_root, 'dets_final', 'detections.npz')

    def _path(self, folder, name):
        return os.path.join(self.root, folder, name)

    def save_scale(self, index, result, unreadable=()):
        """ScaleResult of scale `index`; unreadable: numbers of the images that could not be read."""
        origin, found = self.origin(index, result.crops), result.detections
        write_npz(self.scale_path(index), {
            'rows': rows_of(found), 'rows_per_crop': np.bincount(found.image, minlength=int(result.counts.sum())),
            'crops_per_image': result.counts, 'network_pixels': np.array(result.network_pixels),
            'unreadable': np.array(unreadable, np.int64)}, origin)
        if result.maps is not None:
            write_npz(self.maps_path(index), {
                'values': np.concatenate([np.zeros(0, np.float32)] + [array.ravel() for array in result.maps]),
                'shapes': np.array([array.shape for array in result.maps], np.int64).reshape(-1, 2)}, origin)
        if found.mask is not None:
            write_npz(self.masks_path(index), pack_codes(found.mask), self._masks_origin(index, origin))

    def load_scale(self, index, crops, notices=None):
        """What save_scale wrote, as a ScaleResult with `crops`, or None if a file is missing, damaged, of other
        weights, configuration, images or crops, or if it lacks an image that can be read by now; why is logged.

        notices: ImageNotices that is told of the images that cannot.
        """
        origin = self.origin(index, crops)
        content = _read(self.scale_path(index), origin, _rows_fit)
        if content is None or not self._still_unreadable(index, content['unreadable'].tolist(), notices):
            return None
        windows = np.repeat(np.arange(len(content['rows_per_crop'])), content['rows_per_crop'])
        maps = masks = None
        if makes_chips(self._config, index):
            found = _read(self.maps_path(index), origin, _maps_fit)
            if found is None:
                return None
            ends = np.cumsum(found['shapes'].prod(axis=1))
            maps = [values.reshape(shape)
                    for values, shape in zip(np.split(found['values'], ends[:-1]), found['shapes'])]
        if self._config.TEST.WITH_MASK:
            found = _read(self.masks_path(index), self._masks_origin(index, origin),
                          lambda file: _codes_fit(file, len(windows)))
            if found is None:
                return None
            masks = unpack_codes(found)
        return ScaleResult(crops, Detections.from_rows(windows, content['rows'], mask=masks), maps,
                           int(content['network_pixels']))

    def _still_unreadable(self, index, numbers, notices):
        """Whether none of these images can be read by now."""
        entries = [self._roidb[number] for number in numbers]
        reasons = [why_unreadable(entry) for entry in entries]
        if None in reasons:
            logger.warning('%s was made when %s could not be read: %s', self.scale_path(index),
                           entries[reasons.index(None)]['image'], MEND)
            return False
        for entry, reason in zip(entries, reasons):
            if notices is not None:
                notices.add_unreadable(entry['image'], reason)
        return True

    def save_final(self, detections, classes):
        """The detections of all images, image by image; classes: names."""
        arrays = {'rows': rows_of(detections),
                  'rows_per_image': np.bincount(detections.image, minlength=len(self._roidb)),
                  'image_ids': np.array([str(entry['image_id']) for entry in self._roidb], dtype=np.str_),
                  'classes': np.array(classes, dtype=np.str_)}
        if detections.mask is not None:
            arrays.update(pack_codes(detections.mask))
            arrays['image_sizes'] = np.array([(entry['height'], entry['width']) for entry in self._roidb],
                                             np.int64).reshape(-1, 2)
        write_npz(self.final_path, arrays, self.origin())

    def origin(self, index=None, crops=None):
        """What the final detections, or those of scale `index` in the windows `crops`, depend on: name -> value or
        digest. Windows of a scale that does not run on chips are whole images, whatever is given.
        """
        if self._images is None:
            self._images = images_digest(self._roidb)
        made_from = {'format': FORMAT, 'weights': self._weights, 'images': self._images}
        if index is None:
            return dict(made_from, **values_affecting(self._config, 'detections'))
        task = get_task(self._config, 'test')
        own = task.at_scale(index)      # a graph may depend on what the other scales are
        config, place = (self._config, index) if own is task else (own.config, 0)
        keys = values_affecting(config, 'detections', without=('pyramid',), scale=place)
        del keys['TEST.WITH_MASK']  # rows are the same with masks, which are a file of their own
        return dict(made_from, **keys, chips=digest(crops) if runs_on_chips(self._config, index) else '')

    def _masks_origin(self, index, origin):
        """Also what decides which detections of the scale get masks."""
        return dict(origin, masks=values_affecting(self._config, 'detections', among='pyramid', scale=index))


def _read(path, origin, fits):
    """Arrays of a file, None if it is not of this origin or `fits(arrays)` is False."""
    try:
        content, _ = read_npz(path, origin, MEND)
        if not fits(content):
            raise DamagedFile(path, 'the sizes of its arrays do not fit together', MEND)
        return content
    except KeyError as error:
        logger.warning('%s is damaged (it lacks %s): %s', path, error, MEND)
    except (StaleFile, DamagedFile) as error:
        logger.warning('%s', error)
    except FileNotFoundError:
        logger.warning('%s does not exist: the scale is run', path)
    except OSError as error:
        logger.warning('%s cannot be read (%s): %s', path, error.strerror or error, MEND)
    return None


def _rows_fit(content):
    """Whether the counts of a file of detections are those of its rows."""
    counts = content['rows_per_crop']
    return (content['rows'].shape == (counts.sum(), COLUMNS) and counts.min(initial=0) >= 0
            and len(counts) == content['crops_per_image'].sum() and content['unreadable'].ndim == 1
            and content['unreadable'].min(initial=0) >= 0
            and content['unreadable'].max(initial=0) < len(content['crops_per_image']))


def _maps_fit(content):
    return content['shapes'].ndim == 2 and content['values'].shape == (content['shapes'].prod(axis=1).sum(),)


def _codes_fit(content, rows):
    lengths = content['lengths']
    return lengths.shape == (rows,) and (lengths >= 0).all() and content['codes'].shape == (lengths.sum(),)


def pack_codes(codes):
    """Masks, a list of bytes -> arrays by name."""
    return {'codes': np.frombuffer(b''.join(codes), np.uint8),
            'lengths': np.array([len(code) for code in codes], np.int64)}


def unpack_codes(content):
    """The inverse of pack_codes."""
    text, ends = content['codes'].tobytes(), np.cumsum(content['lengths']).tolist()
    return [text[first:end] for first, end in zip([0] + ends[:-1], ends)]


def rows_of(detections):
    """(n, 6) float32: x1, y1, x2, y2, score, class."""
    return np.column_stack([detections.box, detections.score, detections.label]).astype(np.float32).reshape(-1, COLUMNS)


def images_digest(roidb):
    """Changes with the images of a roidb: their ids, file names, sizes in pixels and in bytes.

    Not with their folder, which may be another one on another machine.
    """
    return digest([[str(entry['image_id']), os.path.basename(str(entry['image'])), float(entry['width']),
                    float(entry['height']), _size(entry['image'])] for entry in roidb])


def _size(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return -1
