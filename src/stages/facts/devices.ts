// Disks and network interfaces that are hardware: virtual ones (loop, device mapper, bridges), floppies and CD drives
// are left out. Sizes are in GB of 1000³ bytes.

import type { Root } from '../../system/root.ts';
import { driverOf, leadingNumber, readFact, readLink, type Section, withoutEmpty } from './section.ts';

const SECTORS_PER_GIGABYTE = 1_953_125;
/** SCSI's number for CD and DVD drives. */
const CD_DRIVE = '5';

export function gatherStorage(root: Root): readonly Section[] {
  return root.list('/sys/block').flatMap((name): Section[] => {
    const path = `/sys/block/${name}`;
    const link = readLink(root, path);
    if (link === '' || /^\.\.\/devices\/(?:virtual\/|platform\/floppy)/.test(link)) return [];
    if (readFact(root, `${path}/device/type`) === CD_DRIVE) return [];
    const vendor = readFact(root, `${path}/device/vendor`);
    const device = withoutEmpty({
      name,
      driver: driverOf(root, path),
      // virtio's is the number of a PCI vendor.
      vendor: vendor.startsWith('0x') ? '' : vendor,
      model: readFact(root, `${path}/device/model`),
      serial: serialOf(root, path),
      size: Math.floor(leadingNumber(readFact(root, `${path}/size`)) / SECTORS_PER_GIGABYTE),
    });
    return [device];
  });
}

/** udev keeps what it has asked the disk. */
function serialOf(root: Root, path: string): string {
  const device = readFact(root, `${path}/dev`);
  if (device === '') return '';
  return readFact(root, `/run/udev/data/b${device}`).match(/^E:ID_SERIAL_SHORT=([^=\n]*)$/m)?.[1] ?? '';
}

/**
 * The speed is that of the link in Mbit/s, where the originals have the largest that the port supports, and `port` is
 * missing: both are only told to a program that can call the kernel's ethtool interface.
 */
export function gatherNetwork(root: Root): readonly Section[] {
  return root.list('/sys/class/net').flatMap((name): Section[] => {
    const path = `/sys/class/net/${name}`;
    const link = readLink(root, path);
    if (link === '' || link.startsWith('../../devices/virtual/')) return [];
    const device = withoutEmpty({
      name,
      driver: driverOf(root, path),
      macaddress: readFact(root, `${path}/address`),
      // The kernel says -1 for a link that is down; leadingNumber makes 0 of it.
      speed: leadingNumber(readFact(root, `${path}/speed`)),
    });
    return [device];
  });
}
