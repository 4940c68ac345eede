"""Detections on disk: one file a scale and one of the final ones, with what they were made from.

Plain arrays in NumPy's .npz format, read without pickle. A file is complete or absent.
"""
import hashlib
import json
import logging
import os
import zipfile

import numpy as np

from configs import values_affecting
from lib.utils.files import publish, remove_stale_temporaries, write_temporary
from lib.bbox.detections import Detections
from lib.inference.scale import ScaleResult, makes_chips, scale_name

logger = logging.getLogger(__name__)

COLUMNS = 6  # of a detection row
FORMAT = 2  # raise it when the meaning of a file changes


class DetectionStore:
    """Detection files of one run under the folder `root`.

    root/dets_scale_<a>x<b>/detections.npz: rows (N, 6) x1 y1 x2 y2 score class; rows_per_crop; crops_per_image;
      network_pixels, see ScaleResult
    root/maps_scale_<a>x<b>/maps.npz: values (N,) of the focus maps, one after another; shapes (crops, 2) rows, columns;
      only where the next scale runs on chips
    root/masks_scale_<a>x<b>/masks.npz: codes, all run-length codes as bytes, one after another; lengths (N,) of them, 0
      where a row has no mask; only with TEST.WITH_MASK
    root/dets_final/detections.npz: rows (N, 6); rows_per_image; image_ids (text); classes (names); with masks codes and
      lengths (N,) and image_sizes (images, 2) height, width
    weights_digest: text that changes with the weights.
    """

    def __init__(self, root, config, roidb, weights_digest):
        self.root = root
        self._config = config
        self._roidb = roidb
        self._weights = weights_digest
        self._images = None

    def scale_path(self, index):
        """File of scale `index`."""
        return os.path.join(self.root, 'dets_scale_' + scale_name(self._config, index), 'detections.npz')

    def maps_path(self, index):
        """File of the focus maps of scale `index`."""
        return os.path.join(self.root, 'maps_scale_' + scale_name(self._config, index), 'maps.npz')

    def masks_path(self, index):
        """File of the masks of scale `index`."""
        return os.path.join(self.root, 'masks_scale_' + scale_name(self._config, index), 'masks.npz')

    @property
    def final_path(self):
        """File of the final detections."""
        return os.path.join(self.root, 'dets_final', 'detections.npz')

    def save_scale(self, index, result):
        """ScaleResult of scale `index`."""
        origin, found = self.origin(index, result.crops), result.detections
        self._write(self.scale_path(index), origin, rows=rows_of(found),
                    rows_per_crop=np.bincount(found.image, minlength=int(result.counts.sum())),
                    crops_per_image=result.counts, network_pixels=np.array(result.network_pixels))
        if result.maps is not None:
            self._write(self.maps_path(index), origin,
                        values=np.concatenate([np.zeros(0, np.float32)] + [array.ravel() for array in result.maps]),
                        shapes=np.array([array.shape for array in result.maps], np.int64).reshape(-1, 2))
        if found.mask is not None:
            self._write(self.masks_path(index), dict(origin, masks=self._choice(index)), **pack_codes(found.mask))

    def load_scale(self, index, crops):
        """What save_scale wrote, as a ScaleResult with `crops`, or None if a file is missing, damaged, or of other
        weights, configuration, images or crops; why is logged.
        """
        origin = self.origin(index, crops)
        content = self._read(self.scale_path(index), origin, _rows_fit)
        if content is None:
            return None
        windows = np.repeat(np.arange(len(content['rows_per_crop'])), content['rows_per_crop'])
        maps = None
        if makes_chips(self._config, index):
            found = self._read(self.maps_path(index), origin, _maps_fit)
            if found is None:
                return None
            ends = np.cumsum(found['shapes'].prod(axis=1))
            maps = [values.reshape(shape)
                    for values, shape in zip(np.split(found['values'], ends[:-1]), found['shapes'])]
        masks = None
        if self._config.TEST.WITH_MASK:
            found = self._read(self.masks_path(index), dict(origin, masks=self._choice(index)),
                               lambda file: _codes_fit(file, len(content['rows'])))
            if found is None:
                return None
            masks = unpack_codes(found)
        return ScaleResult(crops, Detections.from_rows(windows, content['rows'], mask=masks), maps,
                           int(content['network_pixels']))

    def _choice(self, index):
        """Digest of what decides which detections of a scale get masks."""
        return digest(values_affecting(self._config, 'pyramid', scale=index))

    def save_final(self, detections, classes):
        """The detections of all images, image by image; classes: names."""
        more = {}
        if detections.mask is not None:
            more = pack_codes(detections.mask)
            more['image_sizes'] = np.array([(entry['height'], entry['width']) for entry in self._roidb],
                                           np.int64).reshape(-1, 2)
        self._write(self.final_path, self.origin(None), rows=rows_of(detections),
                    rows_per_image=np.bincount(detections.image, minlength=len(self._roidb)),
                    image_ids=np.array([str(entry['image_id']) for entry in self._roidb], dtype=np.str_),
                    classes=np.array(classes, dtype=np.str_), **more)

    def origin(self, index, crops=None):
        """What the detections of scale `index` (None: of all) depend on: name -> digest or number.

        crops: of a scale that runs on chips; those of others are whole images, whatever is given.
        """
        keys = (values_affecting(self._config, 'detections') if index is None else
                values_affecting(self._config, 'detections', without=('pyramid',), scale=index))
        if index is not None:
            del keys['TEST.WITH_MASK']  # rows are the same with masks, which are a file of their own
        on_chips = index is not None and self._config.TEST.DO_PRUNING[index]
        if self._images is None:
            self._images = digest([identity(entry) for entry in self._roidb])
        return {'format': FORMAT, 'weights': self._weights, 'configuration': digest(keys), 'images': self._images,
                'chips': digest(crops) if on_chips else ''}

    @staticmethod
    def _write(path, origin, **arrays):
        text = np.array(json.dumps(origin, sort_keys=True))
        temporary, _ = write_temporary(path, lambda stream: np.savez(stream, origin=text, **arrays))
        publish(temporary, path)
        remove_stale_temporaries(os.path.dirname(path))

    @staticmethod
    def _read(path, origin, fits):
        try:
            with np.load(path, allow_pickle=False) as file:
                content = {name: file[name] for name in file.files}
            made_from = json.loads(str(content['origin']))
            different = [name for name in origin if made_from.get(name) != origin[name]]
            whole = fits(content)
        except FileNotFoundError:
            logger.warning('%s does not exist: the scale is run', path)
            return None
        except (OSError, EOFError, ValueError, KeyError, AttributeError, zipfile.BadZipFile) as error:
            logger.warning('%s is damaged (%s): the scale is run again', path, error)
            return None
        if different or not whole:
            logger.warning('%s was made from other %s: the scale is run again', path,
                           ' and '.join(different) or 'data')
            return None
        return content


