#!/usr/bin/env bash
# Check style and types as pyproject.toml says: ruff and mypy, in an environment of their own (.venv-lint).
#
#   bash scripts/lint.sh          say what is wrong; exit status 0 if nothing is
#   bash scripts/lint.sh --fix    mend what ruff can mend by itself first
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
LINT="$ROOT/.venv-lint"
OLDEST=310  # Python 3.10: mypy's own wish; the code that it checks is to run on 3.8

new_python() {
    local candidate version
    for candidate in ${PYTHON:-} $CANDIDATES; do
        version="$(python_version "$candidate")"
        version="${version/./}"
        if [ "${version:-0}" -ge "$OLDEST" ]; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "mypy wants Python 3.10 or newer, and none of these is: ${PYTHON:-} $CANDIDATES." \
        "Install one and run: PYTHON=python3.11 bash scripts/lint.sh"
}

make_environment() {
    local python
    if cmp -s "$ROOT/requirements-lint.txt" "$LINT/requirements-lint.txt"; then
        return
    fi
    python="$(new_python)"
    say "making the environment .venv-lint with $python"
    "$python" -m venv --clear "$LINT" || fail "could not make the environment $LINT (see above)"
    "$LINT/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$ROOT/requirements-lint.txt" ||
        fail "installing the packages of requirements-lint.txt failed (see above): it takes a network or a package index"
    cp "$ROOT/requirements-lint.txt" "$LINT/requirements-lint.txt"
}

case "${1:-}" in
    '' | --fix) ;;
    -h | --help)
        print_head
        exit
        ;;
    *) fail "unknown option $1; there is --fix" ;;
esac
make_environment
cd "$ROOT"
if [ "${1:-}" = --fix ]; then
    "$LINT/bin/ruff" check --fix --quiet . || true  # what is left is said below
fi
status=0
"$LINT/bin/ruff" check . || status=1
"$LINT/bin/mypy" || status=1
exit "$status"
