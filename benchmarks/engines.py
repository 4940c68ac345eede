"""MXNet, ONNX Runtime and OpenVINO beside each other: python -m benchmarks.engines [--size 512] [--budget SECONDS]
[--out FOLDER] [--pictures FOLDER] [--memory] [--only ROW ...]

resnet_mx_101_e2e with seeded weights is exported, in float32 and int8, and every engine runs it on one image in every
precision that it has, through the predictors that main_test.py uses. They take turns in one process, two images each,
of which the second counts: processor time of all threads, so that what else the machine does counts little.
--pictures: the shipped sniper_tiny finds what there is in the pictures of a folder, by lib.api, images a second of
processor time. --memory: each engine in a process of its own sees one picture of 1400x2000; the most that the process
held. The last line is JSON. A precision that a processor or an engine does not have is left out.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np

from benchmarks import timing
from benchmarks.precision import draw
from configs import load_config
from lib.engine.precision import prepare_processor
from lib.utils.errors import SniperError
from lib.utils.files import write_file
from lib.utils.processes import limit_threads, peak_memory
from lib.weights.paths import output_folder

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LARGE, TINY = 'configs/faster/sniper_res101_e2e.yml', 'configs/faster/sniper_tiny_e2e.yml'
MXNET = 'MXNet'         # the row that others are compared with
LARGE_PICTURE = 1400, 2000
CALIBRATION = ['TEST.CALIBRATION_IMAGES', os.path.join(ROOT, 'data', 'demo')]
MOST_ROUNDS = 15


def main(argv=None):
    """-> exit status 0; SniperError as text where a network cannot be exported."""
    args = parser().parse_args(argv)
    limit_threads()
    if args.memory_of:
        return memory_of(args)
    for precision in ('bf16', 'int8'):      # before MXNet loads
        try:
            prepare_processor(precision)
        except SniperError as error:
            print(error)
    figures = {}
    if args.pictures:
        figures['pictures'] = images_a_second(args)
    elif args.memory:
        figures['memory'] = memory(args)
    else:
        figures['network'] = network(args)
    print(timing.json_line('engines', size=args.size, threads=os.environ['OMP_NUM_THREADS'], **figures))
    return 0


def parser():
    """The command line."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument('--size', type=int, default=512, metavar='PIXELS', help='side of the image (%(default)s)')
    found.add_argument('--budget', type=float, default=60.0, metavar='SECONDS', help='of the rounds (%(default)s)')
    found.add_argument('--out', default='output/benchmarks/engines', metavar='FOLDER', help='files (%(default)s)')
    found.add_argument('--pictures', metavar='FOLDER', help='time sniper_tiny on these')
    found.add_argument('--memory', action='store_true', help='measure memory')
    found.add_argument('--only', nargs='+', default=[], metavar='ROW', help='these rows alone')
    found.add_argument('--memory_of', metavar='ROW', help=argparse.SUPPRESS)
    return found


def rows(config_path, args):
    """{row: keys and values}; the exported files are made if they are not there."""
    float32, int8 = 'fp32', 'int8'
    found = {MXNET: [], 'MXNet, TEST.FOLD': ['TEST.FOLD', True], 'MXNet bf16': ['TEST.PRECISION', 'bf16'],
             'MXNet int8': ['TEST.PRECISION', 'int8', *CALIBRATION],
             'ONNX Runtime': ['TEST.ONNX', float32], 'ONNX Runtime int8': ['TEST.ONNX', int8],
             'OpenVINO': ['TEST.ENGINE', 'openvino', 'TEST.ONNX', float32],
             'OpenVINO bf16': ['TEST.ENGINE', 'openvino', 'TEST.ONNX', float32, 'TEST.PRECISION', 'bf16'],
             'OpenVINO int8': ['TEST.ENGINE', 'openvino', 'TEST.ONNX', int8]}
    wanted = {name: keys for name, keys in found.items() if not args.only or name in (MXNET, *args.only)}
    if config_path == LARGE:
        write_weights(config_path, args)
    return {name: [export(config_path, args, word) if before == 'TEST.ONNX' else word
                   for before, word in zip(['', *keys], keys)] for name, keys in wanted.items()}


def settings(config_path, args):
    """Keys of all rows: one image a batch on the CPU; weights of its own for the large network."""
    keys = ['gpus', 'cpu', 'TRAIN.fp16', False, 'TEST.CONCURRENT_JOBS', 1, 'TEST.NUM_PROCESS', 0, 'output_path',
            args.out]
    return keys + (['TEST.TEST_EPOCH', 1, 'TEST.BATCH_IMAGES', 1, 'TEST.SCALES', '[(512, 512)]']
                   if config_path == LARGE else [])


