#!/usr/bin/env bash
# Convert a backbone of PyTorch, vgg16_reducedfc.pth, to one that M2Det starts from, beside it: -0000.params in the
# place of .pth. The ResNets and SENets of the authors' list, and whole M2Dets of theirs, are converted alike.
#
#   bash scripts/m2det/convert_vgg.sh PTH
set -euo pipefail
# shellcheck source=scripts/m2det/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

arguments 1 'PTH' "$@"
need_environment
PTH="$(absolute "${GIVEN[0]}")"
[ -f "$PTH" ] || fail "PTH is '${GIVEN[0]}', and there is no such file"
NAME="${PTH##*/}"
OUT="${PTH%/*}/${NAME%.*}"
cd "$ROOT"
"$PY" -m lib.weights.convert "$PTH" --network m2det --to "$OUT"
say "to train from it: bash scripts/m2det/run_standalone_train.sh DEVICE_ID $(printf '%q' "$OUT-0000.params") DATASET"
