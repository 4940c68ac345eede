"""Split a plain folder in PASCAL VOC's format (lib.dataset.pascal_voc) into sets.

    python -m lib.dataset.voc_sets FOLDER [--test 0.2] [--seed 0]

writes FOLDER/ImageSets/Main/train.txt and test.txt. The same files and seed give the same sets.
"""
import argparse
import os
import random

from lib.cli import run
from lib.dataset.set_choice import ALL
from lib.dataset.voc_folder import VocFolder
from lib.dataset.voc_layout import find_parts
from lib.utils.errors import SniperError
from lib.utils.files import text_writer
from lib.utils.user_path import user_path


def split(ids, share, seed):
    """-> (train, test): `ids` in two sorted parts, the second of round(share x their number), at least one each."""
    count = min(max(int(round(share * len(ids))), 1), len(ids) - 1)
    chosen = set(random.Random(seed).sample(sorted(ids), count))
    return sorted(set(ids) - chosen), sorted(chosen)


def main(argv=None):
    """-> exit status 0; SniperError: no annotations, or lists that are there already."""
    parser = argparse.ArgumentParser(description='Split a folder of PASCAL VOC annotations into train and test.')
    parser.add_argument('folder', type=user_path, help='holds Annotations and JPEGImages')
    parser.add_argument('--test', type=float, default=0.2, metavar='SHARE', help='share of the test set (0.2)')
    parser.add_argument('--seed', type=int, default=0, help='of the choice (0)')
    args = parser.parse_args(argv)
    if not 0 < args.test < 1:
        raise SniperError(f'--test is {args.test}; it must be between 0 and 1')
    part, *others = find_parts(args.folder)
    if part.name:
        raise SniperError(f'{args.folder} holds {len(others) + 1} folders of data ({part.name}, ...), which are sets '
                          'already, or are split one by one')
    paths = [os.path.join(part.lists[0], name + '.txt') for name in ('train', 'test')]
    for path in paths:
        if os.path.exists(path):
            raise SniperError(f'{path} exists: remove it first, or use the sets as they are')
    ids = VocFolder(args.folder, ALL).ids
    if len(ids) < 2:
        raise SniperError(f'{args.folder} has one annotation; two sets need two')
    for path, part in zip(paths, split(ids, args.test, args.seed)):
        with text_writer(path) as stream:
            stream.writelines(f'{image_id}\n' for image_id in part)
        print(f'{path}: {len(part)} images')
    return 0


if __name__ == '__main__':
    run(main)
