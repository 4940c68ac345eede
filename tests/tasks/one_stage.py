"""A family of detectors that lives in this test folder alone: one stage, a class and a box a cell of the feature map.

Nothing in lib/ or symbols/ names it. Objects are found by the cell that holds their centre. It is trained on random
crops, resized by two scales to an input that is not square.
"""
import numpy as np

from lib.bbox.detections import Detections
from lib.chips import RandomCrops
from lib.tasks import Input, Metric, TargetReport, Task, register_task
from symbols.registry import register_detector

NAME, STRIDE = 'cells', 8
CONFIGURATION = '''
symbol: cells
gpus: cpu
network: {pretrained: '', FIXED_PARAMS: []}
dataset: {dataset: coco, image_set: val, test_image_set: val, NUM_CLASSES: 3}
TRAIN:
  USE_NEG_CHIPS: false
  NUM_PROCESS: 0
  BATCH_IMAGES: 2
  lr: 0.01
  end_epoch: 2
  MAX_BATCHES: 3
TEST:
  SCALES: [[96, 128], [48, 64]]
  VALID_RANGES: [[-1, 60], [20, -1]]
  BATCH_IMAGES: [1, 2]
  NUM_PROCESS: 0
  CONCURRENT_JOBS: 1
  TEST_EPOCH: 2
  SCORE_THRESH: 0.001
'''


class CellTask(Task):
    """Labels and boxes of cells; decoding."""

    name = NAME
    stride = STRIDE

    input_size = HEIGHT, WIDTH = 64, 96
    cells = HEIGHT // STRIDE, WIDTH // STRIDE

    def sampler(self):
        return RandomCrops(*self.input_size, count=2, least_share=0.5)

    def inputs(self):
        return [Input('data', (3, *self.input_size)), Input('cell_label', self.cells, 'label'),
                Input('cell_box', (4, *self.cells), 'label'), Input('cell_weight', (4, *self.cells), 'label')]

    def targets(self, record, window, rng, out):
        out['cell_label'][:], out['cell_box'][:], out['cell_weight'][:] = 0, 0, 0
        x1, y1 = window.box[:2]
        corners = (record['boxes'] - (x1, y1, x1, y1)) * ((window.scale_x, window.scale_y) * 2)
        for box, label in zip(corners, record['gt_classes']):
            column, row = ((box[:2] + box[2:]) / 2 // STRIDE).astype(int)
            if label > 0 and 0 <= row < self.cells[0] and 0 <= column < self.cells[1]:
                centre = (np.array([column, row]) + 0.5) * STRIDE
                out['cell_label'][row, column] = label
                out['cell_box'][:, row, column] = (box - np.tile(centre, 2)) / STRIDE
                out['cell_weight'][:, row, column] = 1
        return TargetReport()

    def metrics(self):
        return [Metric('CellAcc', 'accuracy', 'cell_prob_output', 'cell_label'),
                Metric('CellLogLoss', 'log_loss', 'cell_prob_output', 'cell_label'),
                Metric('BoxLoss', 'l1', 'cell_box_loss_output', '')]

    def decode(self, outputs, windows):
        scores, deltas = outputs['cell_prob_output'], outputs['cell_box_output']
        image, label, row, column = np.nonzero(scores > self.config.TEST.SCORE_THRESH)
        kept = label > 0
        image, label, row, column = (array[kept] for array in (image, label, row, column))
        boxes = deltas[image, :, row, column] * STRIDE + np.column_stack([column, row] * 2) * STRIDE + STRIDE / 2
        corners = np.array([window.box[:2] * 2 for window in windows]).reshape(-1, 4)
        scales = np.array([(window.scale_x, window.scale_y) * 2 for window in windows]).reshape(-1, 4)
        limits = np.array([(window.width, window.height) * 2 for window in windows]).reshape(-1, 4)
        boxes = np.clip(boxes, 0, limits[image] - 1) / scales[image] + corners[image]
        return Detections(image, label, boxes, scores[image, label, row, column])


class CellDetector:
    """Three convolutions, one for the classes, one for the boxes."""

    def _heads(self, config):
        from sniper_mxnet import mx
        feature = mx.sym.var('data') * (1 / 64)
        for number in range(3):
            feature = mx.sym.Convolution(feature, name=f'cell_conv{number}', num_filter=8, kernel=(3, 3), stride=(2, 2),
                                         pad=(1, 1))
            feature = mx.sym.Activation(feature, act_type='relu')
        return mx, (mx.sym.Convolution(feature, name='cell_class', num_filter=config.dataset.NUM_CLASSES,
                                       kernel=(1, 1)),
                    mx.sym.Convolution(feature, name='cell_box_delta', num_filter=4, kernel=(1, 1)))

    def train_symbol(self, config):
        """data, cell_label, cell_box, cell_weight -> cell_prob_output, cell_box_loss_output."""
        mx, (classes, boxes) = self._heads(config)
        prob = mx.sym.SoftmaxOutput(classes, mx.sym.var('cell_label'), multi_output=True, normalization='valid',
                                    name='cell_prob')
        loss = mx.sym.smooth_l1((boxes - mx.sym.var('cell_box')) * mx.sym.var('cell_weight'), scalar=1.0)
        return mx.sym.Group([prob, mx.sym.MakeLoss(loss, grad_scale=0.01, name='cell_box_loss')])

    def test_symbol(self, config):
        """data -> cell_prob_output (B, C, h, w), cell_box_output (B, 4, h, w)."""
        mx, (classes, boxes) = self._heads(config)
        return mx.sym.Group([mx.sym.softmax(classes, axis=1, name='cell_prob'),
                             mx.sym.identity(boxes, name='cell_box')])

    def symbol(self, config, variant):
        return getattr(self, variant + '_symbol')(config)

    def input_shapes(self, config, batch, height, width, variant):
        shapes = {'data': (batch, 3, height, width)}
        if variant == 'train':
            cells = (height // STRIDE, width // STRIDE)
            shapes.update(cell_label=(batch,) + cells, cell_box=(batch, 4) + cells, cell_weight=(batch, 4) + cells)
        return shapes

    def variants(self, shapes):
        return []

    @staticmethod
    def new_parameters(symbol):
        return []

    @staticmethod
    def initializer():
        from sniper_mxnet import mx
        return mx.init.Xavier()


def build():
    """The detector; MXNet is loaded when its graphs are made."""
    return CellDetector()


register_task(NAME, CellTask)
register_detector(NAME, f'{__name__}:build', task=NAME, stride=STRIDE)
