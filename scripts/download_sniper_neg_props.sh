#!/usr/bin/env bash
# The original's proposals for negative chips, into data/proposals.
# Addresses and hashes stand in scripts/downloads.yml.
#
#   bash scripts/download_sniper_neg_props.sh                  fetch, check, unpack; an interrupted download goes on
#   bash scripts/download_sniper_neg_props.sh --from FILE      use an archive fetched by hand
#   bash scripts/download_sniper_neg_props.sh --help           all options
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ -x "$PY" ] || fail "there is no environment in .venv yet; run: bash scripts/setup.sh"
exec "$PY" "$ROOT/scripts/download.py" neg_props "$@"
