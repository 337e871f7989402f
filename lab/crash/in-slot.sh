#!/bin/sh
# in-slot DISK SLOT COMMAND...: runs a command as on a machine that was booted from a slot of the disk (a device or an
# image file): the slot's file is the root through a read-only loop device, its partition is mounted where the initramfs
# mounts it, and the tools are this system's own. All of it is gone when the command ends, as after a reboot.

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
mount -t ext4 -o loop,ro,noload "$work/partition/cOS/$slot.img" "$root"
uuid=$(blkid --probe --match-tag UUID --output value "$work/partition/cOS/$slot.img")

mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
# The tools of this system; the tree of the slot has none.
for path in usr bin sbin lib lib64; do mount --rbind "/$path" "$root/$path"; done
mkdir -p "$root/run/initramfs/cos-state" "$root/run/delivery" "$root/run/cos"
mount --move "$work/partition" "$root/run/initramfs/cos-state"
mount --bind "${IN_SLOT_DELIVERY:-/run/delivery}" "$root/run/delivery"
printf 1 >"$root/run/cos/${slot}_mode"
# A boot goes on without what can't be mounted: a reset may have been making it anew.
mount "$IN_SLOT_OEM" "$root/oem" || echo "in-slot: no /oem"
[ "$slot" = recovery ] || mount "$IN_SLOT_PERSISTENT" "$root/usr/local" || echo "in-slot: no /usr/local"
echo "BOOT_IMAGE=(loop0)/boot/vmlinuz root=LABEL=$from cos-img/filename=/cOS/$slot.img cos.label=$label holdfast.slot=$uuid" >"$root/run/command-line"
mount --bind "$root/run/command-line" "$root/proc/cmdline"
chroot "$root" "$@"
