"""Outputs of a network for one picture -> boxes and a score a class, in operators of ONNX: what Task.decode does.

A decoder is called with a Frame and returns boxes (n, 4) in pixels of the picture and scores (n, classes without
background). Letters: P proposals or priors, C classes with background, A anchors a cell, h x w cells.
"""
from typing import Any, Callable, Dict, NamedTuple, Tuple

import numpy as np
from onnx import TensorProto

from configs.ssh_keys import MODULES, modules_of
from lib.bbox.anchor_rows import LARGEST_GROWTH
from lib.bbox.anchors import anchor_base
from lib.export.shaping import cut, numbers
from lib.tasks.ssh import RATIOS, STRIDES


class Frame(NamedTuple):
    """writer: of nodes; outputs: {name: tensor} of the network; task: of the configuration; scale (4,) float32: factors
    x, y, x, y from the picture to the network's input; limits (4,): last column and row of what that shows, twice;
    sides (4,): width, height, width, height of the picture."""
    writer: Any
    outputs: Dict[str, str]
    task: Any
    scale: str
    limits: str
    sides: str

    def in_picture(self, boxes: str) -> str:
        """Boxes in pixels of the network's input, clipped to what it shows, in pixels of the picture."""
        clipped = self.writer.add('Max', self.writer.add('Min', boxes, self.limits), np.float32(0))
        return self.writer.add('Div', clipped, self.scale)


Decoder = Callable[[Frame], Tuple[str, str]]


def of_rcnn(frame: Frame) -> Tuple[str, str]:
    """lib.tasks.faster_rcnn.decode_rcnn."""
    return _roi_boxes(frame), _rows(frame, 'cls_prob_reshape_output', 1)


def of_rfcn(frame: Frame) -> Tuple[str, str]:
    """lib.tasks.rfcn3k.decode_rfcn."""
    writer, keys = frame.writer, frame.task.config.RFCN
    objects, fine = _rows(frame, 'cls_prob_reshape_output'), _rows(frame, 'subcls_prob_reshape_output')
    least = np.float32(1 - keys.least_object)
    likely = writer.add('Less', cut(writer, objects, 1, 0, 1), least)
    if keys.num_super_classes > 1:
        table = writer.add('Reshape', frame.outputs['super_class_output'], np.array([-1]))
        table = writer.add('Cast', writer.add('Add', table, np.float32(1)), to=TensorProto.INT64)
        objects = writer.add('Gather', objects, table, axis=1)
    else:
        objects = cut(writer, objects, 1, 1, 2)
    scores = writer.add('Where', likely, writer.add('Mul', fine, objects), np.float32(0))
    return _roi_boxes(frame), scores


def of_proposals(frame: Frame) -> Tuple[str, str]:
    """lib.tasks.proposals.ProposalsTask.decode, without rescoring."""
    writer = frame.writer
    boxes = cut(writer, frame.outputs['rois_output'], 1, 1, 5)
    return frame.in_picture(boxes), writer.add('Reshape', frame.outputs['rois_score'], np.array([-1, 1]))


def of_priors(frame: Frame) -> Tuple[str, str]:
    """lib.tasks.m2det.decode_priors: boxes are shares of the picture, and are not clipped."""
    writer, known = frame.writer, frame.task.prior_targets
    offsets = writer.add('Reshape', frame.outputs['loc_output'], np.array([-1, 4]))
    priors = np.asarray(known.priors, np.float32)
    near, far = (np.float32(variance) for variance in known.variances)
    move = writer.add('Mul', cut(writer, offsets, 1, 0, 2), near * priors[:, 2:])
    centre = writer.add('Add', move, priors[:, :2])
    size = writer.add('Mul', writer.add('Exp', writer.add('Mul', cut(writer, offsets, 1, 2, 4), far)), priors[:, 2:])
    boxes = _around(writer, centre, writer.add('Mul', size, np.float32(0.5)))
    return writer.add('Mul', boxes, frame.sides), _rows(frame, 'conf_output', 1)


