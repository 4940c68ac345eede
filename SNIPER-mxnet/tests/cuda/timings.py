"""Times the kernels on this machine's GPU, checked against the CPU's loops: python SNIPER-mxnet/tests/cuda/timings.py

It needs a GPU, nvcc, a C++ compiler, Python and NumPy; no MXNet. --json FILE also writes the figures as JSON. A row
holds the median of repeated calls by the GPU's own clock; the share of the memory's rate: bytes of inputs and outputs
a second over what copying 256 MB within the GPU reaches in the same run; the share of the arithmetic rate:
multiply-adds over those of a 4096 matrix product in the same run, which cuBLAS does if it is found. Working memory is
what the call asked for. --emulated runs tiny sizes through the emulation instead, to see that this script works; its
times mean nothing.
"""
import argparse
import ctypes
import json
import os
import statistics
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
if HERE not in sys.path:
    sys.path.insert(0, HERE)

from arrays import Library  # noqa: E402
from libraries import build  # noqa: E402
from timing_cases import Fixed, Output, all_cases  # noqa: E402

WARM_UP, REPEATS = 5, 50
HEADER = ('operator and size', 'ms', 'share of memory rate', 'share of arithmetic rate', 'working memory, MB',
          'rows unlike the CPU')


class GpuClock:
    """Milliseconds that a function keeps the GPU busy, by two events around it."""

    def __init__(self, library):
        self.library = library
        self.events = (ctypes.c_void_p * 2)()
        library.call('make_events', self.events)

    def __call__(self, function):
        value = ctypes.c_float()
        self.library.call('record_event', ctypes.c_void_p(self.events[0]))
        function()
        self.library.call('record_event', ctypes.c_void_p(self.events[1]))
        self.library.call('elapsed', self.events, ctypes.byref(value))
        return value.value


class HostClock:
    """Seconds a call by the wall clock, for the emulation, which has no device events."""

    def __init__(self, library):
        self.library = library

    def __call__(self, function):
        begin = time.perf_counter()
        function()
        return 1e3 * (time.perf_counter() - begin)


def median_ms(clock, function, repeats):
    for _ in range(min(WARM_UP, repeats)):
        function()
    return statistics.median(clock(function) for _ in range(repeats))


def arguments(library, case):
    """(arguments of the call, the arrays among them that are outputs)."""
    made = [library.output(*item.shape) if isinstance(item, Output) else
            item.value if isinstance(item, Fixed) else library.array(item) for item in case.arguments]
    return made, [value for item, value in zip(case.arguments, made) if isinstance(item, Output)]


def unlike(expected, got):
    """Share of rows of the outputs in which a number differs by more than 1e-3 of the output's scale."""
    rows = different = 0
    for wanted, value in zip(expected, got):
        if not wanted.size:
            continue
        limit = 1e-3 * max(1.0, float(np.abs(wanted).max()))
        off = ~(np.abs(value - wanted) <= limit)
        rows += len(off)
        different += off.reshape(len(off), -1).any(axis=1).sum()
    return different / max(rows, 1)


def measure(case, library, cpu, clock, rates, repeats):
    values, outputs = arguments(library, case)
    milliseconds = median_ms(clock, lambda: library.call(case.function, *values), repeats)
    expected_values, expected = arguments(cpu, case)
    cpu.call(case.function, *expected_values)
    moved = sum(item.nbytes for item in case.arguments if isinstance(item, np.ndarray))
    moved += sum(4 * int(np.prod(item.shape)) for item in case.arguments if isinstance(item, Output))
    rate = lambda amount: amount / (1e-3 * milliseconds)  # noqa: E731
    return {'name': case.name, 'ms': round(milliseconds, 4), 'bytes': moved, 'multiply_adds': case.multiply_adds,
            'memory_share': round(rate(moved) / rates['bytes_per_s'], 4),
            'arithmetic_share': round(rate(case.multiply_adds) / rates['multiply_adds_per_s'], 4),
            'scratch_bytes': library.scratch_bytes(),
            'unlike_cpu': round(unlike([array.numpy() for array in expected], [array.numpy() for array in outputs]), 5)}


def device_rates(library, clock, small, repeats):
    """What the device reaches on a plain copy and a plain matrix product."""
    count = 1 << (10 if small else 26)
    source, target = library.array(np.zeros(count)), library.output(count)
    copy_ms = median_ms(clock, lambda: library.call('copy', target.pointer, source.pointer, source.nbytes), repeats)
    side = 32 if small else 4096
    a, b, c = (library.array(np.zeros((side, side))) for _ in range(3))
    sizes = np.array([side, side, side, 1], np.int32)
    product_ms = median_ms(clock, lambda: library.call('test_gemm', a, b, c, sizes, 0, 0, 0.0, 0), repeats)
    return {'bytes_per_s': 2 * source.nbytes / (1e-3 * copy_ms), 'multiply_adds_per_s': side ** 3 / (1e-3 * product_ms)}


def describe_device(library):
    if library.kind != 'cuda':
        return {'name': 'emulation on the CPU'}
    name = ctypes.create_string_buffer(256)
    numbers = [ctypes.c_int() for _ in range(3)]
    library.call('device', name, len(name), *[ctypes.byref(number) for number in numbers])
    capability, driver, runtime = (number.value for number in numbers)
    return {'name': name.value.decode(), 'capability': capability,
            'driver_cuda': f'{driver // 1000}.{driver % 1000 // 10}', 'driver': _driver_version(),
            'cuda': f'{runtime // 1000}.{runtime % 1000 // 10}'}


def _driver_version():
    try:
        with open('/proc/driver/nvidia/version') as stream:
            words = stream.readline().split()
    except OSError:
        return 'unknown'
    return next((word for word in words if word[0].isdigit() and '.' in word), 'unknown')


def cells(row):
    return (row['name'], f'{row["ms"]:.3f}', f'{100 * row["memory_share"]:.1f} %',
            f'{100 * row["arithmetic_share"]:.1f} %' if row['multiply_adds'] else '-',
            f'{row["scratch_bytes"] / 2.0 ** 20:.1f}', f'{100 * row["unlike_cpu"]:.2f} %')


def table(rows):
    lines = [HEADER, ['---'] * len(HEADER)] + [cells(row) for row in rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--emulated', action='store_true', help='tiny sizes through the emulation')
    parser.add_argument('--only', default='', metavar='WORD', help='rows whose name contains this')
    parser.add_argument('--json', metavar='FILE', help='write the figures here too')
    args = parser.parse_args(argv)
    kind, repeats = ('emulated', 1) if args.emulated else ('cuda', REPEATS)
    library, cpu = Library(kind, build(kind)), Library('cpu', build('cpu'))
    clock = HostClock(library) if args.emulated else GpuClock(library)
    facts = {'device': describe_device(library), 'rates': device_rates(library, clock, args.emulated, repeats)}
    print(json.dumps(facts))
    facts['rows'] = []
    for case in all_cases(args.emulated):
        if args.only.lower() in case.name.lower():
            facts['rows'].append(measure(case, library, cpu, clock, facts['rates'], repeats))
            print(json.dumps(facts['rows'][-1]), flush=True)
    print('\n' + table(facts['rows']))
    if args.json:
        with open(args.json, 'w') as stream:
            json.dump(facts, stream, indent=1)
            stream.write('\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
