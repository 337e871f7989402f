#!/bin/sh
# Chooses the image file that becomes the root and says so in /run: the link slot.img, which sysroot.mount mounts, and
# the mode files that stages test. holdfast.slot= is the UUID of the image that GRUB took the kernel from; GRUB doesn't
# replay journals, so after a power cut the name on the command line can lead to another image than the one it read.

state=/run/initramfs/cos-state

fail() {
    echo "holdfast: $1" >&2
    exit 1
}

image= uuid=
read -r arguments < /proc/cmdline
for word in $arguments; do
    case $word in
        cos-img/filename=* | elemental.image=*) image=${word#*=} ;;
        holdfast.slot=*) uuid=${word#*=} ;;
    esac
done

# Without it there is no /dev/loop-control.
modprobe -q loop
mountpoint -q "$state" || fail "the partition with the system images could not be mounted"

chosen=
if [ -z "$uuid" ]; then
    [ -f "$state/$image" ] || fail "$image is not on the partition with the system images"
    chosen=$state/${image#/}
else
    for file in "$state/${image#/}" "$state"/cOS/active.img "$state"/cOS/passive.img "$state"/cOS/*.img; do
        [ -f "$file" ] || continue
        [ "$(blkid --probe --match-tag UUID --output value "$file")" = "$uuid" ] || continue
        chosen=$file
        break
    done
    [ -n "$chosen" ] || fail "no image with the UUID $uuid, which the running kernel came from: $(ls "$state/cOS")"
    [ "$chosen" = "$state/${image#/}" ] \
        || echo "holdfast: ${chosen#"$state"} has the running kernel, not $image; it becomes the root" >&2
fi

mkdir -p /run/holdfast /run/cos
ln -sfn "$chosen" /run/holdfast/slot.img

case ${chosen##*/} in
    *recovery*) mode=recovery ;;
    *active*) mode=active ;;
    *passive*) mode=passive ;;
    *) exit 0 ;;
esac
printf 1 > "/run/cos/${mode}_mode"
chmod 600 "/run/cos/${mode}_mode"
