"""Write settings for a data set: scales, ranges, anchors, limits, and a schedule for the time that there is.

    python -m lib.suggest --data FOLDER [--minutes N] [--memory GB] [--out my.yml]

looks at the sizes of pictures and objects, trains for some seconds to see how fast this machine is, and writes a
configuration file with comments. `python main_train.py --cfg my.yml` trains with it, main_test.py tests.
"""
import argparse
import logging
import os
import shlex
import tempfile

from lib import cli
from lib.utils.errors import SniperError
from lib.utils.files import check_writable, text_writer
from lib.utils.user_path import user_path

logger = logging.getLogger(__name__)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASE = os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')
LEAST_MEMORY = 0.5     # GB
MEMORY_SHARE = 0.7     # of what is free


def parse_arguments(argv=None):
    """Command line -> namespace."""
    parser = argparse.ArgumentParser(prog='python -m lib.suggest', description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=user_path, required=True, metavar='FOLDER', help='the data set')
    parser.add_argument('--train', default='', metavar='SETS', help="sets to train on, joined by '+' (by their names)")
    parser.add_argument('--test', default='', metavar='SET', help='set to test on (by its name)')
    parser.add_argument('--minutes', type=float, default=40, metavar='N', help='to train for (%(default)s)')
    parser.add_argument('--memory', type=float, default=0, metavar='GB', help='to use at most (most of what is free)')
    parser.add_argument('--out', type=user_path, default='my.yml', metavar='FILE', help='to write (%(default)s)')
    parser.add_argument('--upside_down', action='store_true',
                        help='objects look natural upside down too: cells, views from above')
    parser.add_argument('--base', type=user_path, default=BASE, metavar='FILE',
                        help='configuration to begin from: network and optimiser (sniper_tiny_e2e.yml)')
    parser.add_argument('--seconds', type=float, default=10, metavar='N', help='to measure for (%(default)s)')
    parser.add_argument('--force', action='store_true', help='replace the file --out')
    return parser.parse_args(argv)


def main(argv=None):
    """-> exit status 0. Mistakes raise SniperError."""
    args = parse_arguments(argv)
    cli.setup_logging()
    _check(args)

    from configs import config_name
    from lib.dataset.image_sets import checked_sets, find_image_sets
    from lib.suggest import settings
    found = checked_sets(find_image_sets(args.data), args.train, args.test)
    output = os.path.join('output', config_name(args.out))
    print(f'{args.data}: {found.text}')
    base = _load(args, settings.data_entries(found, args.data, output, ('',)))
    _check_base(base, args.base)
    memory = _memory(args.memory)
    roidb, classes, test_roidb = _roidbs(base)
    seen = settings.examine(base, roidb, test_roidb, memory, _shipped_sizes(base, classes))
    entries = settings.data_entries(found, args.data, output, classes) + settings.scale_entries(seen, memory)
    entries += settings.start_entries(base)

    from lib.engine.devices import share_cores
    share_cores(base)
    from lib.suggest.pace import fitting_batch, measured_pace, schedule
    batch = fitting_batch(_load(args, entries, classes), memory)
    entries += settings.training_entries(base, seen.sizes.total, batch, args.upside_down)
    entries.append(settings.shipped_entry(base, seen))
    config = _load(args, entries, classes)
    pace = measured_pace(config, _training_roidb(config), args.seconds, classes)
    plan = schedule(pace, args.minutes, batch)
    entries += settings.schedule_entries(config, pace, plan, batch, args.minutes)
    _write(args, entries)
    _report(args, classes)
    return 0


def _check(args):
    if not 0 < args.minutes < 1e6:
        raise SniperError(f'--minutes {args.minutes:g}: give the minutes to train for, such as 40')
    if not 0 < args.seconds <= 3600:
        raise SniperError(f'--seconds {args.seconds:g}: give the seconds to measure for, such as 10')
    if args.memory and not LEAST_MEMORY <= args.memory < 1e6:
        raise SniperError(f'--memory {args.memory:g}: give gigabytes, {LEAST_MEMORY} at least')
    if os.path.exists(args.out) and not args.force:
        raise SniperError(f'{args.out} exists: give another --out, or --force to replace it')
    check_writable(args.out)


