#!/usr/bin/env bash
# Test an M2Det, in the background: logs/eval.log, logs/eval.pid. The log ends with COCO's table of AP.
#
#   bash scripts/m2det/run_eval.sh DEVICE_ID CKPT DATASET [options of main_test.py]
#
#   DEVICE_ID  number of a GPU, or cpu
#   CKPT       a checkpoint, such as SNIPER-0160.params, or the .params file that run_export.sh wrote
#   DATASET    folder with annotations/ and images/, in COCO's format
#
# The configuration is configs/m2det/m2det512_vgg16_port.yml; others, and other settings, by main_test.py's options:
# --cfg FILE, --vis, --set KEY VALUE ... (last). LOGS=DIR before the command: another folder for log and number.
set -euo pipefail
# shellcheck source=scripts/m2det/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

arguments 3 'DEVICE_ID CKPT DATASET [options of main_test.py]' "$@"
need_environment
params_file CKPT "${GIVEN[1]}"
if grep -q '"optimized"' "$PREFIX-0000.json" 2>/dev/null; then
    SETTINGS=(TEST.OPTIMIZED "$PREFIX")
else
    SETTINGS=(TEST.TEST_EPOCH "$NUMBER")
    FLAGS+=(--save_prefix "$PREFIX")
fi
data_folder "${GIVEN[2]}"
choose_devices DEVICE_ID "${GIVEN[0]}" 1
program_arguments gpus "${DEVICES[0]:-cpu}" "${SETTINGS[@]}"
cd "$ROOT"
start eval test "$PY" main_test.py "${ARGUMENTS[@]}"
