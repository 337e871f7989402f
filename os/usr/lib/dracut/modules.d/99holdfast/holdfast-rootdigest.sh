#!/bin/sh
# Compares the file that a live system's root is mounted from with rd.holdfast.rootdigest=sha256:…, before anything of it
# runs. It finds what was damaged or cut short on the way into memory, and the root of another build than the kernel. It is
# no protection from somebody who can change what the kernel is told.

set -f
. "${HOLDFAST_LIBRARY:-/usr/lib/holdfast}/arguments.sh"

digest=''
argument() {
    case $1 in rd.holdfast.rootdigest) digest=$2 ;; esac
}
each_argument

wanted=${digest#sha256:}
case $digest in sha256:*) ;; *) wanted='' ;; esac
case $wanted in *[!0-9a-f]*) wanted='' ;; esac
[ "${#wanted}" -eq 64 ] || fail "rd.holdfast.rootdigest is not sha256: with 64 hexadecimal digits"

# dracut's dmsquash-live mounts it there, by a loop device.
device=''
while read -r source place _rest; do
    if [ "$place" = /run/rootfsbase ]; then device=$source; fi
done < /proc/self/mounts
case $device in
    /dev/loop[0-9]*) ;;
    *) fail "the live system's root was not found, so it can't be compared with rd.holdfast.rootdigest" ;;
esac

# The file itself rather than the device: what is read of a device is kept in memory a second time.
file=''
read -r file < "/sys/block/${device#/dev/}/loop/backing_file" || :
[ -f "$file" ] || file=$device
found=$(sha256sum < "$file") || fail "the live system's root can't be read: it is damaged, or there was too little memory for it"
found=${found%% *}
[ "$found" = "$wanted" ] ||
    fail "the live system's root is damaged, or of another build than the kernel: its sha256 is $found, it should be $wanted"
