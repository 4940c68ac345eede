#!/usr/bin/env bash
# Compile again: the operator library (SNIPER-mxnet) into .venv, the kernels of lib/ beside their modules.
# The environment must exist (scripts/setup.sh makes it and calls this); one without MXNet has no operator library.
#
#   bash scripts/compile.sh                  with CUDA kernels where MXNet is one for CUDA and there is nvcc
#   SNIPER_CUDA=1 bash scripts/compile.sh    with CUDA kernels, whatever MXNet is; SNIPER_CUDA=0: without
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Say on what the operators run, if that is a question here.
report_cuda() {
    "$PY" - <<'PROGRAM'
import ctypes, glob, os, sysconfig

site = sysconfig.get_paths()['platlib']
library = ctypes.CDLL(os.path.join(site, 'sniper_mxnet', 'libsniper_mxnet.so'))
if library.sniper_has_cuda_kernels():
    print('the operator library has CUDA kernels')
elif glob.glob(os.path.join(site, 'mxnet_cu*-*.dist-info')):
    print('warning: MXNet is one for CUDA, but the operator library was compiled without CUDA kernels: its operators '
          'run on the CPU. Run: .venv/bin/python -m pip install -r requirements-nvcc.txt && SNIPER_CUDA=1 bash scripts/compile.sh')
PROGRAM
}

no_options "$@"
need_environment
! is_without_mxnet || for_inference
"$PY" -c 'import Cython, numpy, setuptools' 2>/dev/null ||
    fail "the environment in .venv lacks packages; run: bash scripts/setup.sh"
need_compiler
need_headers "$PY"

if [ "$INFERENCE" = no ]; then
    say "compiling the operator library (SNIPER-mxnet)"
    logged "the operator library did not compile" \
        "$PY" -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation --force-reinstall \
        "$ROOT/SNIPER-mxnet"
    report_cuda
fi
say "compiling the kernels of lib/"
logged "the kernels of lib/ did not compile" "$PY" "$ROOT/lib/setup.py" build_ext --inplace
mark_done native
