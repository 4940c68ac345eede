"""Values that follow from several keys, for the places that must agree about them."""
from typing import Tuple

from easydict import EasyDict

from symbols.registry import DETECTORS

USUAL_STRIDE = 16  # of the original's networks: said of a network that is not known
FOCUS_SIZES = (5, 64, 90)  # the original's for chips of 512 pixels, of what `focus_sizes` gives


def focus_sizes(train: EasyDict) -> Tuple[int, ...]:
    """(DC_LOW, SMALL_THRESH, DC_HIGH) of TRAIN.AUTO_FOCUS_*, chip pixels; FOCUS_SIZES where a key is -1."""
    given = (train.AUTO_FOCUS_DC_LOW, train.AUTO_FOCUS_SMALL_THRESH, train.AUTO_FOCUS_DC_HIGH)
    return tuple(usual if size == -1 else size for size, usual in zip(given, FOCUS_SIZES))


def loss_factor(train: EasyDict) -> float:
    """Constant factor that the training graph puts on its losses, of the section TRAIN: `scale` with fp16, else 1.

    With LOSS_SCALING 'dynamic' there is none: the factor changes during training (lib.engine.loss_scale).
    """
    return float(train.scale) if train.fp16 and train.LOSS_SCALING == 'static' else 1.0


def chips_of_device(train: EasyDict) -> int:
    """Chips that one device sees in an update, of the section TRAIN; BATCH_IMAGES of them at a time."""
    return train.BATCH_IMAGES * train.ACCUMULATE


def derive(config: EasyDict) -> None:
    """Fill in the keys that follow from others, where they are 0: network.NUM_ANCHORS and network.RPN_FEAT_STRIDE."""
    network = config.network
    if network.NUM_ANCHORS == 0:
        network.NUM_ANCHORS = len(network.ANCHOR_RATIOS) * len(network.ANCHOR_SCALES)
    if network.RPN_FEAT_STRIDE == 0:
        known = DETECTORS.get(config.symbol)
        network.RPN_FEAT_STRIDE = known.stride if known and known.stride else USUAL_STRIDE
