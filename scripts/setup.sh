#!/usr/bin/env bash
# Make the environment .venv in the repository: Python packages, operator library, compiled kernels.
#
#   bash scripts/setup.sh                                 quick when all is there already
#   PYTHON=python3.11 bash scripts/setup.sh               with this Python (3.8 to 3.13)
#   SNIPER_MXNET=mxnet-cu112 bash scripts/setup.sh        MXNet for CUDA 11.2 (GPUs up to sm_86) instead of the CPU one
#   bash scripts/setup.sh --quiet                         says nothing when there is nothing to do
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

make_environment() {
    local python version old=''
    if [ -e "$VENV" ]; then
        version="$(python_version "$PY")"
        if supported_version "$version" && "$PY" -c 'import pip' 2>/dev/null &&
            { [ -z "${PYTHON:-}" ] || [ "$(python_version "$PYTHON")" = "$version" ]; }; then
            return
        fi
        old='; the one that is there is not whole or of another Python'
    fi
    python="$(find_python)"
    version="$(python_version "$python")"
    need_compiler
    need_headers "$python"
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "Python $version has no venv module (Debian, Ubuntu: apt-get install python$version-venv)"
    say "making the environment .venv with Python $version$old"
    "$python" -m venv --clear "$VENV" || fail "could not make the environment $VENV (see above)"
}

install_packages() {
    local mxnet="${SNIPER_MXNET:-mxnet}"
    need_compiler  # some packages have no wheel for some Pythons
    say "installing Python packages (some 200 MB; minutes on Python 3.13, which has to compile NumPy)"
    sed "s/^mxnet==/$mxnet==/" "$ROOT/requirements.txt" >"$VENV/requirements.txt"
    logged "installing the packages of requirements.txt failed: it cannot go on without a network or a package index" \
        "$PY" -m pip install --disable-pip-version-check --no-input -r "$VENV/requirements.txt"
    "$PY" -c 'import numpy; numpy.bool = bool; import mxnet' 2>>"$LOG" || {
        tail -n 3 "$LOG" >&2
        fail "MXNet is installed but does not load; the line above names the system library that is missing"
    }
    mark_done packages
}

main() {
    local quiet=no
    case "${1:-}" in
        '') ;;
        --quiet) quiet=yes ;;
        -h | --help)
            print_head
            return
            ;;
        *) fail "unknown option $1; there is --quiet" ;;
    esac
    case "${SNIPER_MXNET:-mxnet}" in
        mxnet | mxnet-cu[0-9]*) ;;
        *) fail "SNIPER_MXNET is '$SNIPER_MXNET'; it can be mxnet or one for CUDA, such as mxnet-cu112" ;;
    esac
    make_environment
    up_to_date packages || install_packages
    if ! up_to_date native; then
        bash "$ROOT/scripts/compile.sh"
    fi
    [ "$quiet" = yes ] || say "ready: .venv with Python $(python_version "$PY"); try: bash scripts/quickstart.sh"
}

main "$@"
