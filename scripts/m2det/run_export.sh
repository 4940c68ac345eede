#!/usr/bin/env bash
# Write the network of a checkpoint ready for inference, beside it: for SNIPER-0160.params the files
# SNIPER-0160-symbol.json, SNIPER-0160-0000.params and SNIPER-0160-0000.json.
#
#   bash scripts/m2det/run_export.sh DEVICE_ID CKPT [options of scripts/optimize_model.py]
#
#   DEVICE_ID  cpu, or the number of a GPU, which is not used: exported networks are made and run on CPUs
#   CKPT       a checkpoint, such as SNIPER-0160.params
#
# The configuration is configs/m2det/m2det512_vgg16_port.yml; others, and other settings, by the options --cfg FILE,
# --precision bf16, --set KEY VALUE ... (last). --variant export writes the network for other programs, with its outputs
# as the port gives them: offsets (1, P, 4) and scores (P, C).
set -euo pipefail
# shellcheck source=scripts/m2det/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

arguments 2 'DEVICE_ID CKPT [options of scripts/optimize_model.py]' "$@"
need_environment
params_file CKPT "${GIVEN[1]}"
choose_devices DEVICE_ID "${GIVEN[0]}" 1
[ "${#DEVICES[@]}" = 0 ] || say "exported networks are made and run on CPUs: GPU ${DEVICES[0]} is not used"
OUT="$PREFIX-$(printf '%04d' "$NUMBER")"
program_arguments gpus cpu TEST.TEST_EPOCH "$NUMBER"
cd "$ROOT"
"$PY" scripts/optimize_model.py --save_prefix "$PREFIX" --out "$OUT" "${ARGUMENTS[@]}"
[[ " ${ARGUMENTS[*]} " =~ \ --variant[\ =]export\  ]] ||
    say "to test it: bash scripts/m2det/run_eval.sh cpu $(printf '%q' "$OUT-0000.params") DATASET, with the same options"
