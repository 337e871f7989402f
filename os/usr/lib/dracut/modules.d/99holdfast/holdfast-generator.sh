#!/bin/sh
# systemd generator of the initramfs: turns the kernel arguments into the mounts that lead to /sysroot.
# Writes to the early directory ($2), since systemd and dracut would otherwise take root= for the root itself: it names
# the partition that holds the image (as cOS does from 0.10 on).

early=$2
set -f

root= image= oem= oem_timeout= state_timeout= permission=ro
read -r arguments < /proc/cmdline
for word in $arguments; do
    case $word in
        rd.cos.disable | rd.immucore.disable | elemental.disable) exit 0 ;;
        rd.cos.debugrw | rd.immucore.debugrw | elemental.debugrw) permission=rw ;;
        root=*) root=${word#root=} ;;
        cos-img/filename=* | elemental.image=*) image=${word#*=} ;;
        rd.cos.oemlabel=* | rd.immucore.oemlabel=* | elemental.oemlabel=*) oem=${word#*=} ;;
        rd.cos.oemtimeout=* | rd.immucore.oemtimeout=* | elemental.oemtimeout=*) oem_timeout=${word#*=} ;;
        rd.timeout=*) state_timeout=${word#*=} ;;
    esac
done
[ -n "$image" ] || exit 0

# Characters that udev escapes in /dev/disk/by-* names.
udev_name() {
    printf '%s' "$1" | sed -e 's,/,\\x2f,g' -e 's, ,\\x20,g'
}

# A number of seconds between $2 and $3, else the default $4.
seconds() {
    case $1 in
        '' | *[!0-9]* | ??????*) echo "$4" ;;
        *) if [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; then echo "$1"; else echo "$4"; fi ;;
    esac
}

case $root in
    LABEL=*) device=/dev/disk/by-label/$(udev_name "${root#LABEL=}") ;;
    UUID=*) device=/dev/disk/by-uuid/${root#UUID=} ;;
    PARTLABEL=*) device=/dev/disk/by-partlabel/$(udev_name "${root#PARTLABEL=}") ;;
    PARTUUID=*) device=/dev/disk/by-partuuid/${root#PARTUUID=} ;;
    /dev/*) device=$root ;;
    *) exit 0 ;;
esac
device_unit=$(systemd-escape --path --suffix=device "$device")
state_unit='run-initramfs-cos\x2dstate.mount'

# The same file name as dracut's own drop-in, which waits for ever: this one replaces it.
mkdir -p "$early/$device_unit.d"
cat > "$early/$device_unit.d/timeout.conf" << END
[Unit]
JobTimeoutSec=infinity
JobRunningTimeoutSec=$(seconds "$state_timeout" 1 1800 90)
END

cat > "$early/$state_unit" << END
[Unit]
Description=Partition with the system images
DefaultDependencies=no
Before=initrd-root-device.target
[Mount]
What=$device
Where=/run/initramfs/cos-state
Options=$permission
TimeoutSec=90
END

# mount(8) makes the loop device. Wants, not Requires: nothing that stops may take the root with it at switch-root.
cat > "$early/sysroot.mount" << END
[Unit]
Description=Root image $image
DefaultDependencies=no
Wants=holdfast-slot.service
After=holdfast-slot.service
Before=initrd-root-fs.target
[Mount]
What=/run/holdfast/slot.img
Where=/sysroot
Options=$permission,loop
TimeoutSec=90
END
mkdir -p "$early/initrd-root-fs.target.requires"
ln -sf ../sysroot.mount "$early/initrd-root-fs.target.requires/sysroot.mount"

[ -n "$oem" ] || exit 0
oem_device=/dev/disk/by-label/$(udev_name "$oem")
oem_unit=$(systemd-escape --path --suffix=device "$oem_device")
# The wait counts from the moment when the disk with the images was there, so a machine without OEM loses little.
mkdir -p "$early/$oem_unit.d"
cat > "$early/$oem_unit.d/timeout.conf" << END
[Unit]
After=$state_unit
JobTimeoutSec=infinity
JobRunningTimeoutSec=$(seconds "$oem_timeout" 1 1800 10)
END
# The layout mounts the partition a second time, below the new root; this mount must not outlive the initramfs.
cat > "$early/oem.mount" << END
[Unit]
Description=OEM partition, for stage rootfs
DefaultDependencies=no
Before=cos-setup-rootfs.service initrd-switch-root.target
Conflicts=initrd-switch-root.target
[Mount]
What=$oem_device
Where=/oem
Options=rw
TimeoutSec=90
END
mkdir -p "$early/cos-setup-rootfs.service.wants"
ln -sf ../oem.mount "$early/cos-setup-rootfs.service.wants/oem.mount"
