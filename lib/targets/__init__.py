"""Training targets of chips: objects in chip pixels, anchor labels, the object table."""
from lib.targets.chip_boxes import ChipBoxes
from lib.targets.chip_targets import ChipTargets, TargetSettings
from lib.targets.prior_matching import PriorTargets, match_priors

__all__ = ['ChipBoxes', 'ChipTargets', 'PriorTargets', 'TargetSettings', 'match_priors']
