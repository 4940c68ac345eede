#!/usr/bin/env bash
# The original's trained detectors, into output/.
# Addresses and hashes stand in scripts/downloads.yml.
#
#   bash scripts/download_sniper_autofocus_detectors.sh              fetch, check, unpack; if interrupted, go on
#   bash scripts/download_sniper_autofocus_detectors.sh --from FILE  use an archive fetched by hand
#   bash scripts/download_sniper_autofocus_detectors.sh --help       all options
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ -x "$PY" ] || fail "there is no environment in .venv yet; run: bash scripts/setup.sh"
exec "$PY" "$ROOT/scripts/download.py" sniper_detector "$@"
