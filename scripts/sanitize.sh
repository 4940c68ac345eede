#!/usr/bin/env bash
# Run the tests of the C++ code under AddressSanitizer and UndefinedBehaviorSanitizer: bash scripts/sanitize.sh
# The operators and the kernels of lib/ are compiled into build/sanitize, beside a copy of the sources; what .venv
# holds stays as it is. Ends with an error, and the sanitizers' text, if they find anything or a test fails.
#
#   bash scripts/sanitize.sh                    all tests of the operators and of the kernels of lib/
#   bash scripts/sanitize.sh --kept TESTS...    these tests (or pytest's options), with what was compiled last time
#   bash scripts/sanitize.sh TESTS...           the same, compiled anew
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

FOLDER="$ROOT/build/sanitize"
TREE="$FOLDER/tree"
REPORTS="$FOLDER/reports"
FLAGS='-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'
# Those of tests/cuda compile libraries of their own, and the emulator's fibers are beyond AddressSanitizer.
TESTS='SNIPER-mxnet/tests --ignore=SNIPER-mxnet/tests/cuda tests/bbox tests/chips tests/targets'

# library NAME: prints the path of a library of the compiler, or ends with a message
library() {
    local path
    # shellcheck disable=SC2086  # CXX may hold flags
    path="$($CXX -print-file-name="$1")"
    [ -f "$path" ] || fail "the compiler '$CXX' has no $1: the sanitizers need GCC with its libsanitizer" \
        "(Debian, Ubuntu: apt-get install g++; Fedora: dnf install libasan libubsan); name it in CXX and CC"
    printf '%s\n' "$path"
}

# sanitized_compiler NAME COMPILER: a program that calls COMPILER, with our flags behind all others
sanitized_compiler() {
    printf '#!/usr/bin/env bash\nexec %s "$@" %s\n' "$2" "$FLAGS" >"$FOLDER/bin/$1"
    chmod +x "$FOLDER/bin/$1"
}

copy_sources() {
    rm -rf "$FOLDER"
    mkdir -p "$TREE" "$FOLDER/bin"
    tar -C "$ROOT" --exclude='*.so' --exclude=__pycache__ --exclude=build --exclude='*.egg-info' -cf - \
        benchmarks configs lib SNIPER-mxnet symbols tests | tar -C "$TREE" -xf -
}

# build_part NAME FOLDER COMMAND...: run in FOLDER, with its output in NAME.log, which is shown if it fails
build_part() {
    local name="$1" folder="$2"
    shift 2
    (cd "$folder" && "$@") >"$FOLDER/$name.log" 2>&1 || {
        tail -n 15 "$FOLDER/$name.log" >&2
        fail "$name did not compile with the sanitizers (whole log: $FOLDER/$name.log)"
    }
}

build() {
    local started="$SECONDS" operators status=0
    copy_sources
    sanitized_compiler sanitized-cc "$CC"
    sanitized_compiler sanitized-c++ "$CXX"
    export PATH="$FOLDER/bin:$PATH" CC=sanitized-cc CXX=sanitized-c++ SNIPER_CUDA=0
    say "compiling operators and kernels with the sanitizers into build/sanitize"
    build_part operators "$TREE/SNIPER-mxnet" \
        "$PY" setup.py build --build-base "$FOLDER/objects" --build-lib "$FOLDER/packages" &
    operators=$!
    build_part kernels "$TREE" "$PY" lib/setup.py build_ext --inplace || status=$?
    wait "$operators" || status=$?
    [ "$status" = 0 ] || exit "$status"
    touch "$FOLDER/built"
    say "compiled in $(clock $((SECONDS - started)))"
}

# run_tests ARGUMENTS...: pytest on the copy, its status returned; what it prints goes to output.txt as well
run_tests() {
    local asan stdcxx
    asan="$(library libasan.so)"
    stdcxx="$(library libstdc++.so.6)"  # AddressSanitizer looks up C++'s throw before MXNet would load this
    # Reports of AddressSanitizer go to files, those of UBSan to the standard error, which pytest must leave alone.
    # Python and MXNet free little when they end, and MXNet's own libraries are not checked.
    cd "$TREE"
    ASAN_OPTIONS="detect_leaks=0:alloc_dealloc_mismatch=0:new_delete_type_mismatch=0:log_path=$REPORTS/report" \
        UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 SNIPER_SANITIZED=1 \
        SNIPER_SHARED="${SNIPER_SHARED:-$ROOT/../shared}" OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}" \
        PYTHONPATH="$FOLDER/packages" LD_PRELOAD="$asan $stdcxx" \
        "$PY" -m pytest --rootdir "$TREE" -p no:cacheprovider --capture=sys -q -W ignore "$@" 2>&1 |
        tee "$FOLDER/output.txt"
}

# check_reports: ends with an error if a sanitizer has found something
check_reports() {
    local report
    for report in "$REPORTS"/report*; do
        [ -e "$report" ] || continue
        sed -n '1,60p' "$report" >&2
        fail "AddressSanitizer found the above (all reports: $REPORTS)"
    done
    ! grep -q ': runtime error: ' "$FOLDER/output.txt" ||
        fail "UndefinedBehaviorSanitizer found a 'runtime error' (above, and in $FOLDER/output.txt)"
}

main() {
    local kept=no status=0
    case "${1:-}" in
        -h | --help)
            print_head
            return
            ;;
        --kept)
            kept=yes
            shift
            ;;
    esac
    need_environment
    need_compiler
    library libasan.so >/dev/null
    library libubsan.so >/dev/null
    if [ "$kept" = no ]; then
        need_headers "$PY"
        (build)
    fi
    [ -f "$FOLDER/built" ] || fail "nothing was compiled yet; run without --kept"
    # shellcheck disable=SC2086  # a list
    [ $# -gt 0 ] || set -- $TESTS
    rm -rf "$REPORTS"
    mkdir -p "$REPORTS"
    (run_tests "$@") || status=$?
    check_reports
    [ "$status" = 0 ] || fail "tests fail under the sanitizers, which found nothing themselves (see above)"
    say "no finding of AddressSanitizer or UndefinedBehaviorSanitizer"
}

main "$@"
