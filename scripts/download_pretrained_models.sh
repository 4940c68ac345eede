#!/usr/bin/env bash
# ImageNet weights to train from, into data/pretrained_model.
# Addresses and hashes stand in scripts/downloads.yml.
#
#   bash scripts/download_pretrained_models.sh                  fetch, check, unpack; an interrupted download goes on
#   bash scripts/download_pretrained_models.sh --from FILE      use an archive fetched by hand
#   bash scripts/download_pretrained_models.sh --help           all options
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ -x "$PY" ] || fail "there is no environment in .venv yet; run: bash scripts/setup.sh"
exec "$PY" "$ROOT/scripts/download.py" pretrained_model "$@"
