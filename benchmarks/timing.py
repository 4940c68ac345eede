"""Times that can be compared: several functions measured in turn within one run."""
import json
import platform
import statistics
import time

from lib.utils.processes import num_cores


def interleaved(functions, budget=6.0, least=3, most=41, warm=0, clock=time.perf_counter):
    """{name: median seconds a call} of `functions`, {name: callable without arguments}.

    Every round calls each function once, so that a machine which slows down slows all of them. Rounds go on until
    `budget` seconds are spent, but number at least `least` and at most `most`. The first call of each is not counted.
    warm: calls that are not timed before each that is: what the others left in the caches is not what a user finds.
    clock: that times a call; time.process_time counts what all threads of the process compute, whoever else does.
    """
    for function in functions.values():
        function()
    times = {name: [] for name in functions}
    started = time.perf_counter()
    for done in range(most):
        if done >= least and time.perf_counter() - started > budget:
            break
        for name, function in functions.items():
            for _ in range(warm):
                function()
            begin = clock()
            function()
            times[name].append(clock() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def table(header, rows):
    """Lines of a Markdown table whose columns are padded to equal width; cells are made text by str."""
    cells = [[str(cell) for cell in row] for row in [header] + rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ['| ' + ' | '.join(cell.ljust(width) for cell, width in zip(row, widths)) + ' |' for row in cells]
    lines.insert(1, '|' + '|'.join('-' * (width + 2) for width in widths) + '|')
    return lines


def json_line(name, **figures):
    """One line of JSON that ends a benchmark: its name, the machine and the figures."""
    return json.dumps(dict(figures, benchmark=name, machine=machine()), sort_keys=True)


def machine():
    """What the figures were measured on: processor, cores that this process may use, Python."""
    return {'processor': _processor(), 'cores': num_cores(), 'python': platform.python_version()}


def _processor():
    try:
        with open('/proc/cpuinfo') as stream:
            for line in stream:
                if line.startswith('model name'):
                    return line.split(':', 1)[1].strip()
    except OSError:
        pass  # not Linux: the platform module has to do
    return platform.processor() or platform.machine()
