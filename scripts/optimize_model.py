"""Write a network ready for inference: python scripts/optimize_model.py --cfg FILE --out PREFIX [--precision P]
[--variant export] [--save_prefix S] [--set KEY VALUE ...]

Takes the checkpoint (or shipped model) that main_test.py would take, folds its BatchNorms, lowers the precision and
calibrates where that is asked for, and writes PREFIX-symbol.json, PREFIX-0000.params and PREFIX-0000.json. Run with it:
python main_test.py --cfg FILE --set TEST.OPTIMIZED PREFIX (demo.py alike). docs/precision.md says when which is of use.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.cli import add_config_arguments, config_from_arguments, file_prefix, run, setup_logging
from lib.engine.precision import prepare
from lib.tasks import check_config
from lib.utils.errors import SniperError
from lib.weights.paths import output_folder


def main(argv=None):
    """-> exit status 0; raises SniperError for a user's mistake."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--precision', choices=('fp32', 'bf16', 'int8'),
                        help='of the products (default: TEST.PRECISION of the configuration)')
    parser.add_argument('--variant', choices=('test', 'export'), default='test',
                        help='test (the default): for TEST.OPTIMIZED; export: for other programs, outputs as the '
                        "network's original gives them")
    parser.add_argument('--out', type=file_prefix, required=True, metavar='PREFIX',
                        help='of the files that are written')
    args = add_config_arguments(parser).parse_args(argv)
    setup_logging()
    config = config_from_arguments(args)
    check_config(config, 'test')
    if config.TEST.OPTIMIZED:
        raise SniperError(f'TEST.OPTIMIZED is {config.TEST.OPTIMIZED}: an optimised network cannot be optimised again; '
                          'leave it out')
    if args.precision:
        config.TEST.PRECISION = args.precision
    prepare(config)
    from lib.engine.network import export_model
    from lib.inference.predictors import graph_tasks
    from lib.inference.scale import scale_name
    from lib.inference.weights import find_weights, settle_classes
    weights = find_weights(config, output_folder(config, args.cfg), args.save_prefix)
    settle_classes(config, weights)
    config.TRAIN.fp16 = False  # of the test graph too; CPUs have none
    task, *others = graph_tasks(config)
    if others:
        raise SniperError(f'TEST.SCALES is {config.TEST.SCALES}, and {config.symbol} has a network for each: give the '
                          f"one to write, such as --set TEST.SCALES '[{scale_name(config, 0)}]'")
    variant = task.test_graph if args.variant == 'test' else args.variant
    export_model(task.config, weights, args.out, config.TEST.PRECISION, variant)
    return 0


if __name__ == '__main__':
    run(main)
