#!/usr/bin/env bash
# Train M2Det on one device, in the background: logs/train.log, logs/train.pid.
#
#   bash scripts/m2det/run_standalone_train.sh DEVICE_ID BACKBONE_CKPT DATASET [options of main_train.py]
#
#   DEVICE_ID      number of a GPU, or cpu
#   BACKBONE_CKPT  what convert_vgg.sh wrote, such as vgg16_reducedfc-0000.params, or any detector; none: start from
#                  random weights
#   DATASET        folder with annotations/ and images/, in COCO's format
#
# The configuration is configs/m2det/m2det512_vgg16_port.yml; others, and other settings, by main_train.py's options:
# --cfg FILE, --resume, --set KEY VALUE ... (last). LOGS=DIR before the command: another folder for log and number.
set -euo pipefail
# shellcheck source=scripts/m2det/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

arguments 3 'DEVICE_ID BACKBONE_CKPT DATASET [options of main_train.py]' "$@"
need_environment
training_keys "${GIVEN[1]}" "${GIVEN[2]}"
choose_devices DEVICE_ID "${GIVEN[0]}" 1
program_arguments gpus "${DEVICES[0]:-cpu}" "${SETTINGS[@]}"
cd "$ROOT"
start train training "$PY" main_train.py "${ARGUMENTS[@]}"
