#!/bin/sh
# Finds the partition with the system images (`state`) or the OEM partition (`oem`), checks its file system and leaves a link
# to it: /run/holdfast/state, /run/holdfast/oem. GRUB names them by UUID, since two disks may carry the same labels; with
# only a label, the OEM partition on the disk of the images is taken. Every wait has an end.

set -f
. "${HOLDFAST_LIBRARY:-/usr/lib/holdfast}/arguments.sh"

what=$1
root='' uuid='' label='' timeout='' oem_timeout=''
argument() {
    case $what:$1 in
        state:root) root=$2 ;;
        state:holdfast.state | oem:holdfast.oem) uuid=$2 ;;
        state:rd.timeout) timeout=$2 ;;
        oem:rd.cos.oemlabel) label=$2 ;;
        oem:rd.cos.oemtimeout) oem_timeout=$2 ;;
    esac
}
each_argument
case $uuid in *[!0-9A-Fa-f-]*) uuid='' ;; esac

# look_for KEY=VALUE | PATH: sets $device to the block device, if it is there. It is asked some times a second while udev
# needs the processor, and so starts no program.
look_for() {
    _value=${1#*=}
    case $1 in
        */../* | */..) return 1 ;;
        LABEL=?*) _link=/dev/disk/by-label/$_value ;;
        PARTLABEL=?*) _link=/dev/disk/by-partlabel/$_value ;;
        UUID=?*) _link=/dev/disk/by-uuid/$_value ;;
        PARTUUID=?*) _link=/dev/disk/by-partuuid/$_value ;;
        /dev/?*) _link=$1 _value='' ;;
        *) return 1 ;;
    esac
    case $_value in
        # udev spells what else a label may hold in its own way.
        *[!A-Za-z0-9#+.:=@_-]*) _link=$(blkid --cache-file /dev/null --match-token "$1" --output device | head -n 1) ;;
    esac
    [ -b "$_link" ] && device=$_link
}

# wait_for SECONDS KEY=VALUE [KEY=VALUE]: sets $device when the first is there. The second is taken when the first hasn't
# come 30 s after it, or when the time is over.
wait_for() {
    look_at_clock
    _end=$((now + $1)) _second_since=''
    shift
    while :; do
        if look_for "$1"; then return 0; fi
        look_at_clock
        if [ -n "${2-}" ] && look_for "$2"; then
            : "${_second_since:=$now}"
            if [ $((now - _second_since)) -ge 30 ] || [ "$now" -ge "$_end" ]; then
                say "no disk has a file system with the $1; the one with the $2 is taken"
                return 0
            fi
        fi
        [ "$now" -lt "$_end" ] || return 1
        sleep 0.2
    done
}

find_state() {
    timeout=$(seconds "$timeout" 1 1800 90)
    if [ -n "$uuid" ]; then set -- "UUID=$uuid" "$root"; else set -- "$root"; fi
    wait_for "$timeout" "$@" || fail "no disk has the partition with the system images, $1 (waited $timeout s)"
}

# The partition with the label that is on the same disk as the images, else the one that udev has chosen.
same_disk() {
    _state=$(readlink -f /run/holdfast/state) || return 1
    _disk=$(readlink -f "/sys/class/block/${_state##*/}/..") || return 1
    for _candidate in $(blkid --cache-file /dev/null --match-token "$1" --output device); do
        [ -e "$_disk/${_candidate##*/}/partition" ] || continue
        echo "$_candidate"
        return 0
    done
    return 1
}

find_oem() {
    [ -n "$label$uuid" ] || return 1
    if [ -n "$uuid" ]; then set -- "UUID=$uuid" ${label:+"LABEL=$label"}; else set -- "LABEL=$label"; fi
    # The disk with the images is there. If the OEM partition is on it, udev is about to show it; if it is nowhere, there
    # is nothing to wait for. Only who asks for a time has a disk that is late.
    if [ -z "$oem_timeout" ]; then
        look_for "$1" || udevadm settle --timeout=10 2> /dev/null
        timeout=2
    else
        timeout=$(seconds "$oem_timeout" 1 1800 10)
    fi
    if ! wait_for "$timeout" "$@"; then
        say "there is no OEM partition ($1); the boot goes on without"
        return 1
    fi
    if [ -z "$uuid" ]; then device=$(same_disk "$1" || echo "$device"); fi
}

mkdir -p /run/holdfast
case $what in
    state) find_state ;;
    oem)
        if ! find_oem; then
            : > /run/holdfast/oem.missing
            exit 0
        fi
        ;;
    *) exit 2 ;;
esac
device=$(readlink -f "$device")
ln -sfn "$device" "/run/holdfast/$what"
exec "${HOLDFAST_FSCK:-/usr/sbin/holdfast-fsck}" "$device"
