"""Score a file of predictions on Open Images, whoever wrote it, by its official rules.

    python -m lib.dataset.openimages_eval --predictions FILE.csv --data FOLDER --set validation [--no_expand]

FOLDER: of the data set, as lib.dataset.openimages.layout says. Prints average precision in the form of version 2 and,
where the folder has the hierarchy of classes, in that of the challenges.
"""
import argparse
from typing import Optional, Sequence

from lib.cli import run, setup_logging
from lib.dataset.metrics_file import write_metrics
from lib.dataset.openimages.dataset import OpenImagesDataset
from lib.dataset.openimages.evaluation import metrics_of, report
from lib.utils.files import check_writable
from lib.utils.user_path import user_path


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Print average precision -> exit status 0. SniperError: a file cannot be used."""
    parser = argparse.ArgumentParser(description='Score predictions on Open Images by its official rules.')
    parser.add_argument('--predictions', type=user_path, required=True, metavar='FILE',
                        help='CSV: ImageID,LabelName,Score,XMin,XMax,YMin,YMax')
    parser.add_argument('--data', type=user_path, required=True, metavar='DIR', help='folder of the data set')
    parser.add_argument('--set', default='validation', metavar='NAME', help='of the data set (%(default)s)')
    parser.add_argument('--no_expand', action='store_true',
                        help='the file has detections of the classes above already: do not add them')
    parser.add_argument('--root', type=user_path, default='data', metavar='DIR', help='of caches (%(default)s)')
    parser.add_argument('--out', type=user_path, metavar='FILE', help='metrics as JSON')
    args = parser.parse_args(argv)
    setup_logging()
    if args.out is not None:
        check_writable(args.out)
    dataset = OpenImagesDataset(args.set, args.root, args.data)
    scores = dataset.scores(dataset.read_predictions(args.predictions), not args.no_expand)
    metrics = metrics_of(scores, dataset.classes)
    print('\n'.join(report(metrics, args.out or '')))
    if args.out is not None:
        write_metrics(args.out, metrics)
    return 0


if __name__ == '__main__':
    run(main, prints=True)