def of_modules(frame: Frame) -> Tuple[str, str]:
    """lib.tasks.ssh.SshTask.decode: boxes of all modules, those too small with the score 0."""
    writer, config = frame.writer, frame.task.config
    boxes, scores = [], []
    for module in modules_of(config):
        base = anchor_base(config.SSH.anchor_base, RATIOS, config.SSH.anchor_scales[module])
        deltas = frame.outputs[f'{MODULES[module]}_deltas_output']
        boxes.append(_anchor_boxes(writer, deltas, np.asarray(base, np.float32), STRIDES[module],
                                   bool(config.SSH.wide_boxes)))
        scores.append(writer.add('Reshape', frame.outputs[f'{MODULES[module]}_prob_output'], np.array([-1, 1])))
    boxes, scores = (writer.add('Concat', *parts, axis=0) for parts in (boxes, scores))
    clipped = writer.add('Max', writer.add('Min', boxes, frame.limits), np.float32(0))
    sides = writer.add('Add', writer.add('Sub', cut(writer, clipped, 1, 2, 4), cut(writer, clipped, 1, 0, 2)),
                       np.float32(1))
    large = writer.add('GreaterOrEqual', writer.add('ReduceMin', sides, axes=[1], keepdims=1),
                       np.float32(config.TEST.RPN_MIN_SIZE))
    return frame.in_picture(boxes), writer.add('Where', large, scores, np.float32(0))


def _rows(frame, name, first=0):
    """(P, columns from `first` on) of an output (1, P, columns)."""
    rows = frame.writer.add('Squeeze', frame.outputs[name], np.array([0]))
    return cut(frame.writer, rows, 1, first, np.iinfo(np.int64).max) if first else rows


def _roi_boxes(frame):
    """(P, 4) boxes that the last four deltas of each roi make of it."""
    writer = frame.writer
    deltas = cut(writer, _rows(frame, 'bbox_pred_reshape_output'), 1, -4, np.iinfo(np.int64).max)
    rois = frame.outputs['rois_output']
    return frame.in_picture(_moved(writer, cut(writer, rois, 1, 1, 3), cut(writer, rois, 1, 3, 5),
                                   cut(writer, deltas, 1, 0, 2), cut(writer, deltas, 1, 2, 4)))


def _moved(writer, first, last, shift, growth):
    """(n, 4) boxes of corners (n, 2), moved by `shift` of their sides and grown by exp(growth); ends are inclusive."""
    side = writer.add('Add', writer.add('Sub', last, first), np.float32(1))
    middle = writer.add('Mul', writer.add('Sub', side, np.float32(1)), np.float32(0.5))
    centre = writer.add('Add', writer.add('Add', first, middle), writer.add('Mul', shift, side))
    grown = writer.add('Mul', writer.add('Exp', writer.add('Min', growth, np.float32(LARGEST_GROWTH))), side)
    return _around(writer, centre, writer.add('Mul', writer.add('Sub', grown, np.float32(1)), np.float32(0.5)))


def _around(writer, centre, half):
    return writer.add('Concat', writer.add('Sub', centre, half), writer.add('Add', centre, half), axis=1)


def _anchor_boxes(writer, deltas, base, stride, wide):
    """(A*h*w, 4) boxes of deltas (1, 4A, h, w)."""
    shape = writer.add('Shape', deltas)
    corners = _placed(writer, base, shape, stride)
    first, last = (writer.add('Reshape', corner, np.array([-1, 2])) for corner in corners)
    by_anchor = writer.add('Reshape', deltas, writer.add(
        'Concat', np.array([len(base), 4]), cut(writer, shape, 0, 2, 4), axis=0))
    rows = writer.add('Reshape', writer.add('Transpose', by_anchor, perm=[0, 2, 3, 1]), np.array([-1, 4]))
    boxes = _moved(writer, first, last, cut(writer, rows, 1, 0, 2), cut(writer, rows, 1, 2, 4))
    return writer.add('Add', boxes, np.array([0, 0, 1, 1], np.float32)) if wide else boxes


def _placed(writer, anchors, shape, stride):
    """[first corner, last corner] (1, A, h, w, 2) of all anchors, x before y; anchors (A, 4) of the first cell;
    shape: that of a map (..., h, w), as `Shape` gives it."""
    rows, columns = (writer.add('Cast', writer.add('Mul', numbers(writer, shape, axis), np.array(int(stride))),
                                to=TensorProto.FLOAT) for axis in (2, 3))
    rows, columns = (writer.add('Unsqueeze', cells, np.array(axes)) for cells, axes in (
        (rows, [0, 1, 3, 4]), (columns, [0, 1, 2, 4])))
    zeros = writer.add('Mul', writer.add('Add', rows, columns), np.float32(0))      # (1, 1, h, w, 1)
    shifts = writer.add('Concat', writer.add('Add', columns, zeros), writer.add('Add', rows, zeros), axis=4)
    return [writer.add('Add', shifts, anchors[None, :, None, None, part]) for part in (slice(0, 2), slice(2, 4))]


# name of a task -> its decoder
DECODERS: Dict[str, Decoder] = {'faster_rcnn': of_rcnn, 'openimages': of_rcnn, 'rfcn3k': of_rfcn, 'm2det': of_priors,
                                'proposals': of_proposals, 'ssh': of_modules}
