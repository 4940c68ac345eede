"""What training would make of a data set, without training: chips, pixels, objects in no chip, what the network sees.

    python -m lib.chips.stats --cfg configs/faster/sniper_tiny_e2e.yml [--draw N FOLDER [--valid]] [--set KEY VALUE ...]

prints two tables and what does not fit (scales, ranges, anchors: a line each with what would), plots the chips into
--out (chips.png) and draws N images with their chips, objects and proposals into FOLDER, beside the very pixels and
boxes that the network gets where these are drawn at random or resized to one size; --valid adds each of their chips,
raw and with the objects that are valid there (lib.visualization.valid_boxes). The chips are those of epoch --epoch
with TRAIN.SEED; with TRAIN.SAMPLER images or crops they are these. At what size the network sees pictures and objects
in training and test stands at the head of main_train.py and main_test.py too.
"""
import argparse
import json
import logging

import numpy as np

from lib import cli
from lib.chips.statistics import count_chips, window_settings
from lib.utils import seeds
from lib.utils.errors import SniperError
from lib.utils.files import text_writer
from lib.utils.user_path import user_path
from lib.visualization.plot_file import check_ending

logger = logging.getLogger(__name__)

DRAWS = 4   # pictures of an image as the network sees it


def parse_arguments(argv=None):
    """Command line -> namespace."""
    parser = argparse.ArgumentParser(prog='python -m lib.chips.stats', description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=user_path, default='chips.png', metavar='FILE',
                        help="plot, .png; '' = none (%(default)s)")
    parser.add_argument('--json', type=user_path, default='', metavar='FILE', help='write the figures there too')
    parser.add_argument('--draw', nargs=2, default=None, metavar=('N', 'FOLDER'),
                        help='draw N images, spread over the set, into FOLDER')
    parser.add_argument('--valid', action='store_true', help='with --draw: each chip of these images, raw and with its '
                        'valid and invalid objects; main_train.py does so with TRAIN.VISUALIZE_VALID_GT')
    parser.add_argument('--epoch', type=int, default=0, metavar='E', help='whose chips, from 0 (%(default)s)')
    return cli.add_config_arguments(parser).parse_args(argv)


def main(argv=None):
    """-> exit status 0. Mistakes raise SniperError."""
    args = parse_arguments(argv)
    cli.setup_logging()
    wanted, folder = (_number(args.draw[0]), user_path(args.draw[1])) if args.draw else (0, '')
    if args.epoch < 0:
        raise SniperError(f'--epoch {args.epoch}: epochs count from 0')
    if args.valid and not args.draw:
        raise SniperError('--valid draws chips of the images of --draw: give --draw N FOLDER too')
    if args.out:
        check_ending(args.out, '--out')
    config = cli.config_from_arguments(args)

    from lib.dataset import load_training_roidb
    from lib.tasks import check_config, get_task
    from lib.tasks.seen_report import report_training
    check_config(config, 'train')
    roidb, _ = load_training_roidb(config)
    task = get_task(config)
    sampler = task.sampler()
    chosen = set(np.linspace(0, len(roidb) - 1, min(wanted, len(roidb))).astype(int).tolist())

    pictures, chip_pictures = None, None
    if chosen:
        from lib.visualization.chips import ChipPictures
        from lib.visualization.valid_boxes import ValidBoxPictures
        pictures = ChipPictures(folder, window_settings(sampler))
        chip_pictures = ValidBoxPictures(folder, task) if args.valid else None

    def draw(number, entry, chips):
        if number in chosen:
            pictures.draw(entry, chips, _seen(task, entry, chips, number))
            if chip_pictures:
                chip_pictures.draw(entry, chips)

    lines, warnings, trained = report_training(config, roidb)
    statistics = count_chips(roidb, config, args.epoch, draw if chosen else None, sampler)
    print('\n'.join(statistics.table() + ['', 'What the network sees'] + lines))
    for line in warnings:
        logger.warning('%s', line)
    if pictures:
        print(f'{pictures.count} pictures in {folder}')
    if chip_pictures:
        print(f'{chip_pictures.count} chips, raw and with their boxes, in {folder}')
    if args.out:
        from lib.visualization.chip_plot import plot_statistics
        plot_statistics(statistics, args.out)
        print(f'plot: {args.out}')
    if args.json:
        with text_writer(args.json) as stream:
            json.dump(dict(statistics.facts(), seen=trained and trained.facts(), warnings=warnings), stream, indent=4)
            stream.write('\n')
    if pictures:
        pictures.check()
    return 0


def _seen(task, record, windows, number):
    """SeenPictures of an image, DRAWS at most: several draws of its first window where the task draws pictures at
    random, else its windows; none where the network takes windows as they are."""
    from lib.image import ImageFile
    from lib.iterators.samples import picture_of_window
    from lib.visualization.chips import SeenPicture
    if not (task.draws_pictures or task.exact_sizes):
        return []
    file, seen = ImageFile(record['image'], record['width'], record['height']), []
    for draw, window in enumerate(windows[:1] * DRAWS if task.draws_pictures else windows[:DRAWS]):
        rng = seeds.generator(task.config.TRAIN.SEED, draw, seeds.SAMPLE, number)
        pixels, drawn, window = picture_of_window(file, record, window, task, False, rng)
        out = {name: np.zeros(shape, np.float32) for name, shape, role in task.inputs() if role == 'label'}
        task.targets(drawn, window, rng, out)
        rows = window.rows[np.asarray(drawn['max_overlaps'])[window.rows] == 1]
        boxes = (drawn['boxes'][rows] - np.tile(window.box[:2], 2)) * np.tile((window.scale_x, window.scale_y), 2)
        seen.append(SeenPicture(pixels, boxes, f'{draw + 1}: ' + ', '.join([f'{len(rows)} objects', *task.told(out)])))
    return seen


def _number(text):
    if not text.isdigit():
        raise SniperError(f'--draw wants a number of images and a folder, not {text!r}')
    return int(text)


if __name__ == '__main__':
    cli.run(main)