def _rows_fit(content):
    """Whether the counts of a file of detections are those of its rows."""
    return (content['rows'].shape == (content['rows_per_crop'].sum(), COLUMNS)
            and len(content['rows_per_crop']) == content['crops_per_image'].sum())


def _maps_fit(content):
    return content['shapes'].ndim == 2 and content['values'].shape == (content['shapes'].prod(axis=1).sum(),)


def _codes_fit(content, rows):
    lengths = content['lengths']
    return lengths.shape == (rows,) and (lengths >= 0).all() and content['codes'].shape == (lengths.sum(),)


def pack_codes(codes):
    """Masks, a list of bytes -> arrays by name."""
    return {'codes': np.frombuffer(b''.join(codes), np.uint8), 'lengths': lengths_of(codes)}


def unpack_codes(content):
    """The inverse of pack_codes."""
    text, ends = content['codes'].tobytes(), np.cumsum(content['lengths']).tolist()
    return [text[first:end] for first, end in zip([0] + ends[:-1], ends)]


def rows_of(detections):
    """(n, 6) float32: x1, y1, x2, y2, score, class."""
    return np.column_stack([detections.box, detections.score, detections.label]).astype(np.float32).reshape(-1, COLUMNS)


def lengths_of(items):
    """(n,) int64."""
    return np.array([len(item) for item in items], np.int64)


def result_root(config):
    """Folder of detection, proposal and result files: output_path, or `<root_path>/cache` where that is empty."""
    return config.output_path or os.path.join(config.dataset.root_path, 'cache')


def identity(entry):
    """Names an image file and its content well enough to notice a change."""
    try:
        size = os.stat(entry['image']).st_size
    except OSError:
        size = -1
    return [str(entry['image_id']), str(entry['image']), float(entry['width']), float(entry['height']), size]


def digest(value):
    """SHA-256 of nested lists, dicts, numbers, texts and arrays."""
    text = json.dumps(value, sort_keys=True, default=lambda array: np.asarray(array).tolist())
    return hashlib.sha256(text.encode('utf-8')).hexdigest()
