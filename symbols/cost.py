"""What a network costs: parameters, multiply-adds and memory of activations, layer by layer, without weights or data.

    python -m symbols.cost --cfg FILE [--size HEIGHT WIDTH] [--graph test|train|...] [--sort FIGURE] [--top N]
                           [--json FILE] [--csv FILE] [--set KEY VALUE ...]

Of the test graph, with that of masks where there are some, for one image; `--graph train` is the training graph for
one chip, forward alone. docs/cost.md says what counts.
"""
import argparse
import csv
import io
import json
import os
from typing import Any, Dict, List, NamedTuple, Tuple

from configs import load_config
from lib import cli
from lib.utils.errors import SniperError, printable
from lib.utils.files import check_writable, write_file
from lib.utils.user_path import user_path

FIGURES = ('multiply_adds', 'parameters', 'memory')
TRAIN, TEST = 'train', 'test'
MOST = 1 << 20          # pixels of a side, and layers
HEADER = ('layer', 'part', 'operator', 'output', 'parameters', 'multiply-adds (M)', 'memory (MB)')
NUMBERS_FROM = 4        # the column from which cells are numbers


class Row(NamedTuple):
    """One layer. memory: bytes of its outputs; statistics: of a BatchNorm, which do not learn."""
    layer: str
    part: str
    operator: str
    output: Tuple[int, ...]
    parameters: int
    statistics: int
    multiply_adds: int
    memory: int


class Report(NamedTuple):
    """rows: in the graph's order; peak: bytes, None of a training graph, which keeps what its layers give."""
    network: str
    graph: str
    inputs: Dict[str, Tuple[int, ...]]
    rows: List[Row]
    peak: Any

    def total(self, figure: str, part: str = '') -> int:
        """Sum of a column, of one part of the network or of all."""
        return sum(getattr(row, figure) for row in self.rows if part in ('', row.part))

    @property
    def parts(self) -> List[str]:
        """In the order in which they begin."""
        return list(dict.fromkeys(row.part for row in self.rows))


def report_of(config, graph: str = TEST, size: Tuple[int, ...] = ()) -> Report:
    """Cost of a complete configuration's network for one image.

    graph: 'test' and 'train' mean the task's, other names a graph of the detector. size: (height, width) of the
    network's input; () = that of the training. SniperError: a graph that the detector has not, an input that is too
    small or of a size that the network does not take.
    """
    from lib.engine.cost import BYTES, cost_of
    from lib.tasks import get_task
    from sniper_mxnet import mx
    from symbols import get_detector
    detector, task = get_detector(config.symbol), get_task(config, TRAIN if graph == TRAIN else TEST)
    size = _size(config, task, graph, size)
    rows, inputs, peak = [], {}, 0
    for variant in _variants(detector, config, task, graph):
        shapes = ({name: shape for part in task.layout(1) for name, shape in part} if graph == TRAIN else
                  detector.input_shapes(config, 1, *size, variant))
        symbol = detector.symbol(config, variant)
        try:
            cost = cost_of(symbol, shapes)
        except (mx.MXNetError, ValueError):
            raise SniperError(f'an input of {size[0]} x {size[1]} is too small for {config.symbol}: its layers do not '
                              'fit it') from None
        names = set(symbol.list_arguments())
        inputs.update({name: shape for name, shape in shapes.items() if name in names})
        peak = max(peak, BYTES * cost.peak)
        rows += [Row(layer.name, detector.part_of(layer.name), layer.operator, layer.output, layer.parameters,
                     layer.statistics, layer.multiply_adds, BYTES * layer.outputs) for layer in cost.layers]
    return Report(config.symbol, graph, inputs, rows, None if graph == TRAIN else peak)


def _size(config, task, graph, size):
    """(height, width) of the input; size: what was asked for, or ()."""
    own = tuple(task.input_size)
    if (task.exact_sizes or graph == TRAIN) and size not in ((), own):
        where = f'the training graph of {config.symbol}' if graph == TRAIN else config.symbol
        raise SniperError(f'{where} takes inputs of {own[0]} x {own[1]}: leave --size out, or change it by --set '
                          f'{task.size_keys.split(",")[0]}')
    size = size or own
    if min(size) < task.stride:
        raise SniperError(f'an input of {size[0]} x {size[1]} is too small for {config.symbol}: {task.stride} x '
                          f'{task.stride} make one cell of its feature map')
    return size


def _variants(detector, config, task, graph):
    """The detector's graphs that are meant."""
    if graph == TRAIN:
        return [task.train_graph]
    if graph == TEST:
        return [task.test_graph] + ([task.masks.variant] if task.masks and config.TEST.WITH_MASK else [])
    known = sorted(name[:-len('_symbol')] for name in dir(detector) if name.endswith('_symbol') and name[0] != '_')
    if graph not in known or graph.endswith(TRAIN):
        raise SniperError(f'--graph {printable(graph)}: {config.symbol} has '
                          f'{", ".join(name for name in known if name == TRAIN or not name.endswith(TRAIN))}')
    return [graph]


