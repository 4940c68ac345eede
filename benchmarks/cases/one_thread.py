"""A row's call in a process of its own that may use one thread, timed from outside: how work scales with cores.

Threads of OpenMP are decided when MXNet loads, so one process cannot do both.
"""
import importlib
import os
import subprocess
import sys


def one_thread(module, function, *args):
    """A callable that makes the process call column 'ours' of benchmarks.cases.<module>.<function>(*args)."""
    child = subprocess.Popen([sys.executable, '-m', __name__, module, function] + [repr(arg) for arg in args],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True, bufsize=1,
                             env=dict(os.environ, OMP_NUM_THREADS='1'))

    def call():
        child.stdin.write('go\n')
        if child.stdout.readline() != 'done\n':
            raise RuntimeError(f'the one-thread process of {module}.{function} ended')
    return call


def serve(module, function, *args):
    """Make a call for every line that comes; the end of the input ends the process."""
    import ast
    operands = [ast.literal_eval(arg) for arg in args]
    ours = getattr(importlib.import_module('benchmarks.cases.' + module), function)(*operands)['ours']
    for _ in sys.stdin:
        ours()
        print('done', flush=True)


if __name__ == '__main__':
    serve(*sys.argv[1:])
