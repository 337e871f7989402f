#!/bin/sh
# Leaves the link /run/holdfast/root, which sysroot.mount mounts: to the slot's image with its overlay, or, whatever goes wrong,
# to the image alone. What is decided about the overlay is decided by the image's own `holdfast overlay attach`; this script
# holds what must work when that doesn't. `plain`: only makes a link that is missing.

set -f
umask 022
. "${HOLDFAST_LIBRARY:-/usr/lib/holdfast}/arguments.sh"

link=/run/holdfast/root
slot=/run/holdfast/slot.img
base=/run/initramfs/base
record=/run/cos/rootoverlay
wait='' require=''
argument() {
    case $1 in
        rd.cos.rootoverlay.wait) wait=$2 ;;
        rd.cos.rootoverlay.require) if is_on "$2"; then require=1; else require=''; fi ;;
    esac
}
each_argument

# Without an overlay. The loop device is made read-only, so that nothing can ever write into the image.
link_plain() {
    _device=$(losetup --read-only --find --show "$slot") || fail "the image can not be attached"
    ln -sfn "$_device" "$link"
}

# not_used REASON MESSAGE: unless the program has said it itself.
not_used() {
    _first=''
    if [ -s "$record" ]; then read -r _first < "$record"; fi
    [ "$_first" != used=no ] || return 0
    mkdir -p /run/cos
    printf 'used=no\nreason=%s\nmessage=%s\nreadonly=no\npermission=ro\n' "$1" "$2" > "$record"
    say "the root overlay is not used ($1): $2"
}

# Runs the program from the image that it is about.
attach() {
    mkdir -p "$base"
    _loop=$(losetup --read-only --find --show "$slot") || { not_used failed "the image can not be attached"; return 1; }
    if ! mount -o ro "$_loop" "$base"; then
        losetup --detach "$_loop"
        not_used failed "the image can not be mounted"
        return 1
    fi
    _status=0
    timeout --kill-after=30 "$(($(seconds "$wait" 0 1800 30) + 1800))" "$base/usr/bin/holdfast" overlay attach || _status=$?
    [ "$_status" -ne 0 ] || [ ! -b "$link" ] || return 0
    umount "$base" && losetup --detach "$_loop"
    case $_status in
        # It has decided, and said so.
        3) require='' ;;
        4) require=1 ;;
        124) not_used timeout "holdfast overlay attach did not end in time" ;;
        137) not_used failed "holdfast overlay attach was killed" ;;
    esac
    not_used failed "holdfast overlay attach ended with status $_status"
    return 1
}

if [ -b "$link" ]; then exit 0; fi
[ -e "$slot" ] || fail "no image was chosen"
mkdir -p /run/holdfast
if [ "${1-}" = plain ]; then
    # A start that had to fail has said so.
    [ ! -s /run/holdfast/failure ] || exit 0
    not_used timeout "holdfast-overlay was ended"
    link_plain
    exit
fi
# Recovery is what repairs overlays; holdfast-slot has said that it uses none.
if [ -e /run/cos/recovery_mode ]; then
    link_plain
    exit
fi
rm -f "$record"
attach && exit 0
if [ -n "$require" ]; then
    while IFS='=' read -r key message; do
        [ "$key" != message ] || fail "the root overlay is required and can not be used: $message"
    done < "$record"
    fail "the root overlay is required and can not be used"
fi
link_plain
