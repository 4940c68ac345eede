#!/usr/bin/env bash
# Make a Debian for aarch64 (ARM, 64 bits) in a folder, emulated by qemu on this machine, and run there what an ARM
# machine would: set-up, the operators' tests, the shipped detector on the demo picture, whose detections have to be
# those of this machine. Needs root, a network, 4 GB and about an hour; writes nothing but FOLDER and the kernel's entry
# for programs of aarch64. docs/arm.md has results.
#
#   bash scripts/arm64_system.sh FOLDER             all of it; what FOLDER has already is kept
#   bash scripts/arm64_system.sh FOLDER COMMAND...  a command in the repository's copy there, once it is made
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

MIRROR="${MIRROR:-http://deb.debian.org/debian}"
PACKAGES=ca-certificates,g++,libgomp1,python3,python3-dev,python3-venv
BINFMT=/proc/sys/fs/binfmt_misc
WORK=/work/sniper # the repository's copy, seen from within

need_tools() {
    [ "$(id -u)" = 0 ] || fail "this needs root: it makes a system of its own, and changes its root to it"
    command -v debootstrap >/dev/null || fail "there is no debootstrap (Debian, Ubuntu: apt-get install debootstrap)"
    command -v qemu-aarch64-static >/dev/null ||
        fail "there is no qemu-aarch64-static (Debian, Ubuntu: apt-get install qemu-user-static)"
}

# Tell the kernel what runs programs of aarch64, unless it knows. The F has it open qemu now, so that no copy of qemu
# has to lie in the other system.
register_qemu() {
    [ -e "$BINFMT/register" ] || mount -t binfmt_misc binfmt_misc "$BINFMT" ||
        fail "the kernel has no binfmt_misc, or this container may not use it"
    ! [ -e "$BINFMT/qemu-aarch64" ] || return 0
    # What the kernel reads: the head of an ELF file for machine 183, and which of its bits count.
    printf '%s' ':qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00' \
        ':\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff' \
        ":$(command -v qemu-aarch64-static):F" >"$BINFMT/register"
}

# This machine's dpkg unpacks the packages, in a minute. None is configured: nothing here needs it, and an emulated dpkg
# takes its time.
make_system() {
    local package
    ! [ -e "$SYSTEM/unpacked" ] || return 0
    say "making a Debian for aarch64 in $SYSTEM"
    debootstrap --foreign --arch=arm64 --variant=minbase --include="$PACKAGES" bookworm "$SYSTEM" "$MIRROR"
    for package in "$SYSTEM"/var/cache/apt/archives/*.deb; do
        dpkg-deb -x "$package" "$SYSTEM"
    done
    cp /etc/resolv.conf "$SYSTEM/etc/"
    cp -rL /etc/ssl/certs "$SYSTEM/etc/ssl/"
    touch "$SYSTEM/unpacked"
}

copy_repository() {
    mkdir -p "$SYSTEM$WORK"
    git -C "$ROOT" ls-files | tar -C "$ROOT" -cf - -T - | tar -C "$SYSTEM$WORK" -xf -
}

# within COMMAND...: run it in the repository's copy there, with an environment of its own
within() {
    # shellcheck disable=SC2016  # the other bash expands it
    chroot "$SYSTEM" /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin LANG=C.UTF-8 \
        PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DEFAULT_TIMEOUT=180 \
        bash -c 'cd "$0" && exec "$@"' "$WORK" "$@"
}

# step NAME COMMAND...: run it and say how long it took
step() {
    local name="$1" started="$SECONDS"
    shift
    "$@" || fail "$name failed on aarch64 (see above)"
    say "=== $name: $(clock $((SECONDS - started)))"
}

all_of_it() {
    make_system
    copy_repository
    within uname -sm
    step 'set-up' within bash scripts/setup.sh
    (cd "$ROOT" && "$PY" -m benchmarks.same_detections --write "$SYSTEM$WORK/x86.npz")
    step 'the shipped detector' within .venv/bin/python -m benchmarks.same_detections --against x86.npz
    step "the operators' tests" within .venv/bin/python -m pytest --rootdir . -q SNIPER-mxnet/tests \
        --ignore=SNIPER-mxnet/tests/cuda --ignore=SNIPER-mxnet/tests/test_operator_memory.py
}

case "${1:-}" in
    -h | --help)
        print_head
        exit
        ;;
    '' | -*) fail "name a folder for the system; there is --help" ;;
esac
SYSTEM="$1"
shift
need_environment
need_tools
register_qemu
if [ $# -gt 0 ]; then
    within "$@"
else
    mkdir -p "$SYSTEM"
    SYSTEM="$(cd "$SYSTEM" && pwd)"
    all_of_it
fi
