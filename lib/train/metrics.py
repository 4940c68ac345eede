"""Training metrics, found by the names of the graph's outputs and labels.

Source: reference/pipeline.md section 11. Every metric is a running average: a sum over labels that are not -1,
divided by their number. Accuracies compare the largest class with the label; log losses are -log(p + 1e-14) of
the labelled class; L1 losses are the sum of the (already weighted) loss output.

Shapes: B chips, A anchors a cell, F x F cells, R rois a chip, C classes, M mask rois.
Everything here is NumPy: the fit loop copies the outputs asynchronously and reads them one batch late.
"""
import re
from collections import OrderedDict, namedtuple

import numpy as np

EPSILON = 1e-14

# The outputs and labels that one part of the network is measured with. loss is '' where there is none.
Part = namedtuple('Part', 'accuracy log_loss l1 prob label loss')

RPN = Part('RPNAcc', 'RPNLogLoss', 'RPNL1Loss', 'rpn_cls_prob_output', 'label', 'rpn_bbox_loss_output')
RCNN = Part('RCNNAcc', 'RCNNLogLoss', 'RCNNL1LossCRCNN', 'cls_prob_reshape_output', 'rcnn_label',
            'bbox_loss_reshape_output')
FOCUS = Part('AutoFocusAcc', 'AutoFocusLogLoss', '', 'cls_scale_prob_output', 'scale_label', '')
MASK = Part('', 'MaskLogLoss', '', 'mask_cls_prob_output', 'mask_target', '')
PARTS = (RPN, RCNN, FOCUS, MASK)


def classification_sums(prob, label, class_axis):
    """Sums of one batch of a softmax.

    prob: (..., C, ...) with the classes along `class_axis`; label: any shape with as many numbers as prob has
    distributions, in the order that remains when class_axis is taken away; -1 = not measured.
    -> (number of hits, sum of -log(p + 1e-14), number measured)
    """
    prob = np.moveaxis(prob, class_axis, 0)
    prob = prob.reshape(prob.shape[0], -1)                                           # (C, n)
    label = np.asarray(label).reshape(-1)
    measured = np.flatnonzero(label != -1)
    label = label[measured].astype(np.int64)
    prob = prob[:, measured]
    picked = prob[label, np.arange(label.size)]
    hits = int((prob.argmax(axis=0) == label).sum())
    return hits, float(-np.log(picked.astype(np.float64) + EPSILON).sum()), label.size


class TrainMetrics:
    """Running averages over an epoch.

    output_names: the training graph's outputs (symbol.list_outputs()). Labels that the graph itself produces
    (of rois and masks) are its BlockGrad outputs, `blockgrad<k>_output`, in this order.
    """

    def __init__(self, output_names):
        self.output_names = list(output_names)
        available = set(self.output_names)
        self.parts = [part for part in PARTS if part.prob in available]
        made = sorted((name for name in available if re.match(r'blockgrad\d+_output$', name)),
                      key=lambda name: int(re.findall(r'\d+', name)[0]))
        graph_labels = [part.label for part in (RCNN, MASK) if part in self.parts]
        self.label_outputs = dict(zip(graph_labels, made))
        self.names = [name for part in self.parts for name in (part.accuracy, part.log_loss, part.l1) if name]
        self.reset()

    @property
    def needed_outputs(self):
        """Names of the outputs that `update` reads, in the graph's order."""
        used = {name for part in self.parts for name in (part.prob, part.loss)} | set(self.label_outputs.values())
        return [name for name in self.output_names if name in used]

    @property
    def needed_labels(self):
        """Names of the iterator's labels that `update` reads."""
        return [part.label for part in self.parts if part.label not in self.label_outputs]

    def reset(self):
        """Forget everything: a new epoch begins."""
        self.sums = OrderedDict((name, [0.0, 0]) for name in self.names)

    def update(self, outputs, labels):
        """Take in one batch: dicts of arrays by name. Returns {metric: value of this batch} of the losses."""
        losses = {}
        for part in self.parts:
            label = outputs[self.label_outputs[part.label]] if part.label in self.label_outputs else labels[part.label]
            class_axis = 2 if part is RCNN else 1                  # (B, R, C); the others (B, 2, ...)
            hits, log_loss, count = classification_sums(outputs[part.prob], label, class_axis)
            if part.accuracy:
                self._add(part.accuracy, hits, count)
            losses[part.log_loss] = self._add(part.log_loss, log_loss, count)
            if part.l1:
                losses[part.l1] = self._add(part.l1, float(outputs[part.loss].sum(dtype=np.float64)), count)
        return losses

    def _add(self, name, value, count):
        self.sums[name][0] += value
        self.sums[name][1] += count
        return value

    def values(self):
        """[(name, average)], nan where nothing was measured yet."""
        return [(name, total / count if count else float('nan')) for name, (total, count) in self.sums.items()]

    def get_state(self):
        """What `set_state` needs to go on: plain lists for a JSON file (floats survive it exactly)."""
        return {name: list(pair) for name, pair in self.sums.items()}

    def set_state(self, state):
        """Continue from `get_state`; metrics that the state does not have start at zero."""
        for name, pair in state.items():
            if name in self.sums:
                self.sums[name] = [float(pair[0]), int(pair[1])]
