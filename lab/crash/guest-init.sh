#!/bin/sh
# The first process of a crash test's guest: Debian's kernel from an NVMe disk, without an initramfs. It brings up what
# the product expects of a running system, then does what is on the delivery disk and waits to be switched off.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs tmpfs /tmp
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo -onlcr
dmesg -n alert
for module in virtio_pci virtio_blk loop xfs; do modprobe "$module" || echo "<<crash no module $module>>"; done
mkdir -p /run/delivery
for block in /sys/block/vd*; do
    case $(cat "$block/serial") in
        delivery) mount -o ro "/dev/${block##*/}" /run/delivery ;;
        crash) ln -s "/dev/${block##*/}" /dev/crash ;;
    esac
done
sh /run/delivery/scenario
sync
umount -a -r 2>/dev/null
echo o >/proc/sysrq-trigger
sleep 60
