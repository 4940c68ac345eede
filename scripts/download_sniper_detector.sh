#!/usr/bin/env bash
# The old name of download_sniper_autofocus_detectors.sh.
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/download_sniper_autofocus_detectors.sh" "$@"
