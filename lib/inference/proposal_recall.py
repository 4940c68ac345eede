"""Are the proposals of a file good enough to make negative chips of? How many objects they find, and how many of them
lie where there is none.

    python -m lib.inference.proposal_recall --cfg FILE [--proposals FILE] [--test] [--json FILE] [--set KEY VALUE ...]

prints a table for each set of dataset.image_set, whose file lies in proposal_path as a training finds it, or for the
one file of --proposals: .npz of main_test.py, or a pickle of the original. As in a training, NMS at IoU 0.7 goes
before.
"""
import argparse
from typing import Any, Dict, List, Optional, Sequence

from lib import cli
from lib.dataset.metrics_file import write_metrics
from lib.dataset.parts import open_parts, parts_of
from lib.dataset.proposals import add_proposals, after_nms, attach_proposals, read_file
from lib.inference.any_object import AnyObject
from lib.inference.recall import proposals_of_records
from lib.utils.errors import SniperError
from lib.utils.files import check_writable
from lib.utils.user_path import user_path


def parse_arguments(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> namespace."""
    parser = argparse.ArgumentParser(prog='python -m lib.inference.proposal_recall',
                                     description=__doc__.split('\n\n')[0])
    parser.add_argument('--proposals', type=user_path, default='', metavar='FILE',
                        help='of one set (default: as a training finds them in proposal_path)')
    parser.add_argument('--test', action='store_true', help='of dataset.test_image_set, not of dataset.image_set')
    parser.add_argument('--json', type=user_path, default='', metavar='FILE', help='write the figures there too')
    return cli.add_config_arguments(parser).parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """-> exit status 0. Mistakes raise SniperError."""
    args = parse_arguments(argv)
    cli.setup_logging()
    config = cli.config_from_arguments(args)
    key = 'test_image_set' if args.test else 'image_set'
    places = parts_of(config.dataset, key)
    if args.proposals and len(places) > 1:
        raise SniperError(f'--proposals {args.proposals} is a file of one set, but dataset.{key} '
                          f'{config.dataset[key]!r} has {len(places)}: name one by --set dataset.{key}')
    if args.json:
        check_writable(args.json, False)
    found: Dict[str, Any] = {}
    for dataset in open_parts(config.dataset, places):
        found[dataset.name], lines = figures(config, dataset, args.proposals)
        print('\n'.join(lines), flush=True)
    if args.json:
        write_metrics(args.json, found)
    return 0


def figures(config, dataset, path: str = '') -> tuple:
    """-> (figures, lines of a table) of a data set's proposals; path: of their file, '' for the one of a training."""
    roidb = dataset.roidb()
    if path:
        roidb = attach_proposals(roidb, after_nms(read_file(path, dataset)), path)
    else:
        roidb = add_proposals(config, dataset, roidb)
    recall, counts = proposals_of_records(roidb, AnyObject(dataset).truth())
    metrics = {'images': len(roidb), **counts, **recall.metrics()}
    return metrics, [f'{dataset.name}: {len(roidb)} images', *recall.table(), *_said(metrics)]


def _said(metrics) -> List[str]:
    lines = [f'{metrics["proposals"]:.1f} proposals an image after NMS, of which {metrics["elsewhere"]:.1f} lie where '
             'nothing is marked: what negative chips are made of']
    if metrics['without']:
        lines.append(f'{metrics["without"]} images have no proposals, and give no negative chips')
    if not metrics['objects']['all']:
        lines.append('there are no objects that could be found')
    return lines


if __name__ == '__main__':
    cli.run(main)
