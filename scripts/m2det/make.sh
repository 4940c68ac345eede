#!/usr/bin/env bash
# Compile what M2Det needs: the whole environment, soft-NMS, matching and the loss among it. Quick when all is there.
#
#   bash scripts/m2det/make.sh
set -euo pipefail
# shellcheck source=scripts/m2det/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

arguments 0 '' "$@"
exec bash "$ROOT/scripts/setup.sh"
