#!/usr/bin/env bash
# Compile the operator library for aarch64 (ARM, 64 bits) and run the operators' tests on it under qemu-aarch64:
#   bash scripts/test_aarch64.sh [pytest's arguments]
# MXNet and the tests run on this machine; every pass of an operator runs in the library for aarch64, in an emulated
# program (SNIPER-mxnet/tests/aarch64). All goes to build/aarch64; what .venv holds stays as it is. Needs no root.
#
#   bash scripts/test_aarch64.sh                 without a cross compiler or qemu it says so and succeeds
#   bash scripts/test_aarch64.sh --required      that is an error
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

FOLDER="$ROOT/build/aarch64"
SOURCES="$ROOT/SNIPER-mxnet/tests/aarch64"
CROSS=aarch64-linux-gnu
EMULATOR=''  # the command that runs a program for aarch64
# Not those that measure the memory of a process, in which the kernels no longer are.
TESTS='SNIPER-mxnet/tests --ignore=SNIPER-mxnet/tests/cuda --ignore=SNIPER-mxnet/tests/test_operator_memory.py'

# find_tools: sets EMULATOR; says which package is missing and returns 1 if one is
find_tools() {
    local qemu loader
    command -v "$CROSS-g++" >/dev/null 2>&1 || {
        say "there is no $CROSS-g++ (Debian, Ubuntu: apt-get install g++-aarch64-linux-gnu)"
        return 1
    }
    qemu="$(command -v qemu-aarch64 || command -v qemu-aarch64-static)" || {
        say "there is no qemu-aarch64 (Debian, Ubuntu: apt-get install qemu-user)"
        return 1
    }
    loader="$("$CROSS-g++" -print-file-name=ld-linux-aarch64.so.1)"
    [ -f "$loader" ] || {
        say "$CROSS-g++ has no C library (Debian, Ubuntu: apt-get install libc6-dev-arm64-cross)"
        return 1
    }
    EMULATOR="$qemu -L $(cd "$(dirname "$loader")/.." && pwd)"
}

# built NAME COMMAND...: run it quietly, with its output in NAME.log, which is shown if it fails
built() {
    local name="$1"
    shift
    "$@" >"$FOLDER/$name.log" 2>&1 || {
        tail -n 15 "$FOLDER/$name.log" >&2
        fail "$name did not compile (whole log: $FOLDER/$name.log)"
    }
}

build() {
    local started="$SECONDS" mxnet native package="$FOLDER/packages/sniper_mxnet"
    local wheel='import importlib.util as u; print(*u.find_spec("mxnet").submodule_search_locations)'
    local library='import importlib.util as u; print(*u.find_spec("sniper_mxnet").submodule_search_locations)'
    mkdir -p "$package"
    mxnet="$("$PY" -c "$wheel")"
    native="$("$PY" -c "$library")/libsniper_mxnet.so"
    [ -f "$native" ] || fail "$native is missing; run: bash scripts/compile.sh"
    say "compiling the operators for aarch64 into build/aarch64"
    # What is compiled already stays, if no source is newer.
    (cd "$ROOT/SNIPER-mxnet" && CC="$CROSS-gcc" CXX="$CROSS-g++" LDSHARED="$CROSS-gcc -shared" SNIPER_CUDA=0 \
        built operators "$PY" setup.py build --build-base "$FOLDER/objects" --build-lib "$FOLDER/cross")
    # shellcheck disable=SC2016  # the loader expands $ORIGIN
    built server "$CROSS-g++" -std=c++11 -O2 -I"$mxnet/include" "$SOURCES/kernel_server.cc" \
        -L"$FOLDER/cross/sniper_mxnet" -l:libsniper_mxnet.so -Wl,-rpath,'$ORIGIN/cross/sniper_mxnet' \
        -o "$FOLDER/kernel_server"
    cp "$ROOT"/SNIPER-mxnet/python/sniper_mxnet/*.py "$package"
    cp "$native" "$package/libsniper_native.so"
    # shellcheck disable=SC2016
    built forwarding "$CXX" -std=c++11 -O2 -fPIC -shared -fvisibility=hidden -I"$mxnet/include" \
        "$SOURCES/forwarding_library.cc" -L"$package" -l:libsniper_native.so -Wl,-rpath,'$ORIGIN' \
        -o "$package/libsniper_mxnet.so"
    say "compiled in $(clock $((SECONDS - started)))"
}

# run_tests ARGUMENTS...: pytest with the forwarding library, its status returned
run_tests() {
    local server
    printf -v server 'exec %s %q %q' "$EMULATOR" "$FOLDER/kernel_server" "$FOLDER/passes.txt"
    rm -f "$FOLDER/passes.txt"
    cd "$ROOT"
    CXX="$CROSS-g++" SNIPER_EMULATOR="$EMULATOR" SNIPER_KERNEL_SERVER="$server" PYTHONPATH="$FOLDER/packages" \
        OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}" OMP_WAIT_POLICY=passive \
        "$PY" -m pytest --rootdir "$ROOT" -p no:cacheprovider -q "$@"
}

# check_passes: ends with an error if some operator was not computed by the library for aarch64
check_passes() {
    "$PY" - "$ROOT/SNIPER-mxnet/python/sniper_mxnet" "$FOLDER/passes.txt" <<'PROGRAM'
import sys

sys.path.insert(0, sys.argv[1])
from operators import OPERATORS

with open(sys.argv[2]) as stream:
    passes = {tuple(line.split()) for line in stream}
wanted = {(operator.name, 'forward') for operator in OPERATORS}
# No gradient flows through those that BlockGrad guards.
wanted |= {(operator.name, 'backward') for operator in OPERATORS if operator.guard == 'identity'}
if wanted - passes:
    raise SystemExit('error: not computed by the library for aarch64: %s' % sorted(wanted - passes))
print('%d operators, %d passes ran in the library for aarch64' % (len(OPERATORS), len(wanted)))
PROGRAM
}

main() {
    local required=no missing
    case "${1:-}" in
        -h | --help)
            print_head
            return
            ;;
        --required)
            required=yes
            shift
            ;;
    esac
    need_environment
    ! is_without_mxnet || fail "the environment .venv is one without MXNet, which the operators' tests need"
    need_compiler
    if ! missing="$(find_tools)"; then
        [ "$required" = no ] || fail "$missing"
        say "$missing: nothing was tested on aarch64"
        return
    fi
    find_tools
    (build)
    if [ $# -gt 0 ]; then
        run_tests "$@"
    else
        # shellcheck disable=SC2086  # a list
        run_tests $TESTS
        check_passes
    fi
}

main "$@"
