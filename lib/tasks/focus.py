"""FocusPixels (AutoFocus, Najibi et al. 2019), beside whatever else a task's network learns."""
from typing import List, Sequence

from configs.derived import focus_sizes
from configs.scales import ascending
from lib.targets.focus_labels import FocusSizes, label_focus
from lib.tasks.base import FocusOutput, Input, Metric, Task, require

METRICS = [Metric('AutoFocusAcc', 'accuracy', 'cls_scale_prob_output', 'scale_label'),
           Metric('AutoFocusLogLoss', 'log_loss', 'cls_scale_prob_output', 'scale_label')]


class FocusTask(Task):
    """A family whose networks have a head for FocusPixels on the feature map of `stride`; TRAIN.AUTO_FOCUS trains it,
    TEST.AUTO_FOCUS asks it."""

    @property
    def focus(self):
        """The map of TEST.AUTO_FOCUS."""
        return FocusOutput('scale_prob_output', self.stride)

    def focus_inputs(self) -> List[Input]:
        """Labels of FocusPixels, 1, 0 or -1 a cell."""
        height, width = (-(-side // self.stride) for side in self.input_size)
        return [Input('scale_label', (height * width,), 'label')] if self.config.TRAIN.AUTO_FOCUS else []

    def focus_targets(self, record, window, out) -> None:
        """Fill them, where they are inputs."""
        if 'scale_label' in out:
            train = self.config.TRAIN
            label_focus(record, window, train.CHIP_SIZE, self.stride, FocusSizes.from_config(train), out['scale_label'])

    def focus_metrics(self) -> List[Metric]:
        """Of the head, where it is trained."""
        return METRICS if self.config.TRAIN.AUTO_FOCUS else []

    def advice(self, missing: Sequence[str]) -> str:
        """For weights without AutoFocus."""
        return (', or were trained without AutoFocus (test without it: TEST.AUTO_FOCUS, TEST.DO_PRUNING)'
                if any(name.startswith('conv_new_2') for name in missing) else '')

    def check_focus(self, purpose: str) -> None:
        """ConfigError for sizes of objects that are no ascending row, and for chips that nothing makes."""
        if purpose != 'train':
            check_focus_chips(self.config.TEST)
        elif self.config.TRAIN.AUTO_FOCUS:
            # From 0: what lies outside a chip is clipped to side 0 on its border, and is to be ignored there.
            low, small, high = focus_sizes(self.config.TRAIN)
            require(0 <= low < small <= high,
                    f'TRAIN.AUTO_FOCUS_DC_LOW, _SMALL_THRESH and _DC_HIGH are {low}, {small} and {high}; AutoFocus '
                    'wants 0 <= low < small <= high')


def check_focus_chips(test) -> None:
    """Scales that run on chips: their chips come from the focus maps of the scale before."""
    focused = [index for index, pruning in enumerate(test.DO_PRUNING) if pruning]
    if not focused:
        return
    require(test.AUTO_FOCUS, f'TEST.DO_PRUNING is {test.DO_PRUNING}: that takes the focus maps of TEST.AUTO_FOCUS, '
            'which is False; set it, or leave pruning out')
    require(not test.DO_PRUNING[0], f'TEST.DO_PRUNING is {test.DO_PRUNING}, but the first scale has none before it '
            'that could make its chips; set the first entry to False')
    for index in focused:
        coarse, fine = test.SCALES[index - 1], test.SCALES[index]
        require(ascending(coarse, fine),
                f'TEST.SCALES is {test.SCALES}; FocusChips want coarse to fine, but {coarse} comes before {fine}')
        dilation, threshold, smallest = test.CHIP_HYPERPARAMS[index - 1]
        require(dilation >= 1 and smallest >= 1 and dilation % 1 == smallest % 1 == 0 and 0 < threshold <= 1,
                f'TEST.CHIP_HYPERPARAMS has the entry {test.CHIP_HYPERPARAMS[index - 1]} for the chips of scale '
                f'{fine}; it wants a dilation and a smallest side in whole cells from 1 up, and between them a '
                'threshold above 0 and at most 1')
