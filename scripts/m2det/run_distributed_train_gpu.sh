#!/usr/bin/env bash
# The other name of run_distributed_train.sh, see there.
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/run_distributed_train.sh" "$@"
