"""Every operator timed against what a user would otherwise call: python -m benchmarks.operators [--only WORD] [--list]

Within one run, calls of ours and of the others alternate; a row holds the bar that benchmarks/RESULTS.md claims,
medians in milliseconds, ours first, and the ratio that was reached: this machine's column there. The others are stock
MXNet's operators where they exist, a plain convolution or ROIAlign, or loops in NumPy and C++ (baselines/). PyTorch,
torchvision and mmcv appear where these can be imported; nothing here needs them. The last line is JSON. Exit status 1
if a bar is missed.
"""
import argparse
import sys

from benchmarks import timing
from benchmarks.operator_cases import all_cases


def main(argv=None):
    """-> exit status: 0 if every bar that was measured holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', default='', metavar='WORD', help='rows whose name contains this')
    parser.add_argument('--budget', type=float, default=6.0, metavar='SECONDS', help='time a row (%(default)s)')
    parser.add_argument('--list', action='store_true', help='print the names of the rows and end')
    args = parser.parse_args(argv)
    cases = [case for case in all_cases() if args.only.lower() in case.name.lower()]
    if args.list:
        print('\n'.join(case.name for case in cases))
        return 0
    if not cases:
        parser.error(f'no row has {args.only!r} in its name; --list shows them')
    rows = []
    for case in cases:
        row = measure(case, args.budget)
        rows.append(row)
        print(describe(row), flush=True)
    header = ('operator and size', 'bar', timing.machine()['processor'])
    print('\n'.join([''] + timing.table(header, [cells(row) for row in rows])))
    print(timing.json_line('operators', rows=rows))
    return 0 if all(bar['holds'] for row in rows for bar in row['bars']) else 1


def measure(case, budget):
    """Figures of one case: dict with name, ms of every column, and its bars with what was reached."""
    functions = case.build()
    seconds = timing.interleaved(functions, budget, warm=case.warm)
    milliseconds = {name: round(value * 1e3, 4) for name, value in seconds.items()}
    return {'name': case.name, 'ms': milliseconds, 'bars': [bar.check(milliseconds) for bar in case.bars]}


def cells(row):
    """One line of the table: name, bars, and what this machine's column of benchmarks/RESULTS.md says of the row."""
    others = ', '.join(f'{name} {value:.2f}' for name, value in row['ms'].items() if name != 'ours')
    reached = '; '.join(f'{bar["reached"]}{"" if bar["holds"] else " (MISSED)"}' for bar in row['bars'])
    figures = f'{row["ms"]["ours"]:.3f}' + (f' ({others})' if others else '') + (f': {reached}' if reached else '')
    return row['name'], '; '.join(bar['bar'] for bar in row['bars']) or '-', figures


def describe(row):
    """Progress line of a row."""
    return f'{row["name"]}: {", ".join("{} {:.3f} ms".format(*pair) for pair in row["ms"].items())}'


if __name__ == '__main__':
    sys.exit(main())
