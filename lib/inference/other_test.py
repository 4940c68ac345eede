"""The results of an earlier test, to set beside those of this one: detections, and what its own report kept of it."""
import glob
import json
import logging
import os
from typing import Any, Dict, NamedTuple

import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.class_names import match_classes, named
from lib.utils.errors import SniperError
from lib.utils.files import text_writer
from lib.utils.npz import DamagedFile, read_npz
from lib.weights.paths import read_json

logger = logging.getLogger(__name__)

FINAL = os.path.join('dets_final', 'detections.npz')
KEPT = 'report.json'
LARGEST = 1 << 20   # bytes of it
COUNTS = ('windows', 'pixels', 'full', 'network')   # of a scale
MEND = 'give a folder of results that main_test.py has written'


class OtherTest(NamedTuple):
    """folder: of the results; detections with the images and labels of this test; kept: see load_kept."""

    folder: str
    detections: Detections
    kept: Dict[str, Any]


def find_results(path: str) -> str:
    """What --compare names, a folder of results, a file in it, or the folder of a training with the results of one
    test -> the folder of results. SniperError if there are none, or several."""
    below = os.path.dirname(path) if os.path.isfile(path) or os.path.basename(path) == 'dets_final' else path
    below = os.path.dirname(below) if os.path.basename(below) == 'dets_final' else below
    if os.path.isfile(os.path.join(below, FINAL)):
        return below
    found = sorted(glob.glob(os.path.join(glob.escape(path), 'results', '*', '*', FINAL)))
    folders = [os.path.dirname(os.path.dirname(file)) for file in found]
    if len(folders) == 1:
        return folders[0]
    if folders:
        raise SniperError(f'--compare {path}: there are the results of {len(folders)} tests, say which: '
                          f'{named(folders)}')
    raise SniperError(f'--compare {path}: there are no detections ({os.path.join(below, FINAL)} is missing): {MEND}, '
                      '.../results/<data set>/<checkpoint>')


def load_other(folder: str, roidb, classes) -> OtherTest:
    """The test in a folder of results, on the images and classes of this one. SniperError if it lacks some of them."""
    path = os.path.join(folder, FINAL)
    try:
        content, _ = read_npz(path, mend=MEND)
        rows, counts = content['rows'], content['rows_per_image']
        if not _fits(rows, counts, content['image_ids'], content['classes']):
            raise DamagedFile(path, 'the sizes of its arrays do not fit together', MEND)
        ids, names = ([str(value) for value in content[name].tolist()] for name in ('image_ids', 'classes'))
    except (OSError, KeyError) as error:
        raise DamagedFile(path, error, MEND) from None
    places = {image_id: place for place, image_id in enumerate(ids)}
    wanted = [str(entry['image_id']) for entry in roidb]
    missing = [image_id for image_id in wanted if image_id not in places]
    if missing:
        raise SniperError(f'{path} is of other images: {len(missing)} of the {len(wanted)} of this test are not among '
                          f'its {len(ids)} ({named(missing)})')
    match = match_classes(tuple(classes), tuple(names))
    if match.unknown:
        logger.warning('%s does not have %d of the classes: %s', path, len(match.unknown), named(match.unknown))
    images, labels = np.full(len(ids), -1), np.zeros(len(names), np.int64)
    images[[places[image_id] for image_id in wanted]] = np.arange(len(wanted))
    for label, known in enumerate(match.labels):
        if known >= 0:
            labels[known] = label
    found = Detections.from_rows(np.repeat(images, counts), rows)
    found = found.replace(label=labels[found.label])
    return OtherTest(folder, found.take((found.image >= 0) & (found.label > 0)), load_kept(folder))


def _fits(rows, counts, ids, names):
    """Whether arrays are what a DetectionStore writes."""
    return (rows.ndim == 2 and rows.shape[1] == 6 and rows.dtype.kind == 'f' and counts.dtype.kind in 'iu' and
            ids.ndim == names.ndim == 1 and counts.shape == ids.shape and counts.min(initial=0) >= 0 and
            counts.max(initial=0) <= len(rows) and counts.sum() == len(rows) and np.isfinite(rows).all() and
            len(set(map(str, ids.tolist()))) == len(ids) and
            (not len(rows) or 0 <= rows[:, 5].min() <= rows[:, 5].max() < len(names)))


def keep(folder: str, run) -> None:
    """Write what another report wants to know of a run (lib.visualization.report.Run) to `report.json`."""
    with text_writer(os.path.join(folder, KEPT)) as stream:
        json.dump({'seconds': dict(run.seconds), 'scales': [dict(scale) for scale in run.scales],
                   'facts': [[name, str(value)] for name, value in run.facts], 'metrics': run.metrics,
                   'configuration': run.configuration}, stream, indent=1)
        stream.write('\n')


def load_kept(folder: str) -> Dict[str, Any]:
    """Fields of Run from `report.json`; those that are not there, or not of the right kind, are left out."""
    path = os.path.join(folder, KEPT)
    content = read_json(path) if os.path.isfile(path) and os.path.getsize(path) <= LARGEST else {}
    found: Dict[str, Any] = {}
    if isinstance(content.get('metrics'), dict):
        found['metrics'] = content['metrics']
    if isinstance(content.get('configuration'), str):
        found['configuration'] = content['configuration']
    seconds = content.get('seconds')
    if isinstance(seconds, dict) and all(map(_is_count, seconds.values())):
        found['seconds'] = seconds
    scales = content.get('scales')
    if isinstance(scales, list) and all(isinstance(scale, dict) and 'name' in scale and
                                        all(_is_count(scale.get(name)) for name in COUNTS) for scale in scales):
        found['scales'] = scales
    facts = content.get('facts')
    if isinstance(facts, list) and all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)
                                       for pair in facts):
        found['facts'] = [tuple(pair) for pair in facts]
    return found


def _is_count(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e18
