"""Shared libraries of a few lines, compiled on the spot, in the place of CUDA's and of NVIDIA's driver."""
import os
import shlex
import shutil
import subprocess

import pytest

COMPILER = shlex.split(os.environ.get('CC', 'gcc'))
needs_compiler = pytest.mark.skipif(shutil.which(COMPILER[0]) is None, reason='needs a C compiler')

DRIVER = """
#include <string.h>
int cuInit(unsigned flags) {{ return {status}; }}
int cuDriverGetVersion(int* version) {{ *version = {version}; return 0; }}
int cuDeviceGetCount(int* count) {{ *count = {count}; return {status}; }}
int cuDeviceGet(int* device, int index) {{ *device = index; return 0; }}
static const char* names[] = {{{names}}};
static const int capabilities[] = {{{capabilities}}};
int cuDeviceGetName(char* name, int length, int device) {{ strncpy(name, names[device], length); return 0; }}
int cuDeviceGetAttribute(int* value, int attribute, int device) {{
  *value = attribute == 75 ? capabilities[device] / 10 : attribute == 76 ? capabilities[device] % 10 : -1;
  return 0;
}}
"""


def compile_library(path, source='', needs=()):
    """Make the shared library `path`, named as the file, of C source; it needs those at the paths `needs`, for which
    it says no folder, as the libraries of a package elsewhere."""
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    flags = ['-shared', '-fPIC', '-w', '-nostdlib', f'-Wl,-soname,{os.path.basename(str(path))}', '-Wl,--no-as-needed',
             '-x', 'c', '-', '-x', 'none']
    subprocess.run(COMPILER + flags + [str(need) for need in needs] + ['-o', str(path)], input=source, text=True,
                   check=True)
    return str(path)


def stub_driver(path, gpus=(), version=12080, status=0, others=()):
    """A driver that finds `gpus`, (name, capability as 80 for 8.0) each; version 12080 = CUDA 12.8.

    status: what cuInit returns, 100 = no GPU. others: further functions, which return the same.
    """
    source = DRIVER.format(status=status, version=version, count=len(gpus),
                           names=', '.join([f'"{name}"' for name, _ in gpus] + ['0']),
                           capabilities=', '.join([str(capability) for _, capability in gpus] + ['0']))
    own = ('cuInit', 'cuDriverGetVersion', 'cuDeviceGetCount', 'cuDeviceGet', 'cuDeviceGetName', 'cuDeviceGetAttribute')
    source += ''.join(f'int {name}(void) {{ return {status or 3}; }}\n' for name in others if name not in own)
    return compile_library(path, source)