def export(config_path, args, precision):
    """Path of the exported network, made unless it is there; not proven: seeded weights in int8 agree with nothing."""
    path = os.path.join(args.out, f'{os.path.basename(config_path)[:-len(".yml")]}_{precision}.onnx')
    if os.path.isfile(path):
        return path
    from lib.export.network import export_network
    from lib.export.precision import lower_precision
    from lib.inference import find_weights, settle_classes
    from lib.tasks import get_task
    config = load_config(config_path, [*settings(config_path, args), *CALIBRATION])
    weights = find_weights(config, output_folder(config, config_path), 'SNIPER')
    weights = weights._replace(classes=settle_classes(config, weights))
    task = get_task(config, 'test')
    network = lower_precision(task, export_network(config, weights, task.test_graph), precision)
    write_file(path, network.model.SerializeToString())
    return path


def write_weights(config_path, args):
    """A checkpoint of seeded weights, with the classes of COCO, unless it is there."""
    from lib.inference.weights import names_for
    from lib.weights.checkpoint import save_weights
    from sniper_mxnet import mx
    from symbols import get_detector
    config = load_config(config_path, [*settings(config_path, args), 'dataset.NUM_CLASSES', 81])
    folder = output_folder(config, config_path)
    if os.path.isfile(os.path.join(folder, 'SNIPER-0001.json')):
        return
    detector = get_detector(config.symbol)
    weights = draw(mx, detector.test_symbol(config), detector.input_shapes(config, 1, 128, 128, 'test'))
    weights[0].update({name + '_test': array for name, array in weights[0].items() if name.startswith('bbox_pred')})
    os.makedirs(folder, exist_ok=True)
    save_weights(os.path.join(folder, 'SNIPER'), '0001', *weights, {'classes': list(names_for(81))})


def predictor_of(config_path, args, keys):
    """The predictor that a test with these keys has; None, with a line why, if there is none."""
    from lib.inference import PredictorFactory, find_weights, settle_classes, use_float32_on_cpu
    config = load_config(config_path, [*settings(config_path, args), *keys])
    try:
        weights = find_weights(config, output_folder(config, config_path), 'SNIPER')
        settle_classes(config, weights)
        use_float32_on_cpu(config)
        return PredictorFactory(config, weights)()
    except SniperError as error:
        print(f'left out: {error}')
        return None


def batch_of(height, width):
    """One image of noise."""
    pixels = np.random.RandomState(1).normal(0, 50, (1, 3, height, width)).astype(np.float32)
    zero = np.zeros(1, np.float32)
    return SimpleNamespace(data={'data': pixels, 'im_info': np.array([[height, width, 1]], np.float32),
                                 'im_ids': zero, 'chip_ids': zero})


def network(args):
    """[a dict a row] of the large network, printed as a table."""
    batch = batch_of(args.size, args.size)
    predictors = {name: predictor_of(LARGE, args, keys) for name, keys in rows(LARGE, args).items()}
    functions = {name: (lambda predictor=predictor: predictor.predict(batch))
                 for name, predictor in predictors.items() if predictor is not None}
    return compared(timing.interleaved(functions, args.budget, most=MOST_ROUNDS, warm=1, clock=time.process_time))


def images_a_second(args):
    """[a dict a row] of the small detector with everything around it, printed as a table; milliseconds an image."""
    from lib.api import Detector
    paths = sorted(glob.glob(os.path.join(glob.escape(args.pictures), '*')))
    functions = {}
    for name, keys in rows(TINY, args).items():
        try:
            detector = Detector.load(TINY, [*settings(TINY, args), *keys])
            detector.detect(paths[:1])
        except SniperError as error:
            print(f'left out: {error}')
            continue
        functions[name] = lambda detector=detector: detector.detect(paths)
    seconds = timing.interleaved(functions, args.budget, most=MOST_ROUNDS, clock=time.process_time)
    return compared({name: value / len(paths) for name, value in seconds.items()})


def compared(seconds):
    """{row: seconds} -> [a dict a row], printed."""
    found = [{'name': name, 'ms': round(1e3 * value, 1), 'times': round(seconds[MXNET] / value, 2)}
             for name, value in seconds.items()]
    print('\n'.join(timing.table(('engine', 'ms of the processor', f'against {MXNET}'),
                                 [(row['name'], f'{row["ms"]:.1f}', f'{row["times"]:.2f}x') for row in found])))
    return found


def memory(args):
    """{row: bytes that a process holds at most while it sees a large picture}, printed as a table."""
    found = {}
    for name in rows(LARGE, args):
        command = [sys.executable, '-m', 'benchmarks.engines', '--memory_of', name, '--only', name, '--out', args.out]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        if not done.returncode:
            found[name] = json.loads(done.stdout.splitlines()[-1])
    print('\n'.join(timing.table(('engine', 'GiB at most'), [(name, f'{value / 2 ** 30:.2f}')
                                                             for name, value in found.items()])))
    return found


def memory_of(args):
    """Prints the bytes of one row."""
    keys = rows(LARGE, args)[args.memory_of]
    if 'TEST.PRECISION' in keys:
        prepare_processor(keys[keys.index('TEST.PRECISION') + 1])
    predictor = predictor_of(LARGE, args, keys)
    if predictor is None:
        return 1
    predictor.predict(batch_of(*LARGE_PICTURE))
    print(peak_memory())
    return 0


if __name__ == '__main__':
    sys.exit(main())
