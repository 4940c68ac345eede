#!/usr/bin/env bash
# From a fresh clone to a trained detector: set up if needed, draw what the shipped detector finds, make the synthetic
# data set, train another from random weights, draw what that finds, evaluate it.
#
#   bash scripts/quickstart.sh
#   EPOCHS=4 bash scripts/quickstart.sh                     train longer (default: 1, three minutes on two cores)
#   bash scripts/quickstart.sh TRAIN.MAX_BATCHES 50         with other configuration keys, as after --set
#
# Results land in output/quickstart; the last thing printed is the COCO table of the trained detector.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CFG=configs/faster/sniper_tiny_quick.yml
SHIPPED=configs/faster/sniper_tiny_e2e.yml
DATA=data/synthetic
OUT=output/quickstart
EPOCHS="${EPOCHS:-1}"
TIMES=''

# step NAME COMMAND...: run a step and note how long it took
step() {
    local name="$1" start="$SECONDS"
    shift
    say "" "=== $name"
    "$@" || fail "the step '$name' failed (see above)"
    TIMES="$TIMES$(printf '%-28s %s' "$name" "$(clock $((SECONDS - start)))")"$'\n'
}

# The detector that ships with the code, on the picture that does: nothing is trained in its folder.
first_picture() {
    "$PY" demo.py --cfg "$SHIPPED" --out "$OUT/first_picture.jpg" --set output_path "$OUT/shipped"
    say "the detector that ships with the code found these, in $OUT/first_picture.jpg; now one is trained anew"
}

# An image of the split without annotations.
draw() {
    local images=("$DATA"/images/test-dev/*.jpg)
    "$PY" demo.py --cfg "$CFG" --im_path "${images[0]}" --out "$OUT/demo_detections.jpg" --set "${KEYS[@]}"
}

evaluate() {
    "$PY" main_test.py --cfg "$CFG" --set "${KEYS[@]}" 2>&1 | tee "$OUT/evaluation.log"
}

case "$EPOCHS" in
    '' | *[!0-9]* | 0) fail "EPOCHS is '$EPOCHS'; it wants a whole number from 1" ;;
esac
KEYS=(output_path "$OUT" dataset.dataset_path "$DATA" TRAIN.end_epoch "$EPOCHS" TEST.TEST_EPOCH "$EPOCHS" "$@")

step 'set up' bash "$ROOT/scripts/setup.sh"
cd "$ROOT"
mkdir -p "$OUT"
step 'draw a first picture' first_picture
step 'make the data set' "$PY" -m lib.dataset.synthetic --out "$DATA"
step 'train' "$PY" main_train.py --cfg "$CFG" --set "${KEYS[@]}"
step 'draw a demo picture' draw
step 'evaluate' evaluate

say "" "=== done in $(clock "$SECONDS")"
printf '%s' "$TIMES"
say "" "The trained detector on the validation split:"
grep -oE 'Average (Precision|Recall).*' "$OUT/evaluation.log" || fail "the evaluation printed no COCO table"
