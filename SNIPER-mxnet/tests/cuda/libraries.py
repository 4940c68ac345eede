"""Builds the libraries of tests/cuda: python SNIPER-mxnet/tests/cuda/libraries.py [cpu] [emulated] [cuda]

libsniper_cpu.so (the CPU loops), libsniper_emulated.so (the kernels of src/cuda as C++, see emulation/) and, with nvcc,
libsniper_cuda.so. They export the functions of interface/, need no MXNet, and land in SNIPER-mxnet/build/cuda, where
only what has changed is compiled again. Without names: the first two, and the third where there is nvcc.
"""
import fcntl
import glob
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, 'build', 'cuda')
sys.path.insert(0, ROOT)
from nvcc import find_compiler  # noqa: E402

INCLUDES = ['-Iinclude', '-Isrc', '-Itests/cuda/interface']
# Compile time counts here, not speed; arithmetic as in the shipped build.
HOST_FLAGS = ['-std=c++11', '-O1', '-ffp-contract=off', '-fvisibility=hidden', '-fno-math-errno', '-fPIC', '-g0',
              '-Wall', '-Wno-psabi', '-Wno-unknown-pragmas', '-U_FORTIFY_SOURCE']


class BuildError(Exception):
    """A compiler failed; the text holds its command and what it said."""


def library_path(kind):
    return os.path.join(FOLDER, f'libsniper_{kind}.so')


def build(kind):
    """Path of libsniper_<kind>.so ('cpu', 'emulated', 'cuda'), built anew if anything it is made of has changed.

    Raises BuildError.
    """
    host = shlex.split(os.environ.get('CXX', 'g++'))
    interface = _sources('tests/cuda/interface/*.cc')
    kernels = _sources('src/cuda/*.cu', 'tests/cuda/interface/*.cu')
    if kind == 'cpu':
        flags = HOST_FLAGS + ['-fopenmp', '-DSNIPER_INTERFACE_CPU']
        jobs = [(source, host + flags) for source in _sources('src/cpu/*.cc') + interface]
        link = host + ['-shared', '-fopenmp']
    elif kind == 'emulated':
        # The headers of tests/cuda/emulation stand in for CUDA's, and its cublas.cc for ours.
        flags = HOST_FLAGS + ['-DSNIPER_INTERFACE_EMULATED', '-Itests/cuda/emulation']
        jobs = [(source, host + flags) for source in _sources('tests/cuda/emulation/*.cc') + interface]
        jobs += [(source, host + flags + ['-x', 'c++']) for source in kernels if source != 'src/cuda/cublas.cu']
        link = host + ['-shared']
    else:
        compiler = find_compiler()
        if compiler is None:
            raise BuildError('there is no nvcc: set CUDA_HOME, or install a CUDA toolkit from 11.2 on')
        jobs = [(source, [compiler.path] + compiler.flags()) for source in kernels]
        flags = HOST_FLAGS + ['-DSNIPER_INTERFACE_CUDA'] + ['-isystem' + folder for folder in compiler.folders('I')]
        jobs += [(source, host + flags) for source in interface]
        link = host + ['-shared', '-Wl,--exclude-libs,ALL'] + ['-L' + folder for folder in compiler.folders('L')]
    libraries = ['-Wl,-z,defs', '-lcudart_static', '-ldl', '-lrt', '-lpthread'] if kind == 'cuda' else []
    return _make(kind, jobs, link, libraries)


def _make(kind, jobs, link, libraries):
    """One process at a time: tests run side by side, and none may link what another is just compiling."""
    os.makedirs(os.path.join(FOLDER, kind), exist_ok=True)
    with open(os.path.join(FOLDER, kind, 'lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)    # until it is closed
        return _make_alone(kind, jobs, link, libraries)


def _make_alone(kind, jobs, link, libraries):
    with ThreadPoolExecutor(_cores()) as pool:
        made = list(pool.map(lambda job: _compile(kind, *job), jobs))
    path = library_path(kind)
    objects = [name for name, _ in made]
    stamp = os.path.join(FOLDER, kind, 'link')
    text = '\n'.join(link + objects + libraries)
    if any(changed for _, changed in made) or not os.path.exists(path) or _read(stamp) != text:
        _run(link + objects + libraries + ['-o', path + '.new'])
        os.replace(path + '.new', path)
        _write(stamp, text)
    return path


def _compile(kind, source, command):
    """(object file, whether it had to be compiled). Its stamp holds the command and the contents it was made from."""
    place = os.path.join(FOLDER, kind, source.replace('/', '_') + '.o')
    rules, stamp = place + '.d', place + '.stamp'
    command = command + INCLUDES
    if os.path.exists(place) and _read(stamp) == _fingerprint(command, rules):
        return place, False
    _run(command + ['-MMD', '-MF', rules, '-c', source, '-o', place])
    _write(stamp, _fingerprint(command, rules))
    return place, True


def _fingerprint(command, rules):
    """Hash of a command and of the files of this project that it read, as the compiler listed them."""
    digest = hashlib.sha256('\n'.join(command).encode())
    for name in _read(rules).replace('\\\n', ' ').split(':', 1)[-1].split():
        path = os.path.join(ROOT, name)
        if os.path.realpath(path).startswith(os.path.realpath(ROOT) + os.sep):
            digest.update(_read(path).encode())
    return digest.hexdigest()


def _run(command):
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise BuildError(f'{" ".join(command)}\n{done.stdout}')
    if done.stdout.strip():
        print(done.stdout.strip(), file=sys.stderr)


def _sources(*patterns):
    found = [path for pattern in patterns for path in glob.glob(os.path.join(ROOT, pattern))]
    return sorted(os.path.relpath(path, ROOT) for path in found)


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _read(path):
    try:
        with open(path) as stream:
            return stream.read()
    except FileNotFoundError:
        return ''


def _write(path, text):
    with open(path, 'w') as stream:
        stream.write(text)


def main():
    kinds = sys.argv[1:] or ['cpu', 'emulated'] + (['cuda'] if find_compiler() else [])
    for kind in kinds:
        begin = time.time()
        try:
            path = build(kind)
        except BuildError as error:
            sys.exit(str(error))
        print(f'{os.path.relpath(path)}: {time.time() - begin:.1f} s, {os.path.getsize(path) // 1024} KB')


if __name__ == '__main__':
    if shutil.which(shlex.split(os.environ.get('CXX', 'g++'))[0]) is None:
        sys.exit('there is no C++ compiler: install g++ or name one in CXX')
    main()
