#!/usr/bin/env bash
# Compile and link all CUDA kernels (SNIPER-mxnet/src/cuda) with nvcc, for every GPU it knows from sm_70 to sm_90, and
# check that the result loads and has every operator. Needs nvcc, a C++ compiler, Python with NumPy; no GPU, no MXNet.
# Without nvcc it says so and succeeds: --required makes that an error. SNIPER_CUDA_ARCHS=90 compiles for these alone.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case "${1:-}" in
    '' | --required) ;;
    -h | --help)
        print_head
        exit
        ;;
    *) fail "unknown option $1; there is --required" ;;
esac
[ -x "$PY" ] || PY="$(find_python)"
"$PY" -c 'import numpy' 2>/dev/null || fail "the Python $PY has no NumPy"
need_compiler
cd "$ROOT/SNIPER-mxnet/tests/cuda"
if ! "$PY" -c 'import sys; from libraries import find_compiler; sys.exit(find_compiler() is None)'; then
    [ "${1:-}" != --required ] || fail "there is no nvcc: set CUDA_HOME, or install a CUDA toolkit from 11.2 on"
    say "there is no nvcc here: the CUDA kernels were not compiled"
    exit
fi
"$PY" libraries.py emulated cuda
"$PY" - <<'PROGRAM'
import re
import subprocess

from arrays import Library
from libraries import library_path

Library('cuda', library_path('cuda'))


def functions(kind):
    listed = subprocess.check_output(['nm', '-D', '--defined-only', library_path(kind)], universal_newlines=True)
    return set(re.findall(r' T (sniper_\w+)', listed))


missing = functions('emulated') - functions('cuda') - {'sniper_set_reverse'}
if missing:
    raise SystemExit('error: libsniper_cuda.so lacks %s' % ', '.join(sorted(missing)))
print('libsniper_cuda.so loads and has %d functions' % len(functions('cuda')))
PROGRAM
