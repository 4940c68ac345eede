"""How the parameters of a detector vary, so that a parameter file can be told which network it fits.

A detector's training and test graph share all parameters, so a variant here is what differs in parameters: 'rcnn', with
'autofocus', 'mask' or both behind it, and 'rpn', the proposal network alone. The numbers of classes and anchors are
taken from the file.
"""
from typing import Any, List, NamedTuple, Tuple

MOST_CLASSES, MOST_ANCHORS = 100000, 1000     # believed of a file
AUTO_FOCUS = 'TEST.AUTO_FOCUS'
CLASSES = 'dataset.NUM_CLASSES'
RCNN_VARIANTS = (
    ('rcnn', ('test',), ()), ('rcnn_autofocus', ('test',), (AUTO_FOCUS,)), ('rcnn_mask', ('test', 'mask'), ()),
    ('rcnn_mask_autofocus', ('test', 'mask'), (AUTO_FOCUS,)), ('rpn', ('proposal_test',), ()))


class Variant(NamedTuple):
    """name: in reports; graphs: of the detector that have these parameters together; keys: of the configuration, by
    dotted name; heads: in words, which of them the file says; made_up: keys that it does not say, here so that there is
    a graph at all."""
    name: str
    graphs: Tuple[str, ...] = ('test',)
    keys: Tuple[Tuple[str, Any], ...] = ()
    heads: Tuple[str, ...] = ()
    made_up: Tuple[str, ...] = ()


def two_stage_variants(shapes, masks: bool) -> List[Variant]:
    """Variants of an R-CNN beside its proposal network; masks: whether there are some with a mask head."""
    classes, anchors = _rows(shapes, 'cls_score_weight'), _rows(shapes, 'rpn_cls_score_weight') // 2
    heads = (f'{classes} classes with background',) * bool(classes) + (f'{anchors} anchors a cell',) * bool(anchors)
    classes, anchors = min(max(2, classes or 81), MOST_CLASSES), min(max(1, anchors or 21), MOST_ANCHORS)
    sizes = ((CLASSES, classes), ('network.ANCHOR_RATIOS', (1.0,)),
             ('network.ANCHOR_SCALES', tuple(float(1 + k) for k in range(anchors))),
             ('CLASS_AGNOSTIC', _rows(shapes, 'bbox_pred_weight') in (0, 8)))
    made_up = tuple(key for key, _ in sizes if key != CLASSES)
    return [Variant(name, graphs, sizes + tuple((switch, True) for switch in switches), heads, made_up)
            for name, graphs, switches in RCNN_VARIANTS if masks or 'mask' not in graphs]


def _rows(shapes, name):
    """Rows of an array, 0 if the file has none of that name."""
    return shapes[name][0] if shapes.get(name) else 0
