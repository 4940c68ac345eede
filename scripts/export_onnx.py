"""Write a network as an ONNX file: python scripts/export_onnx.py --cfg FILE --out X.onnx [--precision fp32|fp16|int8]
[--calibrate FOLDER] [--with-postprocessing] [--picture FILE] [--save_prefix S] [--set KEY VALUE ...]

Takes the checkpoint (or shipped model) that main_test.py would take and writes the network in standard operators of
ONNX, for any number and size of images, with a second file X.masks.onnx where TEST.WITH_MASK is set. Before a file is
written it runs in ONNX Runtime on a picture, and what it gives has to agree with MXNet. docs/onnx.md has the rest.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.cli import add_config_arguments, config_from_arguments, run, setup_logging
from lib.engine.precision import prepare
from lib.export.packages import PRECISIONS, require
from lib.tasks import check_config
from lib.utils.errors import SniperError
from lib.utils.files import check_writable
from lib.utils.user_path import user_path
from lib.weights.paths import output_folder


def main(argv=None):
    """-> exit status 0; raises SniperError for a user's mistake."""
    args = _parser().parse_args(argv)
    setup_logging()
    if not args.out.endswith('.onnx'):
        raise SniperError(f'--out is {args.out}, and has to end in .onnx')
    check_writable(args.out)
    config = _configuration(args)
    require('onnx', 'onnxruntime')
    from lib.export.files import write_files, write_with_postprocessing
    from lib.inference.predictors import graph_tasks
    from lib.inference.scale import scale_name
    from lib.inference.weights import find_weights, settle_classes
    weights = find_weights(config, output_folder(config, args.cfg), args.save_prefix)
    weights = weights._replace(classes=settle_classes(config, weights))
    task, *others = graph_tasks(config)
    if args.with_postprocessing and len(config.TEST.SCALES) > 1:
        raise SniperError(f'TEST.SCALES is {config.TEST.SCALES}, and a file with post-processing looks at one scale: '
                          f"give it, such as --set TEST.SCALES '[{scale_name(config, 0)}]'")
    if others:
        raise SniperError(f'TEST.SCALES is {config.TEST.SCALES}, and {config.symbol} has a network for each: give the '
                          f"one to write, such as --set TEST.SCALES '[{scale_name(config, 0)}]'")
    write = write_with_postprocessing if args.with_postprocessing else write_files
    write(task, weights, args.out, args.picture, args.precision)
    return 0


def _parser():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=user_path, required=True, metavar='FILE', help='the file to write, X.onnx')
    parser.add_argument('--precision', choices=PRECISIONS, default='fp32',
                        help='of weights and products (default: %(default)s)')
    parser.add_argument('--calibrate', type=user_path, default='', metavar='FOLDER',
                        help='pictures that int8 is calibrated on (default: TEST.CALIBRATION_IMAGES, or the training '
                        'set)')
    parser.add_argument('--with-postprocessing', action='store_true',
                        help='one file for other programs: a picture in, final boxes, classes and scores out')
    parser.add_argument('--picture', type=user_path, default='', metavar='FILE',
                        help='the picture that both run on (default: one that is drawn)')
    return add_config_arguments(parser)


def _configuration(args):
    config = config_from_arguments(args)
    if config.TEST.OPTIMIZED:
        raise SniperError(f'TEST.OPTIMIZED is {config.TEST.OPTIMIZED}: an optimised network cannot be exported; leave '
                          'it out')
    config.TEST.ENGINE, config.TEST.ONNX = 'mxnet', ''      # a configuration may name the file that is to be written
    check_config(config, 'test')
    if args.calibrate:
        if args.precision != 'int8':
            raise SniperError(f'--calibrate is for --precision int8, and this is {args.precision}: leave it out')
        config.TEST.CALIBRATION_IMAGES = args.calibrate
    config.TEST.ENGINE, config.TEST.ONNX = 'mxnet', ''     # of which the checkpoint is read
    config.TEST.PRECISION, config.TEST.FOLD = 'fp32', False
    config.TRAIN.fp16 = False
    config.gpus = 'cpu'     # whose operators the graph has, and where the proof runs
    prepare(config)
    return config


if __name__ == '__main__':
    run(main)
