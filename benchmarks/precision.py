"""Folding, bfloat16 and int8 against float32: python -m benchmarks.precision [--size 512] [--budget SECONDS] [--ap]

The test graph of resnet_mx_101_e2e on one image, with seeded weights: unfolded (as main_test.py runs it by itself, with
oneDNN's fusion), the same without that fusion, folded, folded with Winograd's convolutions (what TEST.FOLD runs), bf16
and int8 take turns in one process, two images each, of which the second is timed; a row holds the median and the ratio
to what its bar is about. The outputs that folding must not change are compared on the trunk and the RPN.
--ap also runs the shipped tiny model on the synthetic validation split in each precision, by main_test.py. The last
line is JSON. Exit status 1 if a bar is missed.
"""
import argparse
import glob
import json
import os
import subprocess
import sys

import numpy as np

from benchmarks import timing
from configs import load_config
from lib.engine.precision import MAX_ISA, prepare_processor
from lib.utils.processes import environment

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CONFIG = 'configs/faster/sniper_res101_e2e.yml'
TINY = 'configs/faster/sniper_tiny_e2e.yml'
COMPARED = ('rpn_cls_score_output', 'rpn_bbox_pred_output', 'conv_new_1_relu_output')
# row -> (compared with, least ratio); AP: largest loss
BARS = {'TEST.FOLD': ('unfolded', 1.25), 'bf16': ('unfolded', 2.5), 'int8': ('unfolded', 2.0)}
AP_BARS = {'bf16': 0.01, 'int8': 0.015}
FOLD_BAR = 1e-4


def main(argv=None):
    """-> exit status: 0 if every bar that was measured holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, default=512, metavar='PIXELS', help='side of the image (%(default)s)')
    parser.add_argument('--budget', type=float, default=40.0, metavar='SECONDS',
                        help='time of the rounds (%(default)s)')
    parser.add_argument('--ap', action='store_true', help='measure AP too: minutes')
    parser.add_argument('--out', default='output/benchmarks/precision', metavar='FOLDER', help='results (%(default)s)')
    args = parser.parse_args(argv)
    runs_on = {precision: prepare_processor(precision) for precision in ('bf16', 'int8')}
    rows, difference = speeds(args.size, args.budget)
    print('\n'.join(timing.table(('network', 'ms', 'bar', 'reached', 'holds'), [cells(row) for row in rows])))
    print(f'folded against unfolded: largest difference {difference:.1e} of the largest value (bar: {FOLD_BAR:g})')
    accuracy = measure_ap(args.out) if args.ap else {}
    for precision, figures in accuracy.items():
        print(f'AP of sniper_tiny, {precision}: {figures:.4f}')
    losses = {name: accuracy['fp32'] - accuracy[name] for name in AP_BARS} if accuracy else {}
    holds = (all(row['holds'] for row in rows) and difference <= FOLD_BAR
             and all(losses[name] <= AP_BARS[name] for name in losses))
    print(timing.json_line('precision', rows=rows, fold_difference=difference, AP=accuracy, AP_loss=losses,
                           runs_on=runs_on, size=args.size, holds=holds))
    return 0 if holds else 1


def speeds(size, budget):
    """(a dict a row, largest relative difference of the folded outputs)."""
    from lib.engine.lower_precision import RangeCollector, fused_graph, to_bfloat16, to_int8, wanted_ranges
    from lib.engine.network import folded
    from lib.engine.winograd import use_winograd
    from lib.tasks import get_task
    from sniper_mxnet import mx
    from symbols import get_detector
    config = load_config(CONFIG, ['gpus', 'cpu', 'TRAIN.fp16', 'False'])
    detector, exact = get_detector(config.symbol), get_task(config, 'test').float32_layers
    symbol, shapes = detector.test_symbol(config), detector.input_shapes(config, 1, size, size, 'test')
    plain = (symbol,) + draw(mx, symbol, shapes)
    fold = folded(*plain)
    collector = RangeCollector(wanted_ranges(*fold[:2], exact))
    bind(mx, fused_graph(fold[0]), fold[1], fold[2], shapes, collector)()
    with environment(MXNET_SUBGRAPH_BACKEND='NONE'):
        functions = {'unfused': bind(mx, *plain, shapes)}
    functions.update({'TEST.FOLD': bind(mx, *use_winograd(*fold[:2]), fold[2], shapes)})
    functions.update(unfolded=bind(mx, *plain, shapes), folded=bind(mx, *fold, shapes),
                     bf16=bind(mx, *to_bfloat16(*fold[:2], exact), fold[2], shapes),
                     int8=bind(mx, *to_int8(*fold[:2], collector.ranges, exact), fold[2], shapes))
    seconds = timing.interleaved(functions, budget, warm=1)
    rows = []
    for name, value in seconds.items():
        other, bar = BARS.get(name, ('unfolded', None))
        reached = seconds[other] / value
        rows.append({'name': name, 'ms': round(1e3 * value, 1), 'bar': bar, 'reached': round(reached, 3),
                     'against_unfused': round(seconds['unfused'] / value, 3), 'holds': bar is None or reached >= bar})
    return rows, fold_difference(mx, plain, shapes)


def fold_difference(mx, network, shapes):
    """Largest difference of COMPARED between the network as it is, without oneDNN's fusion, and with TEST.FOLD."""
    from lib.engine.network import folded
    from lib.engine.winograd import use_winograd
    inner = mx.sym.Group([network[0].get_internals()[name] for name in COMPARED])
    inputs = {name: shape for name, shape in shapes.items() if name in inner.list_arguments()}
    with environment(MXNET_SUBGRAPH_BACKEND='NONE'):
        expected = bind(mx, inner, *network[1:], inputs)()
    symbol, arg_params, aux_params = folded(inner, *network[1:])
    found = bind(mx, *use_winograd(symbol, arg_params), aux_params, inputs)()
    return max(float(np.abs(one - other).max() / np.abs(one).max()) for one, other in zip(expected, found))


