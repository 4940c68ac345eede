"""What is in a file of network parameters, and which network it fits.

    python -m lib.weights.inspect output/.../SNIPER-0007.params
"""
import argparse
import os
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from lib.cli import run
from lib.utils.errors import printable
from lib.utils.user_path import user_path
from lib.weights.parameter_matching import LISTED, match_networks, shape_text
from lib.weights.params_file import index_arrays, read_entry

SHOWN = 5  # networks that do not fit
BLOCK = 1 << 20     # numbers at a time
WIDEST = 60         # letters of the column of names
KINDS = {'arg': 'parameter', 'aux': 'statistic'}    # auxiliary states are a BatchNorm's moving statistics


class Statistics(NamedTuple):
    """Of the finite numbers of an array; NaN where there are none."""
    low: float
    high: float
    mean: float
    deviation: float
    not_finite: int     # how many are NaN or infinite


def statistics(array: np.ndarray) -> Statistics:
    """Statistics of an array of any numeric type, in float64, a block at a time."""
    flat = array.reshape(-1)
    low, high, count, mean, squares, not_finite = np.inf, -np.inf, 0, 0.0, 0.0, 0
    for start in range(0, flat.size, BLOCK):
        block = flat[start:start + BLOCK].astype(np.float64)
        finite = np.isfinite(block)
        not_finite += int(block.size - finite.sum())
        block = block[finite]
        if block.size:
            low, high = min(low, block.min()), max(high, block.max())
            shift = block.mean() - mean     # Chan, Golub and LeVeque 1979
            squares += ((block - block.mean()) ** 2).sum() + shift ** 2 * count * block.size / (count + block.size)
            mean += shift * block.size / (count + block.size)
            count += block.size
    if not count:
        return Statistics(np.nan, np.nan, np.nan, np.nan, not_finite)
    return Statistics(low, high, mean, (squares / count) ** 0.5, not_finite)


def split_key(key: str) -> Tuple[str, str]:
    """'arg:conv0_weight' -> ('arg', 'conv0_weight'); without such a prefix ('', key)."""
    kind, colon, name = key.partition(':')
    return (kind, name) if colon and kind in KINDS else ('', key)


def inspect(path: str) -> Iterator[str]:
    """Report of a parameter file as lines of text. SniperError if it cannot be read."""
    entries = index_arrays(path)
    names = [split_key(key) for key in entries]
    width = min(max([len(name) for _, name in names] + [5]), WIDEST)
    numbers = sum(_count(entry) for entry in entries.values())
    yield f'{path}: {_size(os.path.getsize(path))}, {len(entries)} arrays, {numbers} numbers'
    yield ''
    row = '%-' + str(width) + 's  %-9s  %-18s  %-8s  %11s %11s %11s %11s  %s'
    yield (row % ('array', 'kind', 'shape', 'type', 'min', 'max', 'mean', 'deviation', '')).rstrip()
    for (kind, name), entry in zip(names, entries.values()):
        found = statistics(read_entry(path, entry))
        yield (row % ((printable(name), KINDS.get(kind, '-'), shape_text(entry.shape), entry.dtype.name)
                      + tuple(f'{value:.4g}' for value in found[:4])
                      + (f'{found.not_finite} NOT FINITE' if found.not_finite else '',))).rstrip()
    yield ''
    yield from _totals(entries)
    yield ''
    if any(not kind for kind, _ in names):
        yield ("Not a checkpoint: entries have neither 'arg:' nor 'aux:' in front. If it is a file of Gluon's model "
               f"zoo: python -m lib.weights.convert {path}")
        return
    yield from fitting_networks({name: entry.shape for (_, name), entry in zip(names, entries.values())})


def fitting_networks(shapes: Dict[str, tuple]) -> Iterator[str]:
    """Which networks and variants arrays of `shapes` {name: shape} fit, as lines of text."""
    found = match_networks(shapes)
    if found and found[0].variant.heads:
        yield 'heads for ' + ', '.join(found[0].variant.heads)
    whole = [match for match in found if match.whole.complete]
    trunks = [match for match in found if not match.whole.complete and match.pretrained.complete]
    for match in whole:
        yield 'fits {}, variant {}: {}'.format(
            match.network, match.variant.name, 'every array, and no more' if not match.extra else
            f'whole; {len(match.extra)} other arrays ({printable(match.extra[0])} ...)')
    for match in trunks:
        new = len(match.whole.missing) + len(match.whole.misshapen)
        yield (f'fits {match.network}, variant {match.variant.name}, as network.pretrained: {new} arrays of new layers '
               'are initialised')
    if not whole and not trunks:
        yield 'fits none of the networks; the nearest:'
        for rank, match in enumerate(found[:SHOWN]):
            differences = printable(match.whole.differences(LISTED if rank else None))
            yield f'  {match.network}, variant {match.variant.name}: {differences}'


def _totals(entries):
    """One line a type."""
    for dtype in sorted({entry.dtype.name for entry in entries.values()}):
        chosen = [entry for entry in entries.values() if entry.dtype.name == dtype]
        yield f'{dtype:<8}  {len(chosen):>4d} arrays, {sum(map(_count, chosen)):>12d} numbers'


def _count(entry):
    return int(np.prod(entry.shape, dtype=np.int64))


def _size(count):
    return f'{count / 1e6:.1f} MB' if count >= 1e5 else f'{count} bytes'


def main(argv: Optional[List[str]] = None) -> int:
    """Print the report -> exit status 0."""
    parser = argparse.ArgumentParser(prog='python -m lib.weights.inspect', description=__doc__.split('\n')[0])
    parser.add_argument('file', type=user_path, metavar='FILE', help='a .params file')
    for line in inspect(parser.parse_args(argv).file):
        print(line)
    return 0


if __name__ == '__main__':
    run(main, prints=True)
