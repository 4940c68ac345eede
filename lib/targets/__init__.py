"""Training targets of chips: objects in chip pixels, anchor labels, the object table."""
from lib.targets.chip_boxes import ChipBoxes
from lib.targets.chip_targets import ChipTargets, TargetSettings

__all__ = ['ChipBoxes', 'ChipTargets', 'TargetSettings']
