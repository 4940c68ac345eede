#!/usr/bin/env bash
# Compile again: the operator library (SNIPER-mxnet) into .venv, the kernels of lib/ beside their modules.
# The environment must exist (scripts/setup.sh makes it and calls this).
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ -x "$PY" ] || fail "there is no environment in .venv yet; run: bash scripts/setup.sh"
"$PY" -c 'import Cython, numpy, setuptools' 2>/dev/null ||
    fail "the environment in .venv lacks packages; run: bash scripts/setup.sh"
need_compiler
need_headers "$PY"

say "compiling the operator library (SNIPER-mxnet)"
logged "the operator library did not compile" \
    "$PY" -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation --force-reinstall \
    "$ROOT/SNIPER-mxnet"
say "compiling the kernels of lib/"
logged "the kernels of lib/ did not compile" "$PY" "$ROOT/lib/setup.py" build_ext --inplace
mark_done native