def _check_base(config, path):
    """SniperError for a configuration of another kind than is suggested here: chips, anchors, whole pyramids."""
    from lib.tasks import get_task
    from lib.tasks.proposals import AnchorTask
    if not isinstance(get_task(config), AnchorTask) or config.TRAIN.SAMPLER != 'chips' or any(config.TEST.DO_PRUNING):
        raise SniperError(f'--base {path}: settings are suggested for networks with proposals that are trained on '
                          'chips and tested without AutoFocus, such as configs/faster/sniper_tiny_e2e.yml')


def _memory(gigabytes):
    """Bytes that may be used."""
    from lib.utils.processes import available_memory
    free = available_memory() or 4e9
    return gigabytes * 1e9 if gigabytes else max(MEMORY_SHARE * free, LEAST_MEMORY * 1e9)


def _text(args, entries, out):
    from lib.suggest.text import file_text, relative_base
    head = [f'Written by python -m lib.suggest --data {args.data} --minutes {args.minutes:g}',
            'Each value says why. Change what you know better; what comes of it: python -m lib.chips.stats --cfg FILE',
            'The network is that of the base. On a GPU with ImageNet weights a larger one finds more: --base',
            'configs/faster/sniper_res50_e2e.yml.']
    return file_text(head, relative_base(args.base, out, ROOT), entries)


def _load(args, entries, classes=None):
    """The configuration that a file of these entries makes."""
    from configs import load_config
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'suggested.yml')
        with text_writer(path) as stream:
            stream.write(_text(args, entries, path))
        config = load_config(path)
    if classes:
        config.dataset.NUM_CLASSES = len(classes)
    return config


def _write(args, entries):
    with text_writer(args.out) as stream:
        stream.write(_text(args, entries, args.out))


def _training_roidb(config):
    from lib.dataset import load_training_roidb
    return load_training_roidb(config)[0]


def _roidbs(config):
    """-> (roidb of the training sets without mirrored copies, classes, roidb of the test set)."""
    import copy

    from lib.dataset import load_test_dataset, load_training_roidb
    plain = copy.deepcopy(config)
    plain.TRAIN.FLIP = plain.TRAIN.FLIP_VERTICAL = False
    roidb, classes = load_training_roidb(plain)
    return roidb, classes, load_test_dataset(plain)[1]


def _shipped_sizes(config, classes):
    """What the shipped weights of the base were trained on, if they know all the classes; else None."""
    from lib.chips.scale_fit import TrainedSizes
    from lib.weights.paths import read_sidecar
    if not config.TEST.SHIPPED_MODEL:
        return None
    sidecar = read_sidecar(os.path.join(ROOT, config.TEST.SHIPPED_MODEL), 0)
    known = {str(name).lower() for name in sidecar.get('classes', ())}
    return TrainedSizes.from_facts(sidecar.get('seen')) if {name.lower() for name in classes} <= known else None


def _report(args, classes):
    """The file as it is read: that it can be, what the network sees, what does not fit."""
    from configs import load_config
    from lib.dataset import load_training_roidb
    from lib.tasks import check_config
    from lib.tasks.seen_report import report_training
    config = load_config(args.out)
    config.dataset.NUM_CLASSES = len(classes)
    for purpose in ('train', 'test'):
        check_config(config, purpose)
    lines, warnings, _ = report_training(config, load_training_roidb(config)[0])
    print('\n'.join(['', *lines, '', f'written: {args.out}. Now:',
                     *(f'  python {program} --cfg {shlex.quote(args.out)}{option}'
                       for program, option in (('main_train.py', ''), ('main_test.py', ' --report')))]))
    for line in warnings:
        logger.warning('%s', line)


if __name__ == '__main__':
    cli.run(main)
