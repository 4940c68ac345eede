"""The rows of `python -m benchmarks.operators`: what is called, at which size, and the bar."""
from typing import Any, Callable, NamedTuple, Tuple

from benchmarks.cases import chips_and_nms, convolution, graph, mined_anchors, pooling, proposals


class Bar(NamedTuple):
    """A claim about one row."""

    kind: str      # 'faster': other / ours at least `value`; 'within': ours / other at most; 'ms': ours / units at most
    value: float
    other: str = ''
    units: int = 1  # for 'ms': images in the call

    def check(self, milliseconds):
        """Dict with the bar in words, what was reached, and whether it holds."""
        ours = milliseconds['ours']
        if self.kind == 'faster':
            reached = milliseconds[self.other] / ours
            words = f'at least {self.value:g}x faster than {self.other}'
            return {'bar': words, 'reached': f'{reached:.1f}x', 'holds': reached >= self.value}
        if self.kind == 'within':
            reached = ours / milliseconds[self.other]
            words = f'at most {self.value:g}x {self.other}'
            return {'bar': words, 'reached': f'{reached:.2f}x', 'holds': reached <= self.value}
        reached = ours / self.units
        words = f'at most {self.value:g} ms' + (' a chip' if self.units > 1 else '')
        return {'bar': words, 'reached': f'{reached:.3f} ms', 'holds': reached <= self.value}


class Case(NamedTuple):
    """One row. `build` makes {column: callable}, among them 'ours'; calls return when the work is done. warm: see
    timing.interleaved; a column that frees gigabytes costs the next call its pages, which no training does."""

    name: str
    build: Callable[[], Any]
    bars: Tuple[Bar, ...] = ()
    warm: int = 0


def all_cases():
    """Every row, in the order of the table."""
    return _pooling() + _convolution() + _proposals() + _chips_and_nms() + _graph()


def _pooling():
    rows = []
    for trans in (False, True):
        name = f'DeformablePSROIPooling (1,256,32,32), 300 rois, {"with trans" if trans else "no_trans"}'
        rows.append(Case(name + ', forward', lambda trans=trans: pooling.forward(trans), (Bar('faster', 25, 'stock'),)))
        rows.append(Case(name + ', backward', lambda trans=trans: pooling.backward(trans),
                         (Bar('faster', 15, 'stock'),)))
    name = 'RoIMeanPooling (1,3130,32,32), 300 rois'
    rows.append(Case(name + ', forward', pooling.mean_forward, (Bar('faster', 20, 'stock'),)))
    rows.append(Case(name + ', backward', pooling.mean_backward, (Bar('faster', 3, 'stock'),)))
    return rows


def _convolution():
    rows = []
    for images in (1, 4):
        name = f'DeformableConvolution 512->512, 3x3, dilate 2, ({images},512,32,32)'
        rows.append(Case(name + ', forward', lambda images=images: convolution.forward(images),
                         (Bar('within', 1.2, 'plain'),)))
        rows.append(Case(name + ', backward', lambda images=images: convolution.backward(images),
                         (Bar('within', 1.2, 'plain'),)))
    for channels, filters in ((256, 256), (3072, 512)):
        rows.append(Case(f'WinogradConvolution {channels}->{filters}, 3x3, (1,{channels},32,32)',
                         lambda sizes=(channels, filters): convolution.winograd(*sizes),
                         (Bar('faster', 1.5, 'plain'),)))
    return rows


def _proposals():
    rows = []
    for images in (1, 8):
        for height, width in ((32, 32), (88, 50)):
            rows.append(Case(f'MultiProposal {images} images, 21 anchors, {height}x{width}, 6000 -> 300',
                             lambda images=images, size=(height, width): proposals.multi_proposal(images, *size),
                             (Bar('faster', 2, 'stock'),)))
    for label, valid in (('wide range', (0, 160)), ('narrow range', (0, 24))):
        for operator in ('MultiProposalTarget', 'MultiProposalTargetMask'):
            rows.append(Case(f'{operator} 16 chips, {label}',
                             lambda operator=operator, valid=valid: proposals.scaling_targets(operator, 16, valid),
                             (Bar('ms', 3, units=16), Bar('faster', 1.4, 'one thread'))))
    rows.append(Case('MultiProposalTarget with group boxes, 16 chips, wide range',
                     lambda: proposals.targets_with_groups(16), (Bar('within', 1.25, 'without'),)))
    rows.append(Case('SoftSamplingWeight 16 chips, 300 rois, 100 objects', proposals.soft_sampling,
                     (Bar('faster', 2, 'numpy'),)))
    rows.append(Case('MaskRcnnTarget 10 chips, 50 rois, 28x28', proposals.mask_targets))
    rows.append(Case('MinedAnchorTarget 1200x1600, three modules, 78800 anchors, 500 faces', mined_anchors.targets,
                     (Bar('ms', 15), Bar('faster', 10, 'numpy')), warm=2))
    return rows


def _chips_and_nms():
    return [
        Case('chip cover, 100 boxes in 2000x1400, stride 32', chips_and_nms.chip_cover,
             (Bar('ms', 0.4), Bar('faster', 10, 'std::set'))),
        Case('ChipGenerator operator, 8 images of 100 boxes', chips_and_nms.chip_operator),
        Case('soft-NMS, 300 boxes x 80 classes', chips_and_nms.soft_nms, (Bar('faster', 10, 'numpy'),)),
    ]


def _graph():
    return [Case('resnet_mx_101_e2e test graph, one 512x512 image', graph.resnet101, (Bar('within', 1.15, 'plain'),))]
