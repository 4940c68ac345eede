#!/usr/bin/env bash
# Make the environment .venv in the repository: Python packages, operator library, compiled kernels.
#
#   bash scripts/setup.sh                                 quick when all is there already
#   PYTHON=python3.11 bash scripts/setup.sh               with this Python (3.8 to 3.13)
#   SNIPER_MXNET=mxnet-cu117 bash scripts/setup.sh        MXNet for CUDA 11.7 with its libraries: a driver is all it needs
#   bash scripts/setup.sh --quiet                         says nothing when there is nothing to do
#   bash scripts/setup.sh --inference                     without MXNet: runs exported networks, on any Python from 3.8
#   SNIPER_ONNXRUNTIME=onnxruntime-gpu bash scripts/setup.sh --inference      with that build of ONNX Runtime
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

make_environment() {
    local python version old=''
    check_kind
    if [ -e "$VENV" ]; then
        version="$(python_version "$PY")"
        if of_kind && supported_version "$version" && "$PY" -c 'import pip' 2>/dev/null &&
            { [ -z "${PYTHON:-}" ] || [ "$(python_version "$PYTHON")" = "$version" ]; }; then
            return
        fi
        old='; the one that is there is not whole, or of another Python or kind'
    fi
    python="$(find_python)"
    version="$(python_version "$python")"
    need_compiler
    need_headers "$python"
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "Python $version has no venv module (Debian, Ubuntu: apt-get install python$version-venv)"
    say "making the environment .venv with Python $version$old"
    "$python" -m venv --clear "$VENV" || fail "could not make the environment $VENV (see above)"
    [ "$INFERENCE" = no ] || mark_without_mxnet
}

# of_kind: succeeds if .venv is meant to be with or without MXNet, as was asked for
of_kind() {
    if is_without_mxnet; then [ "$INFERENCE" = yes ]; else [ "$INFERENCE" = no ]; fi
}

# check_kind: ends with a message if .venv is finished and of the other kind
check_kind() {
    [ -f "$VENV/packages.stamp" ] && ! of_kind || return 0
    if [ "$INFERENCE" = yes ]; then
        fail "the environment .venv has MXNet, and does all that one without does: for exported networks run" \
            ".venv/bin/python -m pip install -r requirements-onnx.txt (or remove .venv, to have it without MXNet)"
    else
        fail "the environment .venv is one without MXNet: add --inference, or remove .venv, to have it with MXNet"
    fi
}

install_for_inference() {
    local runtime="${SNIPER_ONNXRUNTIME:-onnxruntime}"
    need_compiler
    say "installing Python packages without MXNet (some 300 MB)"
    sed "s/^onnxruntime\\b/$runtime/" "$ROOT/requirements-inference.txt" >"$VENV/requirements.txt"
    logged "installing the packages of requirements-inference.txt failed: it cannot go on without a network or a package \
index" "$PY" -m pip install --disable-pip-version-check --no-input -r "$VENV/requirements.txt"
    mark_done packages
}

install_packages() {
    local mxnet size='some 200 MB'
    mxnet="$(mxnet_package)"
    need_compiler  # some packages have no wheel for some Pythons
    sed "s/^mxnet==/$mxnet==/" "$ROOT/requirements.txt" >"$VENV/requirements.txt"
    if [[ "$mxnet" == mxnet-cu11* ]]; then
        size='some 2.6 GB with the libraries of CUDA 11, 5 GB on disk'
        cat "$ROOT/requirements-cuda11.txt" >>"$VENV/requirements.txt"
        has_nvcc || cat "$ROOT/requirements-nvcc.txt" >>"$VENV/requirements.txt"
    fi
    remove_other_mxnet "$mxnet"
    say "installing Python packages ($size; minutes on Python 3.13, which has to compile NumPy)"
    logged "installing the packages of requirements.txt failed: it cannot go on without a network or a package index" \
        "$PY" -m pip install --disable-pip-version-check --no-input -r "$VENV/requirements.txt"
    give_arm_blas
    check_mxnet
    printf '%s\n' "$mxnet" >"$VENV/mxnet_package"
    mark_done packages
}

