"""Which of our networks the arrays of a parameter file belong to.

A detector's training and test graph share all parameters, so a variant here is what differs in parameters: 'rcnn', with
'autofocus', 'mask' or both behind it, and 'rpn', the proposal network alone. The numbers of classes and anchors are
taken from the file.
"""
import functools
from typing import NamedTuple

from lib.weights.parameter_matching import Agreement, compare

SIDE = 64  # of the input for which shapes are inferred; no parameter depends on it
VARIANTS = (('rcnn', 'train', ()), ('rcnn_autofocus', 'train', ('AUTO_FOCUS',)), ('rcnn_mask', 'train', ('WITH_MASK',)),
            ('rcnn_mask_autofocus', 'train', ('AUTO_FOCUS', 'WITH_MASK')), ('rpn', 'proposal_train', ()))
MOST_CLASSES, MOST_ANCHORS = 100000, 1000     # believed of a file
TEST_ENDING = '_test'  # of box weights that decode directly; every graph takes them in place of the others


class Fit(NamedTuple):
    """How a file and a network agree; names of auxiliary states are among the others."""
    network: str
    variant: str
    agreement: Agreement            # with everything that the graph wants
    pretrained: Agreement           # with what `network.pretrained` must bring: all but newly initialised layers

    @property
    def extra(self):
        """Names that this network does not ask for, test weights aside."""
        return [name for name in self.agreement.extra if not name.endswith(TEST_ENDING)]

    @property
    def rank(self):
        """Sort key: whole and without leftovers first, then whole, then as pretrained weights, then the nearest."""
        lacking = len(self.agreement.missing) + len(self.agreement.misshapen)
        short = len(self.pretrained.missing) + len(self.pretrained.misshapen)
        return lacking > 0, len(self.extra) if not lacking else 0, short, lacking, len(self.extra)


def fits(shapes):
    """{name: shape} of a file, without 'arg:' and 'aux:' -> list of Fit, best first."""
    from symbols import detector_names
    classes = min(max(2, _rows(shapes, 'cls_score_weight', 81)), MOST_CLASSES)
    anchors = min(max(1, _rows(shapes, 'rpn_cls_score_weight', 2 * 21) // 2), MOST_ANCHORS)
    heads = classes, anchors, _rows(shapes, 'bbox_pred_weight', 8) == 8
    found = [Fit(name, variant, compare(wanted, shapes), compare(trunk, shapes))
             for name in detector_names() for variant, wanted, trunk in _wanted(name, *heads)]
    return sorted(found, key=lambda fit: fit.rank)


@functools.lru_cache(maxsize=64)
def _wanted(name, classes, anchors, class_agnostic):
    """[(variant, {name: shape} of all that its graph wants, the same without newly initialised layers)]."""
    from symbols import get_detector
    detector, found = get_detector(name), []
    for variant, graph, switches in VARIANTS:
        config = _config(name, detector, classes, anchors, class_agnostic, switches)
        inputs = detector.input_shapes(config, 1, SIDE, SIDE, graph)
        if ('WITH_MASK' in switches) != ('gt_masks' in inputs):
            continue        # a detector without this variant
        symbol = detector.symbol(config, graph)
        arguments, _, auxiliary = symbol.infer_shape(**inputs)
        wanted = {key: shape for key, shape in zip(symbol.list_arguments(), arguments) if key not in inputs}
        new = detector.new_parameters(symbol)
        states = dict(zip(symbol.list_auxiliary_states(), auxiliary))
        trunk = {key: shape for key, shape in wanted.items() if key not in new}
        found.append((variant, dict(wanted, **states), dict(trunk, **states)))
    return found


def _config(name, detector, classes, anchors, class_agnostic, switches):
    """Configuration with as many classes and anchors as the file has, where it says."""
    from configs import load_config
    config = load_config(None, ['symbol', name])
    config.dataset.NUM_CLASSES = classes
    config.network.NUM_ANCHORS = anchors
    config.network.ANCHOR_RATIOS, config.network.ANCHOR_SCALES = [1.0], [float(1 + k) for k in range(anchors)]
    config.network.RPN_FEAT_STRIDE = detector.features(config)[0].stride
    config.CLASS_AGNOSTIC = class_agnostic
    for switch in switches:
        config.TRAIN[switch] = True
    return config


def _rows(shapes, name, default):
    return shapes[name][0] if shapes.get(name) else default
