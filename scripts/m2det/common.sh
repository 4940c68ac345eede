# shellcheck shell=bash
# What the scripts of M2Det share. Source it: brings scripts/common.sh, and sets LOGS and the functions below.
#
# Files that are named on a command line are the caller's; the programs run in the repository.
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

CFG=configs/m2det/m2det512_vgg16_port.yml
case "${LOGS:-}" in
    '') LOGS="$ROOT/logs" ;;
    /*) ;;
    *) LOGS="$PWD/$LOGS" ;;
esac
WATCHED=10      # seconds of a background program that are waited for, as most mistakes show by then

# arguments COUNT NAMES "$@": sets GIVEN to the first COUNT words and, where NAMES ends with options, CFG to that after
# --cfg, KEYS to what follows --set, and FLAGS to all others. One line of usage and status 1 for another number of
# words; the head of the script for --help.
arguments() {
    local count="$1" names="$2"
    shift 2
    case "${1:-}" in
        -h | --help)
            print_head
            exit 0
            ;;
    esac
    GIVEN=()
    while [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; do
        GIVEN+=("$1")
        shift
    done
    if [ "${#GIVEN[@]}" != "$count" ] || { [ $# -gt 0 ] && [ "${names%]}" = "$names" ]; }; then
        say "usage: bash scripts/m2det/${0##*/} $names" >&2
        exit 1
    fi
    FLAGS=()
    KEYS=()
    while [ $# -gt 0 ]; do
        case "$1" in
            --set)
                shift
                KEYS=("$@")
                break
                ;;
            --cfg)
                [ $# -gt 1 ] || fail "--cfg wants a file"
                CFG="$(config_path "$2")"
                shift 2
                ;;
            --cfg=*) set -- --cfg "${1#--cfg=}" "${@:2}" ;;
            *)
                FLAGS+=("$1")
                shift
                ;;
        esac
    done
}

# program_arguments KEY VALUE ...: sets ARGUMENTS to what the program gets, these keys before the caller's, which win.
# Ends with the message of configs for a file or key that is wrong.
program_arguments() {
    local set_keys=(--set "$@" ${KEYS[@]+"${KEYS[@]}"})
    (cd "$ROOT" && "$PY" -m configs "$CFG" "${set_keys[@]}" >/dev/null) || exit 1
    # shellcheck disable=SC2034  # of the scripts
    ARGUMENTS=(--cfg "$CFG" ${FLAGS[@]+"${FLAGS[@]}"} "${set_keys[@]}")
}

# absolute PATH: prints the caller's path as it is from any folder
absolute() {
    case "$1" in
        /*) printf '%s\n' "$1" ;;
        *) printf '%s\n' "$PWD/$1" ;;
    esac
}

# config_path FILE: the caller's file, or else that of the repository
config_path() {
    if [ -f "$1" ]; then absolute "$1"; else printf '%s\n' "$1"; fi
}

# params_file NAME FILE: sets PREFIX and NUMBER of the parameter file FILE, PREFIX-NUMBER.params. NAME: of the argument
params_file() {
    local path
    path="$(absolute "$2")"
    [ -f "$path" ] || [ ! -f "$path-0000.params" ] || path="$path-0000.params"
    [ -f "$path" ] || fail "$1 is '$2', and there is no such file"
    case "$path" in
        *.pth | *.pt | *.safetensors)
            fail "$1 is '$2', which has to be converted first: bash scripts/m2det/convert_vgg.sh $(printf '%q' "$2")"
            ;;
    esac
    [[ "$path" =~ ^(.+)-([0-9]{4,})\.params$ ]] ||
        fail "$1 is '$2'; it wants a file of parameters, with a name that ends like -0000.params"
    PREFIX="${BASH_REMATCH[1]}"
    NUMBER="$((10#${BASH_REMATCH[2]}))"
}

# training_keys BACKBONE_CKPT DATASET: sets SETTINGS to the configuration keys that these arguments stand for
training_keys() {
    if [ "$1" = none ]; then
        SETTINGS=(network.pretrained "''")
    else
        params_file BACKBONE_CKPT "$1"
        SETTINGS=(network.pretrained "$PREFIX" network.pretrained_epoch "$NUMBER")
    fi
    data_folder "$2"
}

# data_folder DATASET: adds its key to SETTINGS
data_folder() {
    [ -d "$1" ] || fail "DATASET is '$1', and there is no such folder"
    SETTINGS+=(dataset.dataset_path "$(absolute "$1")")
}

# choose_devices NAME FIRST COUNT: sets DEVICES to the numbers of COUNT GPUs from FIRST on, to nothing for the CPU.
# A number means the CPU where there is no GPU, and that is said. NAME: of the argument
choose_devices() {
    local present number
    DEVICES=()
    [ "$2" != cpu ] || return 0
    case "$2" in
        '' | *[!0-9]*) fail "$1 is '$2'; it wants the number of a GPU, from 0, or cpu" ;;
    esac
    present="$(cd "$ROOT" && "$PY" -c 'from lib.engine.devices import gpu_count; print(gpu_count())')" ||
        fail "MXNet does not load (see above); bash scripts/setup.sh mends the environment"
    if [ "$present" = 0 ]; then
        say "MXNet sees no GPU here: $1 $2 means the CPU"
        return 0
    fi
    for ((number = 10#$2; number < 10#$2 + $3; number++)); do
        [ "$number" -lt "$present" ] || fail "GPU $number is wanted, but MXNet sees $present here, numbered from 0"
        DEVICES+=("$number")
    done
}

# start NAME WHAT COMMAND...: run it in the background, with LOGS/NAME.log and its process's number in LOGS/NAME.pid.
# Ends with a message, and leaves the log alone, if such a program still runs; and if it fails in its first seconds.
start() {
    local name="$1" what="$2" log status=0 pid ticks
    shift 2
    log="$LOGS/$name.log"
    mkdir -p "$LOGS" || fail "the folder of the logs cannot be made (see above)"
    : 2>/dev/null >>"$LOGS/$name.pid" || fail "$LOGS/$name.pid cannot be written; LOGS=DIR names another folder"
    # The program inherits the lock: it lasts as long as the program does, however that ends.
    exec 9>>"$LOGS/$name.pid"
    "$PY" -c '
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(75)' || status=$?
    [ "$status" != 75 ] || fail "the $what that writes $log still runs: wait for it, stop it" \
        "(kill $(cat "$LOGS/$name.pid")), or name another folder for this one: LOGS=DIR bash scripts/m2det/${0##*/} ..."
    : >"$LOGS/$name.pid"    # what it says is of an earlier program
    set -m      # a process group of its own: Ctrl-C here is not for it
    nohup "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    set +m
    printf '%s\n' "$pid" >"$LOGS/$name.pid"
    say "the $what runs in the background, process $pid" "    follow it:  tail -f $(printf '%q' "$log")" \
        "    stop it:    kill $pid" "waiting $WATCHED seconds to see that it starts; Ctrl-C leaves it running"
    for ((ticks = WATCHED * 5; ticks > 0; ticks--)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    if kill -0 "$pid" 2>/dev/null; then
        say "it runs"
        return
    fi
    status=0
    wait "$pid" || status=$?
    if [ "$status" != 0 ]; then
        tail -n 15 "$log" >&2
        fail "the $what ended with status $status (whole log: $log)"
    fi
    tail -n 15 "$log"
    say "the $what is done (whole log: $log)"
}
