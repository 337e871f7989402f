#!/bin/sh
# holdfast-fsck DEVICE [SECONDS]: checks a file system before it is mounted, as the kernel arguments ask for it (fsck.mode,
# fsck.repair, rd.skipfsck; the words and defaults of systemd-fsck). It never fails: what can't be repaired is said, and
# whether it can be used all the same is found out by mounting it.

set -f
. "${HOLDFAST_LIBRARY:-/usr/lib/holdfast}/arguments.sh"

device=$(readlink -f "$1") || exit 0
limit=${2:-600}
mark=/run/holdfast/checked/${device##*/}

mode='' repair=-a
argument() {
    case $1=$2 in
        fsck.mode=auto) mode='' ;;
        fsck.mode=force) mode=-f ;;
        fsck.mode=skip) mode=skip ;;
        fsck.repair=preen) repair=-a ;;
        fsck.repair=yes) repair=-y ;;
        fsck.repair=no) repair=-n ;;
        rd.skipfsck=*) if is_on "$2"; then mode=skip; fi ;;
    esac
}
each_argument

[ "$mode" != skip ] || exit 0
[ ! -e "$mark" ] || exit 0
! grep -q "^$device " /proc/self/mounts || exit 0

# The journalling ones repair themselves when they are mounted, and their fsck says no more than that.
type=$(blkid --probe --match-tag TYPE --output value "$device")
case $type in
    '' | xfs | btrfs | squashfs | iso9660 | *[!a-z0-9_-]*) exit 0 ;;
esac
command -v "fsck.$type" > /dev/null || exit 0
# Elsewhere -f means other things.
case $type in ext[234]) ;; *) mode='' ;; esac

mkdir -p /run/holdfast/checked
status=0
# shellcheck disable=SC2086 # no mode is no argument
report=$(timeout --kill-after=10 "$limit" "fsck.$type" $repair $mode "$device" 2>&1) || status=$?
echo "$status" > "$mark"
echo "$report"
case $status in
    0) ;;
    1 | 2 | 3) say "the file system on $device had errors, which are repaired" ;;
    124 | 137) say "the check of $device took more than $limit s and was given up; it is used as it is" ;;
    *) say "the file system on $device has errors that could not be repaired (status $status); it is used as it is" ;;
esac
exit 0
