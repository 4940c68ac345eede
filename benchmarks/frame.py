"""What a camera's frame costs on one core: python -m benchmarks.frame [--size 216 384] [--budget SECONDS]

Milliseconds of the processor a frame, of the test graphs of sniper_arm_deepv, sniper_arm_slim and, beside them,
sniper_tiny_e2e, with seeded weights: float32 with TEST.FOLD and without, and int8, all in turn in one process, two
frames each, of which the second is timed; and each network in float32 up to the RPN's outputs, without what makes boxes
of them. Prints medians, multiply-adds, and a line of JSON. Exit status 1 if slim is not at least 4 times as fast as
deepv in every precision.
"""
import argparse
import os
import sys
import time

from benchmarks import timing
from benchmarks.precision import bind, draw
from configs import load_config
from lib.engine.precision import prepare_processor

CONFIGS = {'deepv': 'configs/arm/sniper_arm_deepv.yml', 'slim': 'configs/arm/sniper_arm_slim.yml',
           'sniper_tiny': 'configs/faster/sniper_tiny_e2e.yml'}
RPN_OUTPUTS = ('rpn_cls_prob_output', 'rpn_bbox_pred_output')
PRECISIONS = ('fp32', 'fp32, TEST.FOLD', 'int8')
BAR = 4.0       # slim against deepv


def main(argv=None):
    """-> exit status: 0 if the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, nargs=2, default=(216, 384), metavar=('HEIGHT', 'WIDTH'))
    parser.add_argument('--budget', type=float, default=30.0, metavar='SECONDS', help='of the rounds (%(default)s)')
    args = parser.parse_args(argv)
    os.environ.update(OMP_NUM_THREADS='1', MXNET_CPU_WORKER_NTHREADS='1')
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    runs_on = prepare_processor('int8')
    functions, multiplied = {}, {}
    for name, path in CONFIGS.items():
        found, multiplied[name] = networks(path, tuple(args.size))
        functions.update({(name, precision): function for precision, function in found.items()})
    milliseconds = {key: 1e3 * value for key, value in timing.interleaved(
        functions, args.budget, warm=1, clock=time.process_time).items()}
    rows = [dict(network=name, precision=precision, ms=round(value, 2), million=round(multiplied[name] / 1e6, 1))
            for (name, precision), value in milliseconds.items()]
    print('\n'.join(timing.table(('network', 'M multiply-adds', 'precision', 'ms'), [
        (row['network'], row['million'], row['precision'], f'{row["ms"]:.2f}') for row in rows])))
    faster = {precision: round(milliseconds['deepv', precision] / milliseconds['slim', precision], 2)
              for precision in PRECISIONS}
    holds = all(value >= BAR for value in faster.values())
    for precision, value in faster.items():
        print(f'slim against deepv, {precision}: {value} times as fast (at least {BAR:g}: '
              f'{"holds" if value >= BAR else "MISSED"})')
    print(timing.json_line('frame', rows=rows, faster=faster, runs_on=runs_on, size=list(args.size), holds=holds))
    return 0 if holds else 1


def networks(path, size):
    """({precision: callable that runs a frame}, multiply-adds of a frame)."""
    from lib.engine.cost import cost_of
    from lib.engine.lower_precision import RangeCollector, fused_graph, to_int8, wanted_ranges
    from lib.engine.network import folded
    from lib.engine.winograd import use_winograd
    from lib.tasks import get_task
    from sniper_mxnet import mx
    from symbols import get_detector
    config = load_config(path, ['gpus', 'cpu', 'TRAIN.fp16', 'False'])
    detector, task = get_detector(config.symbol), get_task(config, 'test')
    symbol = detector.symbol(config, task.test_graph)
    shapes = detector.input_shapes(config, 1, *size, task.test_graph)
    plain = (symbol, *draw(mx, symbol, shapes))
    fold = folded(*plain)
    exact = task.float32_layers
    collector = RangeCollector(wanted_ranges(*fold[:2], exact))
    bind(mx, fused_graph(fold[0]), fold[1], fold[2], shapes, collector)()
    found = {'fp32': bind(mx, *plain, shapes),
             'fp32, TEST.FOLD': bind(mx, *use_winograd(*fold[:2]), fold[2], shapes),
             'int8': bind(mx, *to_int8(*fold[:2], collector.ranges, exact), fold[2], shapes)}
    internals = symbol.get_internals()
    inner = mx.sym.Group([internals[name] for name in RPN_OUTPUTS])
    inputs = {name: shape for name, shape in shapes.items() if name in inner.list_arguments()}
    found['fp32, to the RPN'] = bind(mx, inner, *plain[1:], inputs)
    return found, cost_of(symbol, shapes).total('multiply_adds')


if __name__ == '__main__':
    sys.exit(main())
