"""Does a model with post-processing find the boxes that this project's own steps find with the same network?"""
import logging
from typing import Tuple

import numpy as np

from lib.bbox.boxes import bbox_overlaps
from lib.bbox.nms import nms
from lib.export.network import Exported
from lib.export.pictures import IMAGE, OUTPUTS, overlap_of
from lib.export.proof import run_onnx
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

SURE = 0.1          # score from which on boxes are looked for
OVERLAP = 0.8       # IoU of two boxes that are the same; OpenCV rounds between two pixels otherwise than ONNX
APART = 0.1         # of the scores of these
MOST_LOST = 0.1     # share of the sure boxes

Boxes = Tuple[np.ndarray, np.ndarray, np.ndarray]


def prove_boxes(what: str, task, whole: Exported, network: Exported, batch, pixels: np.ndarray) -> None:
    """Log how many boxes are alike; SniperError if too few are. batch: of the picture `pixels`, (H, W, 3) uint8 B, G,
    R, for `network`, which `whole` holds."""
    outputs = dict(batch.data, **run_onnx(network.model.SerializeToString(), batch.data))
    wanted = own_boxes(task, outputs, batch.windows)
    answer = run_onnx(whole.model.SerializeToString(), {IMAGE: np.ascontiguousarray(pixels[:, :, ::-1])})
    found = tuple(answer[name] for name in OUTPUTS)
    (sure, lost), (more, made_up) = missing_boxes(wanted, found), missing_boxes(found, wanted)
    logger.info('%s: %d boxes of a score from %.1f on, %d of them not found; %d found, %d of them nowhere', what, sure,
                SURE, lost, more, made_up)
    if lost > MOST_LOST * sure or made_up > MOST_LOST * more:
        raise SniperError(f'{what} does not find the boxes that a test finds ({lost} of {sure} are missing, {made_up} '
                          f'of {more} too many), so it is not written')


def own_boxes(task, outputs, windows) -> Boxes:
    """(boxes, classes, scores) of one window, after hard suppression, the best TEST.MAX_PER_IMAGE of them."""
    found, test, kept = task.decode(outputs, windows), task.config.TEST, []
    rows = found.rows()
    for label in np.unique(found.label):
        of_class = np.flatnonzero(found.label == label)
        kept.append(of_class[nms(rows[of_class], overlap_of(task.config), max(test.MAX_PER_CLASS, 0))])
    places = np.concatenate([np.zeros(0, np.int64), *kept])
    places = places[np.argsort(-found.score[places], kind='stable')]
    places = places[:test.MAX_PER_IMAGE] if test.MAX_PER_IMAGE > 0 else places
    return found.box[places], found.label[places], found.score[places]


def missing_boxes(wanted: Boxes, found: Boxes) -> Tuple[int, int]:
    """(number of sure boxes among `wanted`, how many of these have no like among `found`)."""
    lost, sure = 0, np.flatnonzero(wanted[2] >= SURE)
    for row in sure:
        near = (found[1] == wanted[1][row]) & (np.abs(found[2] - wanted[2][row]) <= APART)
        lost += not (bbox_overlaps(wanted[0][row:row + 1], found[0][near]) >= OVERLAP).any()
    return len(sure), lost
