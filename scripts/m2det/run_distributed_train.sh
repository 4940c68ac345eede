#!/usr/bin/env bash
# Train M2Det with a worker process a device, in the background: logs/train.log, logs/train.pid.
#
#   bash scripts/m2det/run_distributed_train.sh RANK_SIZE DEVICE_START BACKBONE_CKPT DATASET [options of main_train.py]
#
#   RANK_SIZE      number of worker processes, each with one GPU
#   DEVICE_START   number of the first GPU; cpu: workers on the CPU, which share its cores
#   BACKBONE_CKPT, DATASET, options: as of run_standalone_train.sh; its --help says more
#
# scripts/launch.py starts the workers, and servers that sum their gradients: as many as GPUs, one for CPUs.
set -euo pipefail
# shellcheck source=scripts/m2det/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

arguments 4 'RANK_SIZE DEVICE_START BACKBONE_CKPT DATASET [options of main_train.py]' "$@"
COUNT="${GIVEN[0]}"
case "$COUNT" in
    '' | *[!0-9]* | 0*) fail "RANK_SIZE is '$COUNT'; it wants a number of worker processes, from 1" ;;
esac
need_environment
training_keys "${GIVEN[2]}" "${GIVEN[3]}"
choose_devices DEVICE_START "${GIVEN[1]}" "$COUNT"
SETTINGS+=(default.kvstore dist_sync)
if [ "${#DEVICES[@]}" = 0 ]; then
    say "$COUNT worker processes on the CPU, which share its cores"
    SERVERS=1
    program_arguments gpus cpu "${SETTINGS[@]}"
    COMMAND=("$PY" main_train.py "${ARGUMENTS[@]}")
else
    # A worker sees one GPU, its number 0. DEVICES count among those that the caller sees.
    IFS=, read -r -a VISIBLE <<<"${CUDA_VISIBLE_DEVICES:-}"
    for index in "${!DEVICES[@]}"; do
        DEVICES[index]="${VISIBLE[${DEVICES[index]}]:-${DEVICES[index]}}"
    done
    say "$COUNT worker processes, on the GPUs ${DEVICES[*]}"
    SERVERS="$COUNT"
    program_arguments gpus 0 "${SETTINGS[@]}"
    # shellcheck disable=SC2016  # the worker's shell looks at these
    COMMAND=(bash -c 'gpus=($0); CUDA_VISIBLE_DEVICES="${gpus[DMLC_TASK_ID]}" exec "$@"' "${DEVICES[*]}"
        "$PY" main_train.py "${ARGUMENTS[@]}")
fi
cd "$ROOT"
start train training "$PY" scripts/launch.py -n "$COUNT" -s "$SERVERS" "${COMMAND[@]}"
