"""Train a detector: `python main_train.py --cfg configs/faster/sniper_tiny_e2e.yml [--resume] [--set KEY VALUE ...]`.

MXNet is imported inside functions only: worker processes import this file again when they start.
"""
import argparse
import os
import time

from lib import cli


def parse_arguments(argv=None):
    """Command line -> namespace."""
    parser = argparse.ArgumentParser(description='Train a SNIPER detector.')
    parser.add_argument('--display', type=int, default=100, metavar='N', help='batches between progress lines (100)')
    parser.add_argument('--momentum', type=float, default=None, metavar='M',
                        help='share of the old moving average that a batch norm keeps (default: network.BN_MOMENTUM)')
    parser.add_argument('--resume', action='store_true',
                        help='go on exactly where the last checkpoint in the output folder ends')
    cli.add_config_arguments(parser)
    return parser.parse_args(argv)


def main(argv=None):
    """Run the training -> exit status: 0, 130, 143 or 129 when a signal ended it. Mistakes raise SniperError."""
    args = parse_arguments(argv)
    config = cli.config_from_arguments(args)
    if args.momentum is not None:
        config.network.BN_MOMENTUM = args.momentum

    from lib.distributed.workers import connect
    from lib.engine.devices import share_cores
    from lib.tasks import check_config
    check_config(config, 'train')
    share_cores(config)
    with connect(config) as workers:
        return run_worker(args, config, workers)


def run_worker(args, config, workers):
    """What every worker of a run does, the only one too -> exit status."""
    from configs import config_name
    from configs.derived import chips_of_device
    from lib.dataset import load_training_roidb
    from lib.distributed import consistency
    from lib.engine.devices import check_kvstore, check_precision, contexts
    from lib.iterators import TrainIterator
    from lib.tasks import log_remarks
    from lib.tasks.seen_report import log_training
    from lib.train.classes import in_known_classes
    from lib.train.data_change import training_set_facts
    from lib.train.run import train
    from lib.weights.paths import output_folder
    from symbols import get_detector
    folder = output_folder(config, args.cfg)
    name = f'{config_name(args.cfg)}_{time.strftime("%Y-%m-%d-%H-%M")}' + f'_rank{workers.rank}' * bool(workers.rank)
    cli.setup_logging(os.path.join(folder, name + '.log'), console_level='WARNING' if workers.rank else 'INFO')
    if workers.rank == 0:
        log_remarks(config, 'train')
    devices = contexts(config)
    check_precision(config, devices)
    check_kvstore(config, devices)
    consistency.check_program(workers, config, len(devices))
    detector = get_detector(config.symbol)
    prefix = os.path.join(folder, args.save_prefix)
    roidb, classes = in_known_classes(config, prefix, args.resume, *load_training_roidb(config), workers)
    consistency.check_data(workers, roidb)
    data = training_set_facts(roidb)
    config.dataset.NUM_CLASSES = len(classes)
    cli.keep_configuration(os.path.join(folder, name + '.yml'), config, workers, args.overrides)
    seen = log_training(config, roidb) if workers.rank == 0 else None
    if config.TRAIN.VISUALIZE_VALID_GT and workers.rank == 0:
        from lib.visualization.valid_boxes import draw_training_chips
        draw_training_chips(config, roidb, os.path.join(folder, 'chips'))
    validator = None
    if config.TRAIN.VALIDATE_EVERY and workers.rank == 0:
        from lib.inference.validate import Validator
        validator = Validator(config, prefix, classes)
    with TrainIterator(roidb, config, chips_of_device(config.TRAIN) * len(devices),
                       shard=(workers.rank, workers.count)) as iterator:
        return train(config, detector, iterator, classes, prefix, devices, display=args.display, resume=args.resume,
                     workers=workers, data=data, seen=seen, validator=validator)


if __name__ == '__main__':
    cli.run(main)
