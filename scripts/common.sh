# shellcheck shell=bash
# What the scripts share. Source it: sets ROOT (the repository), VENV, PY and the functions below.
# Works from any folder, whatever the path is.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
PY="$VENV/bin/python"
LOG="$ROOT/.venv/setup.log"

# Oldest and newest Python that MXNet 1.9.1 and NumPy below 2 were seen to work with.
SUPPORTED='3.8 to 3.13'
# 3.13 last: NumPy 1.26 has no wheel for it and takes minutes to compile.
CANDIDATES='python3 python3.12 python3.11 python3.10 python3.9 python3.8 python3.13'
INFERENCE=no  # yes: an environment without MXNet

# mark_without_mxnet, is_without_mxnet: of the environment that is there; setup.sh --inference makes them so
mark_without_mxnet() { : >"$VENV/without_mxnet"; }
is_without_mxnet() { [ -e "$VENV/without_mxnet" ]; }

# for_inference: an environment without MXNet is meant, which newer Pythons do too
for_inference() {
    INFERENCE=yes
    SUPPORTED='3.8 or later'
    CANDIDATES='python3 python3.12 python3.13 python3.14 python3.11 python3.10 python3.9 python3.8'
}

# say LINE...: print each argument on a line of its own
say() { printf '%s\n' "$@"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# print_head: prints what the running script says of itself in its first lines
print_head() {
    sed -n '2,/^set -euo/{/^set -euo/!s/^# \{0,1\}//p;}' "$0"
}

# no_options "$@": for a script without options: prints its head and ends if the first is -h or --help, ends with a
# message for any other
no_options() {
    case "${1:-}" in
        '') ;;
        -h | --help)
            print_head
            exit
            ;;
        *) fail "unknown option $1; there is --help" ;;
    esac
}

# python_version PYTHON: prints 3.11, or nothing if it does not run
python_version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

# supported_version VERSION: succeeds for $SUPPORTED
supported_version() {
    case "$1" in
        3.8 | 3.9 | 3.10 | 3.11 | 3.12 | 3.13) return 0 ;;
        3.[1-9][0-9]) [ "$INFERENCE" = yes ] ;;
        *) return 1 ;;
    esac
}

# find_python: prints a supported Python, $PYTHON if that is set; ends with a message if there is none
find_python() {
    local candidate version seen=''
    if [ -n "${PYTHON:-}" ]; then
        version="$(python_version "$PYTHON")"
        [ -n "$version" ] || fail "PYTHON is '$PYTHON', which does not run; name a Python $SUPPORTED"
        supported_version "$version" ||
            fail "PYTHON is '$PYTHON', Python $version, which does not do; name a Python $SUPPORTED"
        printf '%s\n' "$PYTHON"
        return
    fi
    for candidate in $CANDIDATES; do
        version="$(python_version "$candidate")"
        if supported_version "$version"; then
            printf '%s\n' "$candidate"
            return
        fi
        [ -z "$version" ] || seen="$seen $candidate is $version;"
    done
    fail "no supported Python found (${seen:- none at all;} wanted: $SUPPORTED)." \
        "Install one, such as 3.11, and run: PYTHON=python3.11 bash scripts/setup.sh"
}

# need_environment: ends with a message if there is none yet
need_environment() {
    [ -x "$PY" ] || fail "there is no environment in $VENV yet; run: bash scripts/setup.sh"
}

# need_compiler: sets CC and CXX to compilers that are there, or ends with a message
need_compiler() {
    local name
    if [ -z "${CXX:-}" ]; then
        for name in g++ c++ clang++; do
            if command -v "$name" >/dev/null 2>&1; then
                CXX="$name"
                break
            fi
        done
    fi
    if [ -z "${CC:-}" ]; then
        for name in gcc cc clang; do
            if command -v "$name" >/dev/null 2>&1; then
                CC="$name"
                break
            fi
        done
    fi
    if [ -z "${CXX:-}" ] || [ -z "${CC:-}" ]; then
        fail "no C++ compiler found (g++ or clang++)." \
            "Install one (Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++) or name it in CXX and CC"
    fi
    # shellcheck disable=SC2086  # CXX may hold flags
    $CXX -x c++ -fsyntax-only - <<<$'#include <vector>\nint main() { return 0; }' 2>/dev/null ||
        fail "the C++ compiler '$CXX' does not compile a program of two lines;" \
            "install one with its standard library (Debian, Ubuntu: apt-get install g++) or name another in CXX and CC"
    export CC CXX
}

# need_headers PYTHON: ends with a message if Python.h is missing
need_headers() {
    local header
    header="$("$1" -c 'import os, sysconfig; print(os.path.join(sysconfig.get_paths()["include"], "Python.h"))')"
    [ -f "$header" ] || fail "the header files of Python are missing ($header)." \
        "Install them (Debian, Ubuntu: apt-get install python3-dev)"
}

# mxnet_package: prints the name of the MXNet package: SNIPER_MXNET, else that of the environment as it is, else mxnet
mxnet_package() {
    if [ -z "${SNIPER_MXNET:-}" ] && [ -f "$VENV/mxnet_package" ]; then
        cat "$VENV/mxnet_package"
    else
        printf '%s\n' "${SNIPER_MXNET:-mxnet}"
    fi
}

# stamp_of NAME: prints what the environment's part (packages or native) depends on, as one hash;
# 'missing' if a compiled file is not there. Reads nothing but the sources.
stamp_of() {
    local runtime
    runtime="$(mxnet_package)"
    [ "$INFERENCE" = no ] || runtime="${SNIPER_ONNXRUNTIME:-onnxruntime}"
    "$PY" "$ROOT/scripts/stamp.py" "$1" "$runtime"
}

# up_to_date NAME: succeeds if that part was finished for the sources as they are
up_to_date() {
    [ -f "$VENV/$1.stamp" ] && [ "$(cat "$VENV/$1.stamp")" = "$(stamp_of "$1")" ]
}

# mark_done NAME: remember that the part is finished; ends with a message if its files are not there after all
mark_done() {
    local stamp
    stamp="$(stamp_of "$1")"
    [ "$stamp" != missing ] || fail "'$1' was built, but its files are not there; see $LOG"
    printf '%s\n' "$stamp" >"$VENV/$1.stamp.new"
    mv "$VENV/$1.stamp.new" "$VENV/$1.stamp"
}

# logged WHAT COMMAND...: run it quietly into setup.log; on failure show the log's end and stop with WHAT
logged() {
    local what="$1"
    shift
    printf '\n$ %s\n' "$*" >>"$LOG"
    if ! "$@" >>"$LOG" 2>&1; then
        tail -n 15 "$LOG" >&2
        fail "$what (whole log: $LOG)"
    fi
}

# clock SECONDS: prints 3 min 05 s
clock() {
    printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
}
