"""Which faces detections find, by their height: python -m benchmarks.face_sizes --lists DIR NAME=DIR [NAME=DIR ...]

The rules are those of WIDER FACE; of a size, the faces of other sizes are ignored, as those of other settings are
there. Every folder of detections, in the official text form (main_test.py writes `detections` among its results), gives
a column of a table of average precision; one JSON line follows.
"""
import argparse

import numpy as np

from benchmarks.timing import json_line, table
from lib.cli import run
from lib.dataset.wider.lists import find_lists, read_lists
from lib.dataset.wider.scoring import score
from lib.dataset.wider.text_files import read_folder
from lib.utils.errors import SniperError

EDGES = (0, 16, 32, np.inf)     # heights, pixels of the picture


def main(argv=None) -> int:
    """-> exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--lists', required=True, metavar='DIR', help='folder of wider_*_<set>.mat, or its parent')
    parser.add_argument('--set', default='val', dest='image_set', metavar='NAME', help='default: %(default)s')
    parser.add_argument('detections', nargs='+', metavar='NAME=DIR')
    args = parser.parse_args(argv)
    lists = sized(args.lists, args.image_set)
    columns = {}
    for word in args.detections:
        name, equals, folder = word.partition('=')
        if not equals or not folder:
            raise SniperError(f'{word!r} is not of the form NAME=DIR: a name for the table and a folder of detections')
        columns[name] = {setting: round(scores.ap, 4) for setting, scores in
                         score(lists, read_folder(folder, lists.names).found).items()}
    rows = [[setting, int(marks.sum()), *(of_column[setting] for of_column in columns.values())]
            for setting, marks in lists.counted.items()]
    print('\n'.join(table(['height', 'faces', *columns], rows)))
    print(json_line('face_sizes', AP=columns))
    return 0


def sized(folder: str, image_set: str):
    """The FaceLists of a folder with a setting for each of the sizes, and one for all faces."""
    place, listed_set = find_lists(folder, image_set)
    if not place:
        raise SniperError(f'{folder} has no list of WIDER FACE (wider_easy_{image_set}.mat)')
    lists = read_lists(place, listed_set)
    height = lists.faces[:, 3]
    counted = {f'{low:g} to {high:g}': (low <= height) & (height < high) for low, high in zip(EDGES, EDGES[1:])}
    return lists._replace(counted={**counted, 'all': np.ones(len(height), bool)})


if __name__ == '__main__':
    run(main, prints=True)
