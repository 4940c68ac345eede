"""R-FCN-3K (Singh et al. 2018): objects of all classes are found alike, and are told apart by a score of their own.

score(roi, class) = P(object) x P(class | object); with K super-classes, P(super-class of the class) in place of
P(object).
Letters: B windows, P proposals a window, K super-classes, N classes without background.
Source: reference/other_detectors.md part A, more_rfcn3k.md.
"""
from typing import Dict, Sequence

import numpy as np

from lib.bbox.detections import Detections
from lib.chips.window import Window
from lib.dataset.imagenet.devkit import wnids_beside
from lib.dataset.imagenet.super_classes import read_super_classes
from lib.tasks.base import Metric, best_boxes, refuse_switches, require, rows_of
from lib.tasks.faster_rcnn import FasterRcnnTask, roi_boxes
from lib.tasks.proposals import METRICS as RPN_METRICS

OBJECT, FINE = 'cls_prob_reshape_output', 'subcls_prob_output'
METRICS = RPN_METRICS + [Metric('RCNNAcc', 'accuracy', OBJECT, 'blockgrad0_output', class_axis=2),
                         Metric('RCNNLogLoss', 'log_loss', OBJECT, 'blockgrad0_output', class_axis=2),
                         Metric('RCNNL1LossCRCNN', 'l1', 'bbox_loss_output', 'blockgrad0_output'),
                         Metric('RCNNSubAcc', 'accuracy', FINE, 'blockgrad1_output'),
                         Metric('RCNNsubLogLoss', 'log_loss', FINE, 'blockgrad1_output')]
NOT_HERE = {'TRAIN': ('AUTO_FOCUS', 'WITH_MASK'), 'TEST': ('AUTO_FOCUS', 'WITH_MASK')}
GROUP = 49      # position-sensitive maps of an output


class Rfcn3kTask(FasterRcnnTask):
    """Inputs and anchors of Faster R-CNN; class k of the data set is row k - 1 of the fine classes, so that the first
    one is learnt too."""

    name = 'rfcn3k'
    test_graph = 'detect'
    unused_keys = ('CLASS_AGNOSTIC', 'TRAIN.MAX_MASKS', 'TRAIN.MAX_POLYGON_LEN', 'network.STRIDE_IN_1X1')

    @property
    def box_layer(self):
        """Position-sensitive: 49 rows for each of the four numbers. The original's files have no layer ready for use;
        its tests multiplied what came out."""
        return super().box_layer._replace(weight='rfcn_bbox_weight', bias='rfcn_bbox_bias', rows_each=GROUP,
                                          untold=((0.0,) * 4, (0.1, 0.1, 0.2, 0.2)))

    def metrics(self):
        """Of the RPN, of objects, and of the classes of those proposals that are objects."""
        return list(METRICS)

    def output_rows(self, classes):
        """Of anchors; a row a class; maps of background and of each super-class."""
        rows = super().output_rows(classes)
        del rows['cls_score_weight'], rows['cls_score_bias'], rows['mask_out_weight'], rows['mask_out_bias']
        objects = [(kind, place) for kind in range(self.config.RFCN.num_super_classes + 1) for place in range(GROUP)]
        return {**rows, **rows_of('rfcn_cls', objects), **rows_of('conv_new_3', list(classes[1:]))}

    def float32_layers(self, names):
        """Also the position-sensitive maps and the classes."""
        return super().float32_layers(names) | {name for name in names if name in ('rfcn_cls', 'rfcn_bbox',
                                                                                   'conv_new_3')}

    @property
    def masks(self):
        """There are none."""
        return None

    def constants(self, classes):
        """Which super-class each class is of, where there are several."""
        keys = self.config.RFCN
        if keys.num_super_classes == 1:
            return {}
        names, path = list(classes[1:]), keys.super_classes
        found = read_super_classes(path, names, wnids_beside(path, names))
        require(len(found.names) == keys.num_super_classes,
                f'RFCN.num_super_classes is {keys.num_super_classes}, but {path} has {len(found.names)}: set it to '
                f'{len(found.names)}')
        return {'super_class_of': found.of_class.astype(np.float32)}

    def decode(self, outputs, windows):
        """See `decode_rfcn`."""
        return decode_rfcn(outputs, windows, self.config.TEST.SCORE_THRESH, self.config.RFCN.least_object)

    def objects(self, outputs, windows):
        """Their probability is an output of its own: 1 - P(background), whatever their class."""
        scores = 1 - outputs[OBJECT][:, :, 0]
        image, proposal = np.nonzero(scores > max(self.config.RFCN.least_object, self.config.TEST.SCORE_THRESH))
        boxes = roi_boxes(outputs['rois_output'], outputs['bbox_pred_reshape_output'], image, proposal, windows)
        return best_boxes(Detections(image, np.zeros(len(image)), boxes, scores[image, proposal]))

    def check(self, purpose):
        """Also super-classes, switches of other families."""
        super().check(purpose)
        refuse_switches(self.config, purpose, NOT_HERE)
        keys = self.config.RFCN
        require(purpose != 'train' or keys.num_super_classes == 1 or bool(keys.super_classes),
                f'RFCN.num_super_classes is {keys.num_super_classes}, but no file says which classes each has: give it '
                'as RFCN.super_classes')
        require(purpose != 'train' or not keys.super_classes or keys.num_super_classes > 1,
                f'RFCN.super_classes names {keys.super_classes}, but RFCN.num_super_classes is 1: set it to the number '
                'of super-classes there')


def decode_rfcn(outputs: Dict[str, np.ndarray], windows: Sequence[Window], score_thresh: float,
                least_object: float = 0.01) -> Detections:
    """Outputs of R-FCN-3K's test graph -> detections of score > score_thresh, see Task.decode.

    outputs: `rois_output` (B*P, 5), window by window, input pixels; `cls_prob_reshape_output` (B, P, K + 1), background
    first; `bbox_pred_reshape_output` (B, P, 4); `subcls_prob_reshape_output` (B, P, N);
    with K > 1 `super_class_output` (B, N). Proposals whose probability of an object is least_object or less are left
    out. Label k is row k - 1 of the classes. Boxes are clipped to the window's height and width.
    """
    objects, fine = outputs[OBJECT], outputs['subcls_prob_reshape_output']
    table = outputs['super_class_output'][0].astype(np.int64) if objects.shape[2] > 2 else None
    found = [_of_window(objects[number], fine[number], table, score_thresh, least_object)
             for number in range(len(fine))]
    image = np.repeat(np.arange(len(found)), [len(part[0]) for part in found])
    label, proposal, score = (np.concatenate(column) for column in zip(*found))
    return Detections(image, label, roi_boxes(
        outputs['rois_output'], outputs['bbox_pred_reshape_output'], image, proposal, windows), score)


def _of_window(objects, fine, table, score_thresh, least_object):
    """(label, proposal, score) of a window's detections, class by class. A window at a time, and of its proposals only
    those that may be objects: all of a batch of thousands of classes are hundreds of megabytes."""
    kept = np.flatnonzero(1 - objects[:, 0] > least_object)
    scores = fine[kept] * (objects[kept, 1:] if table is None else objects[kept][:, 1 + table])
    proposal, label = np.nonzero(scores > score_thresh)
    order = np.argsort(label, kind='stable')
    proposal, label = proposal[order], label[order]
    return label + 1, kept[proposal], scores[proposal, label]
