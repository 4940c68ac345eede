"""Operators without a GPU kernel run on a second context; here both are CPU contexts of one process."""
import os
import subprocess
import sys

PROGRAM = """
import numpy as np
from configs import load_config
from sniper_mxnet import mx
from symbols import get_detector
from symbols.ops import HOST
from tests.symbols.helpers import shapes_of

config = load_config('configs/faster/sniper_tiny_e2e.yml',
                     ['dataset.NUM_CLASSES', 4, 'TRAIN.CHIP_SIZE', 64, 'TRAIN.BATCH_IMAGES', 2])
detector = get_detector('sniper_tiny')
for variant in ('train', 'test'):
    symbol = detector.symbol(config, variant)
    shapes = shapes_of(detector, config, 2, 64, 64, variant)
    wanted = {name: 'null' if name in shapes else 'write' for name in symbol.list_arguments()}
    results = []
    for group in (None, {HOST: mx.cpu(1)}):
        executor = symbol.simple_bind(mx.cpu(0), grad_req=wanted, group2ctx=group, **shapes)
        draw = np.random.RandomState(3)
        for name, array in sorted(executor.arg_dict.items()):
            array[:] = draw.normal(0, 0.1, array.shape)
        executor.arg_dict['im_info'][:] = [[64, 64, 1], [50, 60, 1]]
        if variant == 'train':
            executor.arg_dict['valid_ranges'][:] = [[0, 64]] * 2
            executor.arg_dict['gt_boxes'][:] = -1
            executor.arg_dict['gt_boxes'][:, 0] = [5, 5, 40, 40, 2]
            executor.arg_dict['label'][:] = 1
        for array in executor.aux_dict.values():
            array[:] = 1
        outputs = [output.asnumpy() for output in executor.forward(is_train=variant == 'train')]
        if variant == 'train':
            executor.backward()
            outputs += [gradient.asnumpy() for _, gradient in sorted(executor.grad_dict.items())
                        if gradient is not None]
        results.append(outputs)
    for alone, grouped in zip(*results):
        np.testing.assert_array_equal(alone, grouped)
print('equal')
"""


def test_proposal_operators_on_another_context_give_the_same_results():
    # MXNet's oneDNN fusion, on by default for CPU contexts only, does not know context groups.
    done = subprocess.run([sys.executable, '-c', PROGRAM], capture_output=True, text=True,
                          env=dict(os.environ, MXNET_SUBGRAPH_BACKEND='NONE'))
    assert done.returncode == 0 and done.stdout.strip() == 'equal', done.stderr
