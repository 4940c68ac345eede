"""Score files of detections on WIDER FACE, whoever wrote them, as its official evaluation does, without MATLAB.

    python -m lib.dataset.wider_eval --detections DIR --lists DIR [--set val] [--plot FILE]

DIR/<event>/<picture>.txt are the detections (lib.dataset.wider.text_files), wider_{easy,medium,hard}_val.mat the lists.
"""
import argparse
import logging
from typing import Optional, Sequence

from lib.cli import run, setup_logging
from lib.dataset.wider.evaluation import curves, report
from lib.dataset.wider.lists import PLACES, SETTINGS, USUAL_SET, find_lists, named, read_lists
from lib.dataset.wider.scoring import score
from lib.dataset.wider.text_files import read_folder
from lib.utils.counted import counted
from lib.utils.errors import SniperError
from lib.utils.files import check_writable
from lib.utils.user_path import user_path
from lib.visualization import precision_recall
from lib.visualization.plot_file import check_ending

logger = logging.getLogger(__name__)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Print AP of the three settings -> exit status 0. SniperError: lists or detections cannot be used."""
    parser = argparse.ArgumentParser(description='Score detections on WIDER FACE by its official rules.')
    parser.add_argument('--detections', type=user_path, required=True, metavar='DIR',
                        help='holds <event>/<picture>.txt: name, number of detections, lines x y width height score')
    parser.add_argument('--lists', type=user_path, required=True, metavar='DIR',
                        help='holds wider_{easy,medium,hard}_<set>.mat, itself or in eval_tools/ground_truth')
    parser.add_argument('--set', default=USUAL_SET, metavar='NAME', help='of the lists (%(default)s)')
    parser.add_argument('--plot', type=user_path, metavar='FILE', help='curves, .png, .svg or .pdf')
    args = parser.parse_args(argv)
    setup_logging()
    if args.plot is not None:
        check_ending(args.plot, '--plot')
        check_writable(args.plot)
    folder, image_set = find_lists(args.lists, args.set)
    if image_set != args.set:
        places = ', '.join(place for place in PLACES if place)
        raise SniperError(f'--lists {args.lists} has no wider_{SETTINGS[0]}_{args.set:.80}.mat, nor its folders '
                          f'{places}' + (f'; it has those of the set {image_set}' if folder else ''))
    lists = read_lists(folder, image_set)
    for line in lists.remarks():
        logger.warning('%s', line)
    read = read_folder(args.detections, lists.names)
    if read.missing:
        logger.warning('%d of %d pictures have no file of detections and count as without any: %s', len(read.missing),
                       len(lists.names), named(read.missing))
    if read.others:
        logger.warning('%s of no picture in the lists and not scored: %s',
                       counted(len(read.others), 'file is', 'files are'), named(read.others))
    scores = score(lists, read.found)
    print(f'{counted(len(lists.names), "picture", "pictures")}, '
          f'{counted(len(read.found.score), "detection", "detections")}: ' + '\n'.join(report(scores)))
    if args.plot is not None:
        precision_recall.plot(curves(scores), args.plot, f'WIDER FACE {image_set}')
        logger.info('plot: %s', args.plot)
    return 0


if __name__ == '__main__':
    run(main, prints=True)
