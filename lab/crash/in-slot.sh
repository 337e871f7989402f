#!/bin/sh
# in-slot DISK SLOT COMMAND...: runs a command as on a machine that was booted from a slot of the disk (a device or an
# image file): the slot's file is the root through a read-only loop device, its partition is mounted where the initramfs
# mounts it, and the tools are this system's own. All of it is gone when the command ends, as after a reboot.
# IN_SLOT_OVERLAY=/FILE: the root is what the slot and this file of COS_PERSISTENT make together, put together by the
# program itself as in an initramfs; this needs device-mapper and a /run of its own.
# IN_SLOT_VIEW=FILE: without device-mapper, this image stands in for what the slot and an overlay make together; the overlay's
# disk is the device IN_SLOT_BACKING, and IN_SLOT_RECORD is the record of the boot.

set -eu
if [ -z "${IN_SLOT_INSIDE-}" ]; then
    disk=$(readlink -f "$1")
    loops=''
    trap 'for loop in $loops; do losetup --detach "$loop"; done' EXIT
    # Sets device to a block device for partition $1.
    partition() {
        if [ -b "$disk" ]; then
            device=$disk$1
            return
        fi
        set -- $(sfdisk --json "$disk" | tr -d '," ' | sed -n "s/^start://p; s/^size://p" | sed -n "$(($1 * 2 - 1)),$(($1 * 2))p")
        device=$(losetup --find --show --offset $(($1 * 512)) --sizelimit $(($2 * 512)) "$disk")
        loops="$device $loops"
    }
    partition 2; export IN_SLOT_OEM="$device"
    partition 3; export IN_SLOT_RECOVERY="$device"
    partition 4; export IN_SLOT_STATE="$device"
    partition 5; export IN_SLOT_PERSISTENT="$device"
    status=0
    export IN_SLOT_WORK
    IN_SLOT_WORK=$(mktemp -d /run/in-slot.XXXXXX)
    mkdir "$IN_SLOT_WORK/partition" "$IN_SLOT_WORK/root"
    IN_SLOT_INSIDE=1 unshare --mount --propagation private sh "$0" "$@" || status=$?
    # What was mounted went with the namespace.
    rmdir "$IN_SLOT_WORK/root" "$IN_SLOT_WORK/partition" "$IN_SLOT_WORK"
    exit $status
fi

slot=$2
shift 2
case $slot in
    active) label=COS_ACTIVE home=$IN_SLOT_STATE from=COS_STATE ;;
    passive) label=COS_PASSIVE home=$IN_SLOT_STATE from=COS_STATE ;;
    recovery) label=COS_SYSTEM home=$IN_SLOT_RECOVERY from=COS_RECOVERY ;;
esac
work=$IN_SLOT_WORK
root=$work/root
mount -o ro "$home" "$work/partition"
uuid=$(blkid --probe --match-tag UUID --output value "$work/partition/cOS/$slot.img")
words="BOOT_IMAGE=(loop0)/boot/vmlinuz root=LABEL=$from cos-img/filename=/cOS/$slot.img cos.label=$label holdfast.slot=$uuid"
if [ -n "${IN_SLOT_VIEW-}" ]; then
    mount -t ext4 -o loop "$IN_SLOT_VIEW" "$root"
elif [ -z "${IN_SLOT_OVERLAY-}" ]; then
    mount -t ext4 -o loop,ro,noload "$work/partition/cOS/$slot.img" "$root"
else
    words="$words rd.live.overlay=$IN_SLOT_PERSISTENT:$IN_SLOT_OVERLAY"
    # As the initramfs leaves it for the program.
    mkdir -p /run/holdfast /run/initramfs/base /run/initramfs/cos-state /run/cos
    mount --bind "$work/partition" /run/initramfs/cos-state
    ln -sfn "/run/initramfs/cos-state/cOS/$slot.img" /run/holdfast/slot.img
    mount -t ext4 -o loop,ro,noload /run/holdfast/slot.img /run/initramfs/base
    echo "$words" >/run/holdfast/command-line
    mount --bind /run/holdfast/command-line /proc/cmdline
    "${IN_SLOT_DELIVERY:-/run/delivery}/holdfast" overlay attach
    umount /proc/cmdline
    mount -t ext4 /run/holdfast/root "$root"
fi

mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
# The tools of this system; the tree of the slot has none.
for path in usr bin sbin lib lib64; do mount --rbind "/$path" "$root/$path"; done
mkdir -p "$root/run/initramfs/cos-state" "$root/run/delivery" "$root/run/cos"
if [ -n "${IN_SLOT_VIEW-}" ]; then
    mkdir -p "$root/run/initramfs/base" "$root/run/initramfs/overlay"
    mount -t ext4 -o loop,ro,noload "$work/partition/cOS/$slot.img" "$root/run/initramfs/base"
    mount "$IN_SLOT_BACKING" "$root/run/initramfs/overlay"
    cp "$IN_SLOT_RECORD" "$root/run/cos/rootoverlay"
fi
if [ -n "${IN_SLOT_OVERLAY-}" ]; then
    mkdir -p "$root/run/initramfs/base" "$root/run/initramfs/overlay"
    mount --move /run/initramfs/base "$root/run/initramfs/base"
    mount --move /run/initramfs/overlay "$root/run/initramfs/overlay"
    # The slot's file is in use by this name.
    mount --move /run/initramfs/cos-state "$root/run/initramfs/cos-state"
    cp /run/cos/rootoverlay "$root/run/cos/"
else
    mount --move "$work/partition" "$root/run/initramfs/cos-state"
fi
mount --bind "${IN_SLOT_DELIVERY:-/run/delivery}" "$root/run/delivery"
printf 1 >"$root/run/cos/${slot}_mode"
# A boot goes on without what can't be mounted: a reset may have been making it anew.
mount "$IN_SLOT_OEM" "$root/oem" || echo "in-slot: no /oem"
[ "$slot" = recovery ] || mount "$IN_SLOT_PERSISTENT" "$root/usr/local" || echo "in-slot: no /usr/local"
echo "$words" >"$root/run/command-line"
mount --bind "$root/run/command-line" "$root/proc/cmdline"
chroot "$root" "$@"
