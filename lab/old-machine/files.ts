// The texts of a machine of cOS 0.8.10, written from what is known of its behaviour: the boot menu on the state partition,
// the kernel arguments inside the image, and an initramfs that takes the image by its label.

import { MENU_ENTRIES, PARTITION_LABELS, SLOT_FILES, SLOT_LABELS, type SlotName } from '../../src/slots/names.ts';

/** In the image. The same labels everywhere; `label` is the image's own. */
export const BOOTARGS = `set kernel=/boot/vmlinuz
set initramfs=/boot/initrd
if [ -n "$recoverylabel" ]; then
    set kernelcmd="console=tty1 console=ttyS0 root=live:LABEL=$recoverylabel rd.live.dir=/ rd.live.squashimg=$img panic=5 rd.neednet=1 rd.cos.oemlabel=COS_OEM"
else
    set kernelcmd="console=tty1 console=ttyS0 root=LABEL=$label cos-img/filename=$img panic=5 rd.cos.oemlabel=COS_OEM fsck.mode=skip"
fi
`;

/** The menu entry of a slot as cOS 0.8 has it: loop0 is never let go, and labels are literal. */
export function oldEntry(slot: SlotName, title: string): string {
  const partition = slot === 'recovery' ? PARTITION_LABELS.recovery : PARTITION_LABELS.state;
  return `menuentry "${title}" --id ${MENU_ENTRIES[slot]} {
  search --no-floppy --label --set=root ${partition}
  set img=/${SLOT_FILES[slot]}
  set label=${SLOT_LABELS[slot]}
  loopback loop0 /$img
  set root=($root)
  source (loop0)/etc/cos/bootargs.cfg
  linux (loop0)$kernel $kernelcmd \${extra_cmdline} \${extra_${slot}_cmdline}
  initrd (loop0)$initramfs
}
`;
}

/** On the state partition since the machine was installed: no label is a variable, loop0 is never let go. */
export const GRUB_MENU = `set timeout=5
set gfxmode=auto
set gfxpayload=keep
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial

search --no-floppy --file --set=env_blk /grub_oem_env
if [ "$env_blk" ]; then
  load_env -f ($env_blk)/grub_oem_env
fi
search --no-floppy --file --set=oem_blk /grubenv
if [ "$oem_blk" ]; then
  load_env -f ($oem_blk)/grubenv
fi

if [ "$next_entry" ]; then
  set default="$next_entry"
  set selected_entry="$next_entry"
  set next_entry=
  save_env -f ($oem_blk)/grubenv next_entry
else
  set default="$saved_entry"
fi
set fallback="0 1 2"
if [ -z "$default_menu_entry" ]; then
  set default_menu_entry="cOS"
fi

${oldEntry('active', '$default_menu_entry')}${oldEntry('passive', '$default_menu_entry (fallback)')}${oldEntry('recovery', '$default_menu_entry recovery')}
search --no-floppy --file --set=menu_blk /grubmenu
if [ "$menu_blk" ]; then
  source ($menu_blk)/grubmenu
fi
search --no-floppy --file --set=custom_blk /grubcustom
if [ "$custom_blk" ]; then
  source ($custom_blk)/grubcustom
fi
`;

export const DRACUT_MODULE = `#!/bin/bash
check() { return 255; }
depends() { echo systemd rootfs-block; }
installkernel() { instmods loop overlay ext4; }
install() {
    inst_multiple mount mkdir losetup cat modprobe sed
    inst_script "$moddir/layout.sh" /sbin/image-root-layout
    inst_simple "$moddir/attach.service" "$systemdsystemunitdir/image-root-attach.service"
    inst_simple "$moddir/layout.service" "$systemdsystemunitdir/image-root-layout.service"
    mkdir -p "$initdir$systemdsystemunitdir/initrd.target.wants" "$initdir$systemdsystemunitdir/initrd-fs.target.requires"
    ln_r "$systemdsystemunitdir/image-root-attach.service" "$systemdsystemunitdir/initrd.target.wants/image-root-attach.service"
    ln_r "$systemdsystemunitdir/image-root-layout.service" "$systemdsystemunitdir/initrd-fs.target.requires/image-root-layout.service"
}
`;

export const ATTACH_UNIT = `[Unit]
DefaultDependencies=no
Requires=dev-disk-by\\x2dlabel-COS_STATE.device
After=dev-disk-by\\x2dlabel-COS_STATE.device
Before=initrd-root-device.target sysroot.mount
Conflicts=initrd-switch-root.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/image-root-layout attach
`;

export const LAYOUT_UNIT = `[Unit]
DefaultDependencies=no
After=initrd-root-fs.target
Before=initrd-fs.target initrd-parse-etc.service
Conflicts=initrd-switch-root.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/image-root-layout layout
`;

/** The read-only root with the directories that a Debian must be able to write to. */
export const LAYOUT_SCRIPT = `#!/bin/sh
set -eu
if [ "$1" = attach ]; then
    modprobe loop || :
    image=$(sed -n 's|.*cos-img/filename=\\([^ ]*\\).*|\\1|p' /proc/cmdline)
    mkdir -p /run/initramfs/cos-state
    mount -o ro /dev/disk/by-label/COS_STATE /run/initramfs/cos-state
    losetup -f -r "/run/initramfs/cos-state$image"
    exit 0
fi
mkdir -p /run/overlay
mount -t tmpfs -o mode=0755 tmpfs /run/overlay
for name in etc var root srv home opt; do
    mkdir -p "/run/overlay/$name/upper" "/run/overlay/$name/work"
    mount -t overlay -o "lowerdir=/sysroot/$name,upperdir=/run/overlay/$name/upper,workdir=/run/overlay/$name/work" \\
        overlay "/sysroot/$name"
done
mount -t tmpfs -o mode=1777 tmpfs /sysroot/tmp
mount LABEL=COS_OEM /sysroot/oem
mount LABEL=COS_PERSISTENT /sysroot/usr/local
: > /sysroot/etc/fstab
`;
