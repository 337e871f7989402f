#!/bin/sh
# Chooses the image file that becomes the root and says so in /run: the link slot.img, which sysroot.mount mounts, and
# the mode files that stages test. holdfast.slot= is the UUID of the image that GRUB took the kernel from; GRUB doesn't
# replay journals, so after a power cut the name on the command line can lead to another image than the one it read.
# `live`: there is no image file, only the mode is said.

set -f
umask 022
. "${HOLDFAST_LIBRARY:-/usr/lib/holdfast}/arguments.sh"

state=/run/initramfs/cos-state
image='' uuid='' named_mode='' root='' squashfs='' live_overlay='' overlay='' overlay_off='' disabled=''
argument() {
    case $1 in
        cos-img/filename) image=$2 ;;
        holdfast.slot) uuid=$2 ;;
        elemental.mode) named_mode=$2 ;;
        root) root=$2 ;;
        rd.live.squashimg) squashfs=$2 ;;
        rd.live.overlay) overlay=1 live_overlay=$2 ;;
        overlay) overlay=1 ;;
        rd.cos.rootoverlay) if is_on "$2"; then overlay_off=''; else overlay_off=1; fi ;;
        rd.cos.disable) if is_on "$2"; then disabled=1; else disabled=''; fi ;;
    esac
}
each_argument

# Each program that is started here is a part of every boot.
say_mode() {
    mkdir -p /run/cos /run/elemental
    umask 077
    printf 1 > "/run/cos/$1_mode"
    printf 1 > "/run/elemental/$1_mode"
    umask 022
}

if [ "${1-}" = live ]; then
    # cOS boots a recovery.squashfs as a live system.
    case $disabled:$root:$squashfs in
        :live:*recovery* | :live:*COS_RECOVERY*) say_mode recovery ;;
        *) say_mode live ;;
    esac
    # dracut mounts a squashfs that holds the tree itself with an overlay, and makes that one's directories only with
    # rd.live.overlay.overlayfs (dracut 059), which cOS never gave.
    case $root:$live_overlay in
        live:*:) mkdir -p /run/overlayfs /run/ovlwork ;;
    esac
    exit 0
fi

[ -e /dev/loop-control ] || modprobe -q loop || :
grep -q " $state " /proc/self/mounts || fail "the partition with the system images can not be mounted"

while [ "$image" != "${image#/}" ]; do image=${image#/}; done
case /$image/ in
    */../* | */./* | *//* | //) fail "cos-img/filename is no path of an image" ;;
esac

chosen=
if [ -z "$uuid" ]; then
    [ -f "$state/$image" ] || fail "there is no /$image on the partition with the system images"
    chosen=$state/$image
else
    set +f
    for file in "$state/$image" "$state"/cOS/active.img "$state"/cOS/passive.img "$state"/cOS/*.img; do
        [ -f "$file" ] || continue
        [ "$(blkid --probe --match-tag UUID --output value "$file")" = "$uuid" ] || continue
        chosen=$file
        break
    done
    set -f
    [ -n "$chosen" ] || fail "no image has the UUID $uuid, which the running kernel came from ($(ls "$state/cOS" | tr '\n' ' '))"
    [ "$chosen" = "$state/$image" ] || say "${chosen#"$state"} has the running kernel, not /$image; it becomes the root"
fi

mkdir -p /run/holdfast
ln -sfn "$chosen" /run/holdfast/slot.img

mode=
case ${chosen##*/} in
    *recovery*) mode=recovery ;;
    *active*) mode=active ;;
    *passive*) mode=passive ;;
    # Names that an action was about to give up when the power went; GRUB still read the old ones.
    running.img | outgoing.img) mode=active ;;
    # What was being replaced when the power failed; GRUB took it by its old name.
    leaving.img)
        case /$image in
            *passive*) mode=passive ;;
            *recovery*) mode=recovery ;;
            *) mode=active ;;
        esac
        ;;
    *) case $named_mode in active | passive | recovery) mode=$named_mode ;; esac ;;
esac
[ -z "$mode" ] || say_mode "$mode"

# A root overlay that this boot doesn't even look for (the generator's rule); holdfast-overlay says what became of any other.
[ -n "$overlay" ] || exit 0
case $mode:$overlay_off in
    recovery:*) reason=recovery message="the recovery system never uses one" ;;
    *:1) reason=skipped message="rd.cos.rootoverlay=0 is on the kernel command line" ;;
    *) exit 0 ;;
esac
mkdir -p /run/cos
printf 'used=no\nreason=%s\nmessage=%s\nreadonly=no\npermission=ro\n' "$reason" "$message" > /run/cos/rootoverlay
say "the root overlay is not used ($reason): $message"
