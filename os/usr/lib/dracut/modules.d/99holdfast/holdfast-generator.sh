#!/bin/sh
# systemd generator of the initramfs: asks for the units that lead from the kernel arguments to /sysroot. Writes to the
# early directory ($2), since systemd and dracut would otherwise take root= for the root itself: it names the partition that
# holds the image (as cOS does from 0.10 on). No value of the command line gets into a unit: the scripts read it themselves.

early=$2
set -f
. "${HOLDFAST_LIBRARY:-/usr/lib/holdfast}/arguments.sh"

root='' image='' oem='' oem_uuid='' state_uuid='' state_timeout='' stage_timeout='' disabled='' live='' permission=ro
overlay='' overlay_off='' root_digest=''
argument() {
    case $1 in
        root) root=$2 ;;
        cos-img/filename) image=$2 ;;
        holdfast.state) state_uuid=$2 ;;
        holdfast.oem) oem_uuid=$2 ;;
        rd.cos.oemlabel) oem=$2 ;;
        rd.cos.disable) if is_on "$2"; then disabled=1; else disabled=''; fi ;;
        rd.cos.debugrw) if is_on "$2"; then permission=rw; else permission=ro; fi ;;
        rd.live.overlay | overlay) overlay=1 ;;
        rd.cos.rootoverlay) if is_on "$2"; then overlay_off=''; else overlay_off=1; fi ;;
        rd.cos.stagetimeout) stage_timeout=$2 ;;
        rd.timeout) state_timeout=$2 ;;
        rd.holdfast.rootdigest) root_digest=1 ;;
        CDLABEL) live=1 ;;
    esac
}
each_argument
case $root in live:* | CDLABEL=*) live=1 ;; esac

# ask_for UNIT wants|requires BY
ask_for() {
    mkdir -p "$early/$3.$2"
    ln -sf "/usr/lib/systemd/system/$1" "$early/$3.$2/$1"
}

if [ -n "$stage_timeout" ]; then
    for stage in pre-rootfs rootfs initramfs; do
        mkdir -p "$early/cos-setup-$stage.service.d"
        printf '[Service]\nTimeoutStartSec=%s\n' "$(seconds "$stage_timeout" 1 86400 300)" \
            > "$early/cos-setup-$stage.service.d/50-timeout.conf"
    done
fi

if [ -n "$disabled$live" ]; then ask_for holdfast-live.service wants initrd-root-fs.target; fi
# A root that isn't the right one ends the boot.
if [ -n "$live" ] && [ -n "$root_digest" ]; then ask_for holdfast-rootdigest.service requires initrd-root-fs.target; fi
if [ -n "$disabled" ]; then
    # Stages run; the layout doesn't.
    mkdir -p "$early/cos-immutable-rootfs.service.d"
    printf '[Unit]\nConditionPathExists=!/\n' > "$early/cos-immutable-rootfs.service.d/50-disabled.conf"
    exit 0
fi

# The path of a partition that root= names, as systemd and dracut make it up.
case $root in
    LABEL=*) device=/dev/disk/by-label/$(printf '%s' "${root#LABEL=}" | sed -e 's,/,\\x2f,g' -e 's, ,\\x20,g') ;;
    UUID=*) device=/dev/disk/by-uuid/${root#UUID=} ;;
    PARTLABEL=*) device=/dev/disk/by-partlabel/$(printf '%s' "${root#PARTLABEL=}" | sed -e 's,/,\\x2f,g' -e 's, ,\\x20,g') ;;
    PARTUUID=*) device=/dev/disk/by-partuuid/${root#PARTUUID=} ;;
    /dev/*) device=$root ;;
    *) device='' ;;
esac

if [ -n "$image" ] && [ -n "$device" ]; then
    # Both wait for what root= names, and for ever. The disk that counts is found by holdfast-state.service, which may know
    # a better name for it; these replace their drop-ins of the same names.
    if unit=$(systemd-escape --path --suffix=device "$device" 2> /dev/null); then
        wait=$(seconds "$state_timeout" 1 1800 90)
        if [ -n "$state_uuid" ] && [ "$wait" -gt 10 ]; then wait=10; fi
        mkdir -p "$early/$unit.d"
        printf '[Unit]\nJobTimeoutSec=infinity\nJobRunningTimeoutSec=%s\n' "$wait" > "$early/$unit.d/timeout.conf"
    fi
    mkdir -p "$early/initrd-root-device.target.d"
    printf '[Unit]\nAfter=holdfast-state.service\n' > "$early/initrd-root-device.target.d/50-root-device.conf"

    cat > "$early/run-initramfs-cos\\x2dstate.mount" << END
[Unit]
Description=Partition with the system images
DefaultDependencies=no
Requires=holdfast-state.service
After=holdfast-state.service
Before=initrd-root-device.target
[Mount]
What=/run/holdfast/state
Where=/run/initramfs/cos-state
Options=$permission
TimeoutSec=90
END
    # Recovery never has an overlay: it is what repairs one.
    case ${image##*/} in *recovery*) overlay_off=1 ;; esac
    if [ -n "$overlay" ] && [ -z "$overlay_off" ]; then
        # holdfast-overlay.service leaves a link to the device. The layout makes the root writable, when it is the overlay.
        unit=holdfast-overlay.service what=/run/holdfast/root options=ro
    else
        # mount(8) makes the loop device.
        unit=holdfast-slot.service what=/run/holdfast/slot.img options=$permission,loop
    fi
    # Wants, not Requires: nothing that stops may take the root with it at switch-root.
    cat > "$early/sysroot.mount" << END
[Unit]
Description=Root image
DefaultDependencies=no
Wants=$unit
After=$unit
Before=initrd-root-fs.target
[Mount]
What=$what
Where=/sysroot
Options=$options
TimeoutSec=90
END
    mkdir -p "$early/initrd-root-fs.target.requires"
    ln -sf ../sysroot.mount "$early/initrd-root-fs.target.requires/sysroot.mount"
elif [ -z "$live" ]; then
    exit 0
fi

[ -n "$oem$oem_uuid" ] || exit 0
# The layout mounts the partition a second time, below the new root; this mount must not outlive the initramfs.
cat > "$early/oem.mount" << END
[Unit]
Description=OEM partition, for the stages of the initramfs
DefaultDependencies=no
Requires=holdfast-oem.service
After=holdfast-oem.service
ConditionPathExists=/run/holdfast/oem
Before=cos-setup-pre-rootfs.service cos-setup-rootfs.service initrd-switch-root.target
Conflicts=initrd-switch-root.target
[Mount]
What=/run/holdfast/oem
Where=/oem
Options=rw
TimeoutSec=90
END
mkdir -p "$early/cos-setup-rootfs.service.wants"
ln -sf ../oem.mount "$early/cos-setup-rootfs.service.wants/oem.mount"
