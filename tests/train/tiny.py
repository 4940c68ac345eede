"""Stand-ins for the training tests: a small network with the RPN's output names, and batches made from numbers."""
import numpy as np

from configs import load_config

SIZE, CELLS, ANCHORS = 16, 8, 2
SETTINGS = {
    'TRAIN.lr': 0.1, 'TRAIN.lr_step': '1.5', 'TRAIN.warmup': True, 'TRAIN.warmup_lr': 0.01, 'TRAIN.warmup_step': 3,
    'TRAIN.momentum': 0.9, 'TRAIN.wd': 0.0005, 'TRAIN.end_epoch': 2, 'TRAIN.BATCH_IMAGES': 2,
    'network.FIXED_PARAMS': ['stem'], 'gpus': '',
    'symbol': 'sniper_tiny', 'TRAIN.ONLY_PROPOSAL': True,  # whose task the network below serves
}


def make_config(**train):
    """A complete configuration with small values; keyword arguments are keys of TRAIN."""
    settings = dict(SETTINGS, **{'TRAIN.' + key: value for key, value in train.items()})
    return load_config(None, [word for pair in settings.items() for word in pair])


class TinyDetector:
    """Two convolutions and a BatchNorm under the names of a proposal network, with a box layer."""

    def symbol(self, config, variant='proposal_train'):
        from sniper_mxnet import mx
        from symbols.options import LossOptions
        losses = LossOptions.from_config(config, 16)
        data = mx.sym.var('data')
        net = mx.sym.Convolution(data, num_filter=4, kernel=(3, 3), pad=(1, 1), stride=(2, 2), name='stem')
        net = mx.sym.BatchNorm(net, fix_gamma=False, momentum=config.network.BN_MOMENTUM, name='bn',
                               use_global_stats=config.network.FIX_BN)
        net = mx.sym.Activation(net, act_type='relu')
        score = mx.sym.Convolution(net, num_filter=2 * ANCHORS, kernel=(1, 1), name='rpn_cls_score')
        prob = mx.sym.SoftmaxOutput(mx.sym.Reshape(score, shape=(0, 2, -1, 0)), mx.sym.var('label'), multi_output=True,
                                    use_ignore=True, ignore_label=-1, name='rpn_cls_prob',
                                    **losses.of_labels(ANCHORS * CELLS * CELLS, ANCHORS * CELLS * CELLS))
        boxes = mx.sym.Convolution(net, num_filter=4 * ANCHORS, kernel=(1, 1), name='bbox_pred')
        loss = mx.sym.MakeLoss(mx.sym.var('bbox_weight') * mx.sym.smooth_l1(boxes - mx.sym.var('bbox_target')),
                               grad_scale=0.02 / losses.batch_images, name='rpn_bbox_loss')
        return mx.sym.Group([prob, loss])

    def new_parameters(self, symbol):
        return {name for name in symbol.list_arguments() if name.startswith(('rpn_', 'bbox_pred'))}

    def initializer(self):
        from sniper_mxnet import mx
        return mx.init.Xavier()


class FakeBatch:
    """As lib.iterators.Batch."""

    def __init__(self, data, label, images, index):
        self.data, self.label, self.images, self.index, self.stats = data, label, images, index, {}


class FakeIterator:
    """Batches that depend on (epoch, number) alone. on_batch(epoch, number) is called before each one,
    on_epoch() when an epoch starts.

    Worker `shard` (rank, count) gets its `batch_size` rows of batches of count x batch_size.
    """

    def __init__(self, batch_size, batches=3, on_batch=None, shard=(0, 1), on_epoch=None):
        self.batch_size, self.batches, self.on_batch, self.shard = batch_size, batches, on_batch, shard
        self.on_epoch = on_epoch
        shape = (batch_size, 4 * ANCHORS, CELLS, CELLS)
        self.provide_data = [('data', (batch_size, 3, SIZE, SIZE))]
        self.provide_label = [('label', (batch_size, ANCHORS * CELLS * CELLS)), ('bbox_target', shape),
                              ('bbox_weight', shape)]
        self.started = []

    def start_epoch(self, epoch, first_batch=0, first_chip=0, order_batch=None):
        self.epoch, self.number = epoch, first_batch
        self.started.append((epoch, first_batch))
        if self.on_epoch:
            self.on_epoch()
        return self.batches

    def count_batches(self, epoch):
        return self.batches

    def __next__(self):
        if self.on_batch:
            self.on_batch(self.epoch, self.number)
        rng = np.random.RandomState(100 * self.epoch + self.number)
        rank, count = self.shard
        rows = slice(rank * self.batch_size, (rank + 1) * self.batch_size)
        data, label = ({name: rng.rand(count * shape[0], *shape[1:]).astype(np.float32)[rows]
                        for name, shape in provide}
                       for provide in (self.provide_data, self.provide_label))
        shape = (count * self.batch_size,) + label['label'].shape[1:]
        label['label'] = rng.randint(-1, 2, shape)[rows].astype(np.float32)
        images = [f'image_{self.epoch}_{self.number}_{row}.jpg' for row in range(self.batch_size)]
        self.number += 1
        return FakeBatch(data, label, images, self.number - 1)
