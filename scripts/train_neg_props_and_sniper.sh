#!/usr/bin/env bash
# SNIPER with negative chips, all in one: train a proposal network for two epochs, extract its proposals on every
# training set, train the detector with negative chips from them.
#
#   bash scripts/train_neg_props_and_sniper.sh --cfg configs/faster/sniper_res101_e2e.yml
#
#   --cfg FILE             configuration (required)
#   --proposals-cfg FILE   configuration of another network that proposes, of any size, in place of the detector's own:
#                          configs/arm/sniper_arm_slim.yml for example. It sees the detector's data, as one class
#   --prop_epochs N        epochs that the proposal network is trained (2)
#   --prop_save_path DIR   folder of the proposal files (data/computed_proposals)
#   --prop_train_path DIR  folder of the proposal network's checkpoints (output/sniper_neg_proposals)
#   --set KEY VALUE ...    configuration keys for all steps, as of main_train.py; must come last
#   --help                 print this text
#
# Run the same command again after an interruption: finished steps are passed over, the step that was interrupted goes
# on where it was (training in the middle of an epoch, extraction after the last finished block of images).
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

EPOCHS=2         # of the proposal network
PROPOSALS=data/computed_proposals
NETWORK=output/sniper_neg_proposals
CFG=''
PROPOSALS_CFG='' # of the proposal network, where it is not the detector's own
KEYS=()
stopped=''       # exit status, once a signal came
trap 'stopped=130' INT   # the step gets the signal too and ends in its own way; bash waits for that
trap 'stopped=143' TERM

help() { sed -n '2,/^set -euo/{/^set -euo/!s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}"; }

# value OPTION [VALUE]: prints the value of an option, or ends with a message
value() {
    [ -n "${2:-}" ] || fail "$1 wants a value; see --help"
    printf '%s\n' "$2"
}

# step NAME COMMAND...: run a step; when it was stopped, leave with its status and say how to go on
step() {
    local name="$1" status=0
    shift
    say "" "=== $name"
    [ -n "$stopped" ] || "$@" || status=$?  # a signal between two steps starts no other one
    case "$status" in
        130 | 143) stopped="$status" ;;  # a training that saved its state and left
    esac
    if [ -n "$stopped" ]; then
        say "" "Stopped in the step '$name'. The same command goes on from there." >&2
        exit "$stopped"
    fi
    [ "$status" = 0 ] || fail "the step '$name' failed (see above); mend it and run the same command again"
}

# Keys of the network that proposes: the detector's own, or of another one that shares its data alone, as one class.
proposal_keys() {
    local shared=gpus,dataset.dataset,dataset.dataset_path,dataset.image_set,dataset.root_path,dataset.CLASSES
    PROPOSAL_KEYS=(${KEYS[@]+"${KEYS[@]}"})
    [ -n "$PROPOSALS_CFG" ] || { PROPOSALS_CFG="$CFG" ; return ; }
    local word words
    words="$("$PY" -m configs "$CFG" --keys "$shared" --set ${KEYS[@]+"${KEYS[@]}"})"
    PROPOSAL_KEYS=()
    while IFS= read -r word; do
        PROPOSAL_KEYS+=("$word")
    done <<<"$words"
    PROPOSAL_KEYS+=(dataset.CLASS_AGNOSTIC True)
}

# The proposal network has neither masks nor a focus head, and no negative chips: there are no proposals yet.
train_proposals() {
    "$PY" main_train.py --cfg "$PROPOSALS_CFG" --resume --set ${PROPOSAL_KEYS[@]+"${PROPOSAL_KEYS[@]}"} \
        TRAIN.ONLY_PROPOSAL True TRAIN.USE_NEG_CHIPS False TRAIN.end_epoch "$EPOCHS" output_path "$NETWORK"
}

extract_proposals() {
    "$PY" main_test.py --cfg "$PROPOSALS_CFG" --set ${PROPOSAL_KEYS[@]+"${PROPOSAL_KEYS[@]}"} \
        TEST.EXTRACT_PROPOSALS True TEST.TEST_EPOCH "$EPOCHS" TEST.SHIPPED_MODEL "''" TEST.PROPOSAL_SAVE_PATH "$PROPOSALS" \
        output_path "$NETWORK" dataset.test_image_set "$1" dataset.test_dataset_path "''"
}

train_detector() {
    "$PY" main_train.py --cfg "$CFG" --resume --set ${KEYS[@]+"${KEYS[@]}"} TRAIN.USE_NEG_CHIPS True \
        proposal_path "$PROPOSALS"
}

while [ $# -gt 0 ]; do
    case "$1" in
        --cfg) CFG="$(value "$@")" ; shift 2 ;;
        --proposals-cfg | --proposals_cfg) PROPOSALS_CFG="$(value "$@")" ; shift 2 ;;
        --prop_epochs) EPOCHS="$(value "$@")" ; shift 2 ;;
        --prop_save_path) PROPOSALS="$(value "$@")" ; shift 2 ;;
        --prop_train_path) NETWORK="$(value "$@")" ; shift 2 ;;
        --set) shift ; KEYS=("$@") ; break ;;
        --help | -h) help ; exit 0 ;;
        *) fail "unknown option '$1'; options: --cfg, --proposals-cfg, --prop_epochs, --prop_save_path," \
            "--prop_train_path, --set (last), --help" ;;
    esac
done
[ -n "$CFG" ] || fail "--cfg is missing; name a configuration, such as --cfg configs/faster/sniper_res101_e2e.yml"
need_environment
cd "$ROOT"
SETS="$("$PY" -m configs "$CFG" --set ${KEYS[@]+"${KEYS[@]}"} |
    sed -n "s/^  image_set: '\{0,1\}\([^']*\)'\{0,1\}$/\1/p")"
[ -n "$SETS" ] || fail "dataset.image_set of $CFG is empty; name the training sets there"
proposal_keys

step "train the proposal network" train_proposals
case "$SETS" in
    *,*) PARTS=("$SETS") ;;  # of several folders: one file for all
    *) IFS='+' read -r -a PARTS <<<"$SETS" ;;
esac
for part in "${PARTS[@]}"; do
    step "extract proposals of $part" extract_proposals "$part"
done
step "train the detector" train_detector
say "" "=== done: proposals in $PROPOSALS"
