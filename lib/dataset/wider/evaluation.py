"""What a test on WIDER FACE writes and reports: a text file of detections a picture, AP by setting."""
import logging
import os
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.base import PrecisionRecall
from lib.dataset.metrics_file import write_metrics
from lib.dataset.wider.lists import FaceLists, find_lists, named, read_lists
from lib.dataset.wider.scoring import NO_FACES, Found, Scores, score
from lib.dataset.wider.text_files import as_written, write_folder
from lib.utils.counted import counted
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

DETECTIONS = 'detections'   # folder of the text files among the results
COCO_RULES = "scored by COCO's rules"


class Scoring:
    """How detections on a set are scored: by lists that tell of all or some of its pictures."""

    def __init__(self, lists: FaceLists):
        self.lists = lists
        self._places = {name: place for place, name in enumerate(lists.names)}

    def places(self, names: Sequence[str]) -> np.ndarray:
        """Pictures '<event>/<picture with ending>' -> (n,) int64 numbers in the lists, -1 for those of none."""
        return np.array([self._places.get(os.path.splitext(name)[0], -1) for name in names], np.int64)

    def score(self, names: Sequence[str], found: Found) -> Dict[str, Scores]:
        """found: its pictures are numbers in `names`. What the lists have and `names` lack does not count, nor does the
        reverse."""
        places = self.places(names)
        listed = places >= 0
        number = np.cumsum(listed) - 1
        rows = listed[found.picture]
        return score(self.lists.part(places[listed]), Found(number[found.picture[rows]], found.box[rows],
                                                            found.score[rows]))

    def evaluate(self, names: Sequence[str], found: Found, path: str) -> Tuple[Dict[str, float], List[PrecisionRecall]]:
        """Score, log, write the metrics to the file `path` -> ({setting: AP, NO_FACES where none counts}, curves)."""
        scores = self.score(names, found)
        metrics = {setting: of_setting.ap for setting, of_setting in scores.items()}
        write_metrics(path, metrics)
        for line in report(scores):
            logger.info('%s', line)
        return metrics, curves(scores)


def write_detections(results_dir: str, names: Sequence[str], detections: Detections) -> Found:
    """Write the text files of pictures '<event>/<picture with ending>' -> what stands in them.

    SniperError: they cannot be written.
    """
    found = as_written(detections.take(detections.label > 0))
    folder = os.path.join(results_dir, DETECTIONS)
    write_folder(folder, names, found)
    logger.info('%d detections of %d pictures written to %s', len(found.score), len(names),
                os.path.join(folder, '<event>', '<picture>.txt'))
    return found


def picture_names(image_ids: Sequence[str]) -> List[str]:
    """Ids '<...>/<event>/<picture with ending>' -> their last two parts; as they are where these do not tell them
    apart."""
    names = ['/'.join(image_id.split('/')[-2:]) for image_id in image_ids]
    return names if len({os.path.splitext(name)[0] for name in names}) == len(names) else list(image_ids)


def settle(wanted: str, dataset_path: str, image_set: str, set_name: str,
           names: Sequence[str]) -> Optional[Scoring]:
    """-> Scoring, or None where no lists lie with the data; a line says what it is, and what the lists lack.

    wanted: dataset.WIDER_LISTS; names: of the pictures of the set. SniperError: the lists cannot be used, or those that
    are asked for name none of the pictures.
    """
    folder, listed_set = find_lists(wanted or dataset_path, image_set)
    if not folder and wanted:
        raise SniperError(f'dataset.WIDER_LISTS: {wanted} has no list of WIDER FACE (wider_easy_{image_set:.80}.mat or '
                          'wider_easy_val.mat): name the folder eval_tools/ground_truth, or leave it empty')
    if not folder:
        logger.info('%s is %s: no wider_<setting>_%s.mat lies in %s (dataset.WIDER_LISTS names another folder)',
                    set_name, COCO_RULES, image_set, dataset_path)
        return None
    scoring = Scoring(read_lists(folder, listed_set))
    places = scoring.places(names)
    if not (places >= 0).any():
        if wanted:
            raise SniperError(f'dataset.WIDER_LISTS: the lists wider_<setting>_{listed_set}.mat in {folder} name no '
                              f'picture of {set_name} ({named(names)})')
        logger.info('%s is %s: the lists wider_<setting>_%s.mat in %s name none of its pictures', set_name, COCO_RULES,
                    listed_set, folder)
        return None
    logger.info('%s is scored by the lists wider_<setting>_%s.mat in %s', set_name, listed_set, folder)
    for line in scoring.lists.remarks():
        logger.warning('%s', line)
    _say_what_lacks(scoring, names, places)
    return scoring


def _say_what_lacks(scoring, names, places):
    outside = [name for name, place in zip(names, places) if place < 0]
    absent = len(scoring.lists.names) - (len(names) - len(outside))
    if outside or absent:
        logger.warning('scored are the %s that are both in the lists and in this test%s%s',
                       counted(len(names) - len(outside), 'picture', 'pictures'),
                       f'; {absent} of {len(scoring.lists.names)} in the lists are not tested' if absent else '',
                       f'; {len(outside)} are in no list ({named(outside)})' if outside else '')


def report(scores: Dict[str, Scores]) -> List[str]:
    """Lines for people."""
    return ['average precision by the rules of WIDER FACE (IoU 0.5)'] + [
        f'{setting:<7} {"-" if ap == NO_FACES else f"{ap:.4f}":>6}   {counted(faces, "face counts", "faces count")}'
        for setting, (faces, _, _, ap) in scores.items()]


def curves(scores: Dict[str, Scores]) -> List[PrecisionRecall]:
    """Of the settings in which faces count, from the first threshold that any detection reaches."""
    found = []
    for setting, of_setting in scores.items():
        there = of_setting.kept > 0
        if of_setting.faces:
            found.append(PrecisionRecall(setting, of_setting.recall[there], of_setting.precision[there], of_setting.ap))
    return found
