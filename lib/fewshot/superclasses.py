"""Super-classes for R-FCN-3K, of classes that look alike to a detector: python -m lib.fewshot.superclasses FOLDER
[--count K] [--most N] [--seed S] [--json superclasses.json] [--cfg FILE] [--weights FILE] [--set KEY VALUE ...]

FOLDER holds a folder of pictures a class, as python -m lib.fewshot takes it: a set of the data set `imagenet` is one,
and `fall11_whole` of ImageNet too. Of each class the mean feature of some pictures counts; K-means joins classes.
"""
import argparse
import json
import logging
import math
import os
from typing import Optional, Sequence

from lib.cli import add_config_arguments, run, setup_logging
from lib.dataset.class_names import named
from lib.fewshot.clusters import class_means, clusters, named_clusters
from lib.fewshot.command import CACHE, CONFIG, load_named_network
from lib.fewshot.folder import read_class_folder
from lib.fewshot.learn import extract
from lib.utils.errors import SniperError, printable
from lib.utils.files import check_writable, write_file
from lib.utils.user_path import user_path

logger = logging.getLogger(__name__)

MOST = 50       # pictures of a class


def main(argv: Optional[Sequence[str]] = None) -> int:
    """-> exit status 0; raises SniperError for a user's mistake."""
    parser = argparse.ArgumentParser(prog='python -m lib.fewshot.superclasses', description='Join classes that look '
                                     'alike to super-classes, for R-FCN-3K.')
    parser.add_argument('folder', type=user_path, help='a folder of pictures a class')
    parser.add_argument('--count', type=int, default=0, metavar='K',
                        help='super-classes (default: the square root of the number of classes)')
    parser.add_argument('--most', type=int, default=MOST, metavar='N',
                        help='pictures of each class that are looked at, the first by name (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of K-means (default: %(default)s)')
    parser.add_argument('--json', type=user_path, default='superclasses.json', metavar='FILE',
                        help='to write (default: %(default)s)')
    parser.add_argument('--weights', type=user_path, default='', metavar='FILE', help='as python -m lib.fewshot has it')
    args = add_config_arguments(parser, CONFIG).parse_args(argv)
    setup_logging()
    if args.most < 1:
        raise SniperError(f'--most {args.most}: give 1 or more')
    pictures = read_class_folder(args.folder)
    classes, count = pictures.classes, args.count or max(2, round(math.sqrt(len(pictures.classes))))
    if not 1 <= count <= len(classes):
        raise SniperError(f'--count {count}: {args.folder} has {len(classes)} classes, which make 1 to {len(classes)} '
                          'super-classes')
    check_writable(args.json)
    seen = [0] * len(classes)
    chosen = []
    for number, label in enumerate(pictures.labels):
        seen[label] += 1
        if seen[label] <= args.most:
            chosen.append(number)
    network = load_named_network(args, kind='mean', scales=(), mirrored=False)
    try:
        folder = os.path.join(network.config.output_path or 'output', 'fewshot', CACHE)
        means = class_means(extract(pictures.take(chosen), network, folder).examples, len(classes))
    finally:
        network.close()
    found = named_clusters(classes, means, clusters(means, count, args.seed))
    write_file(args.json, (json.dumps(found, indent=1) + '\n').encode('ascii'))
    for name, members in found.items():
        print(printable(f'{name}: {named(members)}'))
    logger.info('%d super-classes of %d classes: %s; to train with them: --set RFCN.super_classes %s '
                'RFCN.num_super_classes %d', len(found), len(classes), args.json, args.json, len(found))
    return 0


if __name__ == '__main__':
    run(main)