# has_nvcc: succeeds if the kernels can be compiled, or are not wanted
has_nvcc() {
    [ "${SNIPER_CUDA:-}" != 0 ] || return 0
    PYTHONPATH="$ROOT/SNIPER-mxnet" "$PY" -c 'import sys, nvcc; sys.exit(nvcc.find_compiler() is None)'
}

# remove_other_mxnet PACKAGE: all of them lie in one folder, and pip would lay one over the other
remove_other_mxnet() {
    local folder name others='' installed=()
    for folder in "$VENV"/lib/python*/site-packages/mxnet*-*.dist-info; do
        [ -e "$folder" ] || continue
        name="${folder##*/}"
        name="${name%%-*}"
        installed+=("${name//_/-}")
        [ "${name//_/-}" = "$1" ] || others=yes
    done
    [ -n "$others" ] || return 0
    logged "removing the installed MXNet (${installed[*]}) failed" "$PY" -m pip uninstall --yes "${installed[@]}"
}

# give_arm_blas: on aarch64 MXNet looks for Arm Performance Libraries; where these are not installed it gets OpenBLAS
give_arm_blas() {
    [ "${HOSTTYPE:-}" = aarch64 ] || return 0
    "$PY" -c 'import ctypes; ctypes.CDLL("libarmpl_lp64_mp.so")' 2>/dev/null ||
        logged "MXNet could not be given OpenBLAS" "$PY" "$ROOT/scripts/arm_blas.py"
}

# check_mxnet: ends with a message if MXNet does not load; a machine without a driver may get one later
check_mxnet() {
    PYTHONPATH="$ROOT/SNIPER-mxnet/python/sniper_mxnet" "$PY" - 2>>"$LOG" <<'PROGRAM' || {
import sys

import numpy

numpy.bool = bool
import cuda_libraries

try:
    cuda_libraries.import_mxnet()
except ImportError as error:
    if error.path != cuda_libraries.DRIVER:
        sys.exit(str(error))
    print('warning:', error)
PROGRAM
        tail -n 3 "$LOG" >&2
        fail "MXNet is installed but does not load; the line above says why"
    }
}

main() {
    local quiet=no option
    for option in "$@"; do
        case "$option" in
            --quiet) quiet=yes ;;
            --inference) for_inference ;;
            -h | --help)
                print_head
                return
                ;;
            *) fail "unknown option $option; there are --quiet and --inference" ;;
        esac
    done
    case "${SNIPER_MXNET:-mxnet}" in
        mxnet | mxnet-cu112 | mxnet-cu117) ;;
        *) fail "SNIPER_MXNET is '$SNIPER_MXNET'; it can be mxnet or one for CUDA, mxnet-cu117 or mxnet-cu112" ;;
    esac
    [[ "${SNIPER_ONNXRUNTIME:-onnxruntime}" =~ ^onnxruntime(-[a-z][a-z0-9-]*)?$ ]] ||
        fail "SNIPER_ONNXRUNTIME is '$SNIPER_ONNXRUNTIME'; it can be onnxruntime, or another build of it, such as" \
            "onnxruntime-gpu"
    make_environment
    if ! up_to_date packages; then
        if [ "$INFERENCE" = yes ]; then install_for_inference; else install_packages; fi
    fi
    if ! up_to_date native; then
        bash "$ROOT/scripts/compile.sh"
    fi
    [ "$quiet" = no ] || return 0
    if [ "$INFERENCE" = yes ]; then
        say "ready: .venv with Python $(python_version "$PY"), without MXNet; docs/engines.md says how to run with it"
    else
        say "ready: .venv with Python $(python_version "$PY"); try: bash scripts/quickstart.sh"
    fi
}

main "$@"