def draw(mx, symbol, shapes):
    """Seeded parameters with which activations neither die nor explode over a hundred layers, and boxes stay small."""
    arguments, _, auxiliary = symbol.infer_shape(**shapes)
    rng = np.random.RandomState(0)

    def array(name, shape):
        if name.endswith(('gamma', 'var')):
            return mx.nd.array(rng.uniform(0.5, 1.5, shape))
        if len(shape) == 1:
            return mx.nd.array(rng.normal(0, 0.1, shape))
        # Offsets of whole cells would leave the map, where the sampling jumps and the last bit decides.
        small = 1e-5 if 'offset' in name else 0.01 if 'bbox_pred' in name else 0.1 if 'cls_score' in name else 1.0
        return mx.nd.array(rng.normal(0, small / np.prod(shape[1:]) ** 0.5, shape))
    return ({name: array(name, shape) for name, shape in zip(symbol.list_arguments(), arguments) if name not in shapes},
            {name: array(name, shape) for name, shape in zip(symbol.list_auxiliary_states(), auxiliary)})


def bind(mx, symbol, arg_params, aux_params, shapes, monitor=None):
    """A callable that runs the network on a seeded image and gives its outputs as NumPy arrays."""
    wanted = {name: arg_params[name] for name in symbol.list_arguments() if name in arg_params}
    executor = symbol.simple_bind(
        mx.cpu(), grad_req='null', type_dict=dict({name: array.dtype for name, array in wanted.items()},
                                                  **{name: np.float32 for name in shapes}),
        **dict({name: array.shape for name, array in wanted.items()}, **shapes))
    executor.copy_params_from(wanted, aux_params, allow_extra_params=True)
    size = shapes['data'][2]
    executor.arg_dict['data'][:] = np.random.RandomState(1).normal(0, 50, shapes['data'])
    if 'im_info' in shapes:
        executor.arg_dict['im_info'][:] = np.array([[size, size, 1]])
    if monitor:
        executor.set_monitor_callback(monitor, monitor_all=True)
    return lambda: [output.asnumpy() for output in executor.forward(is_train=False)]


def cells(row):
    """One line of the table."""
    bar = BARS.get(row['name'])
    return (row['name'], f'{row["ms"]:.1f}', f'at least {bar[1]:g}x faster than {bar[0]}' if bar else '-',
            f'{row["reached"]:.2f}x', ('yes' if row['holds'] else 'NO') if bar else '-')


def measure_ap(out):
    """{precision: AP} of the shipped tiny model on the synthetic validation split."""
    found = {}
    for precision in ('fp32', 'bf16', 'int8'):
        folder = os.path.join(out, precision)
        command = [sys.executable, 'main_test.py', '--cfg', TINY, '--set', 'output_path', folder, 'TEST.PRECISION',
                   precision]
        clean = {name: value for name, value in os.environ.items() if name != MAX_ISA}
        if subprocess.call(command, cwd=ROOT, env=clean):
            sys.exit(f'this command failed: {" ".join(command)}')
        path = max(glob.glob(os.path.join(ROOT, folder, '*', '*', 'results', '*', '*', '*_metrics.json')),
                   key=os.path.getmtime)
        with open(path) as stream:
            found[precision] = json.load(stream)['AP']
    return found


if __name__ == '__main__':
    sys.exit(main())
