#!/bin/bash
# dracut module: attaches the slot that GRUB chose and prepares it as a read-only root with writable places.
# The number is high because install() takes things out again that other modules put in.

# called by dracut
check() {
    require_binaries blkid dd losetup modprobe mountpoint timeout || return 1
    # Only when a configuration asks for it.
    return 255
}

# called by dracut
depends() {
    # A root overlay needs device-mapper.
    if find_binary dmsetup > /dev/null; then echo dm; fi
    echo base systemd systemd-initrd dracut-systemd udev-rules fs-lib
}

# called by dracut
installkernel() {
    # Without these no slot can be attached. `=fs/...` and single names are skipped where the kernel has them built in.
    hostonly='' instmods loop overlay ext4 xfs vfat squashfs erofs nls_cp437 nls_iso8859-1 nls_ascii crc32c_generic
    # A megabyte, for images that can make one.
    if find_binary mkfs.btrfs > /dev/null; then hostonly='' instmods btrfs; fi
    # Root overlays; loaded when one is attached.
    if find_binary dmsetup > /dev/null; then hostonly='' instmods dm_mod dm_snapshot; fi
    if find_binary cryptsetup > /dev/null; then
        hostonly='' instmods dm_crypt aes_generic =arch/x86/crypto xts cbc essiv sha256_generic sha512_generic algif_skcipher
    fi
    # Disks that machines and hypervisors have: whole families where they are small, single names where they aren't.
    hostonly='' instmods \
        =drivers/ata =drivers/virtio =drivers/usb/storage =drivers/usb/host =drivers/mmc \
        nvme virtio_blk virtio_scsi sd_mod sr_mod vmd \
        hv_vmbus hv_storvsc pci_hyperv xen_blkfront xen_scsifront vmw_pvscsi \
        ahci megaraid_sas mpt3sas mptsas mptspi aacraid hpsa smartpqi pm80xx isci
    # A keyboard for the emergency shell.
    hostonly='' instmods atkbd i8042 usbhid hid_generic =drivers/input/serio
}

# called by dracut
install() {
    local unit

    inst_multiple basename blkid cat chmod chown chroot cp dd grep head ln losetup ls mkdir modprobe mount mountpoint mv \
        readlink rm rmdir sed sha256sum sleep sort sync test timeout touch tr umount uname wc
    inst_multiple -o dmesg findmnt lsblk tail vi less partx udevadm e2fsck fsck.ext4 xfs_repair
    # What a `layout` of the stage rootfs needs: raw disks are partitioned there at their first boot.
    inst_multiple -o blockdev flock sfdisk resize2fs tune2fs mkfs.ext2 mkfs.ext3 mkfs.ext4 mkfs.fat fatlabel \
        mkfs.xfs xfs_admin xfs_db xfs_growfs mkswap swaplabel btrfs mkfs.btrfs

    # Root overlays: encrypted disks are opened where the image can do that.
    inst_multiple -o dmsetup fallocate cryptsetup

    # The executable is run from the mounted image and brings no library; it needs these, of which an initramfs lacks some.
    inst_libdir_file 'ld-linux*.so.*' 'libc.so.6' 'libm.so.6' 'libpthread.so.0' 'libdl.so.2' 'librt.so.1'

    # Loaded while udev looks at the hardware, not one by one when they are needed.
    mkdir -p "$initdir/usr/lib/modules-load.d"
    printf '%s\n' loop overlay xfs > "$initdir/usr/lib/modules-load.d/holdfast.conf"
    inst_simple "$moddir/holdfast-arguments.sh" /usr/lib/holdfast/arguments.sh
    inst_script /usr/lib/holdfast/boot-note
    inst_script "$moddir/holdfast-generator.sh" "$systemdutildir/system-generators/holdfast-generator"
    inst_hook cmdline 01 "$moddir/parse-holdfast.sh"
    for unit in partition fsck slot overlay check emergency rootdigest; do
        inst_script "$moddir/holdfast-$unit.sh" "/usr/sbin/holdfast-$unit"
    done
    for unit in state oem slot overlay live rootdigest; do
        inst_simple "$moddir/holdfast-$unit.service" "$systemdsystemunitdir/holdfast-$unit.service"
    done
    for unit in emergency dracut-emergency; do
        inst_simple "$moddir/holdfast-emergency.conf" "$systemdsystemunitdir/$unit.service.d/10-holdfast.conf"
    done
    for unit in cos-setup-pre-rootfs cos-setup-rootfs cos-immutable-rootfs cos-setup-initramfs; do
        inst_simple "$systemdsystemunitdir/$unit.service"
    done
    $SYSTEMCTL -q --root "$initdir" add-wants initrd-fs.target cos-setup-pre-rootfs.service cos-setup-rootfs.service
    $SYSTEMCTL -q --root "$initdir" add-requires initrd-fs.target cos-immutable-rootfs.service
    $SYSTEMCTL -q --root "$initdir" add-wants initrd.target cos-setup-initramfs.service

    # Stages `pre-rootfs` and `rootfs` run in the initramfs and find the image's own stage files where they are in the running system.
    ln -sfn sysroot/system "$initdir/system"
    mkdir -p "$initdir/oem"

    # 10 MB of names of hardware that nobody looks at before the real root is there.
    rm -f "$initdir"/usr/lib/udev/hwdb.bin "$initdir"/etc/udev/hwdb.bin "$initdir"/etc/udev/udev.hwdb
}