def table(report: Report, sort: str = '', top: int = 0) -> List[str]:
    """Lines: a row for every layer that has parameters or multiplies, then the sums of parts and of all."""
    rows = [row for row in report.rows if row.parameters or row.multiply_adds]
    if sort:
        rows.sort(key=lambda row: -getattr(row, sort))
    cells = [(row.layer, row.part, row.operator, 'x'.join(map(str, row.output)), *_figures(row.parameters,
              row.multiply_adds, row.memory)) for row in (rows[:top] if top else rows)]
    sums = [(part, '', '', '', *_figures(*(report.total(name, part) for name in (
        'parameters', 'multiply_adds', 'memory')))) for part in report.parts if report.total('parameters', part)
        or report.total('multiply_adds', part)]
    sums.append(('all', '', '', '', *_figures(*(report.total(name) for name in (
        'parameters', 'multiply_adds', 'memory')))))
    widths = [max(map(len, column)) for column in zip(HEADER, *cells, *sums)]
    rule = '-' * (sum(widths) + 2 * len(widths) - 2)
    return ([_line(HEADER, widths), rule] + [_line(row, widths) for row in cells] + [rule]
            + [_line(row, widths) for row in sums])


def _figures(parameters, multiplied, memory):
    return f'{parameters:,}', f'{multiplied / 1e6:,.3f}', f'{memory / 1e6:,.3f}'


def _line(cells, widths):
    return '  '.join(cell.rjust(width) if column >= NUMBERS_FROM else cell.ljust(width)
                     for column, (cell, width) in enumerate(zip(cells, widths)))


def summary(report: Report) -> List[str]:
    """Lines under the table."""
    shapes = ', '.join(f'{name} {"x".join(map(str, shape))}' for name, shape in report.inputs.items())
    kept = f'; {report.peak / 1e6:,.1f} MB of them live at once' if report.peak is not None else ', all kept'
    return [f'{report.network}, graph {report.graph}: {shapes}',
            f'{report.total("parameters"):,} parameters ({4 * report.total("parameters") / 1e6:,.1f} MB), and '
            f'{report.total("statistics"):,} statistics of BatchNorms',
            f'{report.total("multiply_adds") / 1e6:,.1f} M multiply-adds',
            f'{report.total("memory") / 1e6:,.1f} MB of activations in all{kept}, as float32']


def facts(report: Report) -> dict:
    """What --json writes."""
    totals = {name: report.total(name) for name in ('parameters', 'statistics', 'multiply_adds', 'memory')}
    return {'network': report.network, 'graph': report.graph, 'inputs': report.inputs, **totals, 'peak': report.peak,
            'parts': {part: {name: report.total(name, part) for name in totals} for part in report.parts},
            'layers': [row._asdict() for row in report.rows]}


def _csv_text(report):
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(Row._fields)
    writer.writerows(row._replace(output='x'.join(map(str, row.output))) for row in report.rows)
    return stream.getvalue()


def parse_arguments(argv=None) -> argparse.Namespace:
    """Command line -> namespace."""
    parser = argparse.ArgumentParser(prog='python -m symbols.cost', description=__doc__.splitlines()[0])
    parser.add_argument('--cfg', type=user_path, required=True, metavar='FILE', help='YAML configuration')
    parser.add_argument('--size', nargs=2, type=_count('--size'), default=(), metavar=('HEIGHT', 'WIDTH'),
                        help="pixels of the network's input (default: as in training)")
    parser.add_argument('--graph', default=TEST, help='test, train, or another of the network, such as proposal_test '
                        '(%(default)s)')
    parser.add_argument('--sort', choices=FIGURES, default='', help='largest first (default: as layers follow)')
    parser.add_argument('--top', type=_count('--top'), default=0, metavar='N', help='the first N layers alone')
    parser.add_argument('--json', type=user_path, default='', metavar='FILE', help='write all figures there too')
    parser.add_argument('--csv', type=user_path, default='', metavar='FILE', help='write a line a layer there')
    # REMAINDER, so that values such as -1e-3 are not taken for options
    parser.add_argument('--set', nargs=argparse.REMAINDER, default=[], metavar='KEY VALUE', dest='overrides',
                        help='configuration keys and values that win over the file; must come last')
    return parser.parse_args(argv)


def _count(option):
    """Argument type of an option: a whole number from 1 on."""
    def count(text):
        if not text.isdecimal() or not 1 <= int(text) <= MOST:
            raise SniperError(f'{option}: {printable(text)} is no whole number from 1 to {MOST}')
        return int(text)
    return count


def main(argv=None) -> int:
    """Print the table -> exit status 0."""
    args = parse_arguments(argv)
    if args.json and os.path.abspath(args.json) == os.path.abspath(args.csv):
        raise SniperError(f'--json and --csv are both {printable(args.json)}: give each a file of its own')
    for path in filter(None, (args.json, args.csv)):
        check_writable(path)
    config = load_config(args.cfg, [*args.overrides, 'gpus', 'cpu', 'TRAIN.fp16', 'False'])
    report = report_of(config, args.graph, tuple(args.size))
    print('\n'.join(table(report, args.sort, args.top) + [''] + summary(report)))
    if args.json:
        write_file(args.json, (json.dumps(facts(report), indent=1) + '\n').encode())
    if args.csv:
        write_file(args.csv, _csv_text(report).encode())
    return 0


if __name__ == '__main__':
    cli.run(main, prints=True)
