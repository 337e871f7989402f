// What the firmware says about the machine, its board, its case and itself, through the kernel's DMI files. Boards
// without DMI (most ARM ones) describe themselves in a device tree.

import type { Root } from '../../system/root.ts';
import { leadingNumber, readFact, type Section, withoutEmpty } from './section.ts';

/** Stands where the firmware has none. */
export const NO_UUID = '00000000-0000-0000-0000-000000000000';

function dmi(root: Root, field: string): string {
  return readFact(root, `/sys/class/dmi/id/${field}`);
}

/** `uuid` is always there; all zeros when it can't be read (sysinfo 1.0 and later). */
export function gatherProduct(root: Root): Section {
  const uuid = dmi(root, 'product_uuid').toLowerCase();
  return withoutEmpty({
    name: dmi(root, 'product_name') || readFact(root, '/proc/device-tree/model'),
    vendor: dmi(root, 'sys_vendor'),
    version: dmi(root, 'product_version'),
    serial: dmi(root, 'product_serial') || readFact(root, '/proc/device-tree/serial-number'),
    uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid) ? uuid : NO_UUID,
    sku: dmi(root, 'product_sku'),
  });
}

export function gatherBoard(root: Root): Section {
  return withoutEmpty({
    name: dmi(root, 'board_name'),
    vendor: dmi(root, 'board_vendor'),
    version: dmi(root, 'board_version'),
    serial: dmi(root, 'board_serial'),
    assettag: dmi(root, 'board_asset_tag'),
  });
}

export function gatherChassis(root: Root): Section {
  return withoutEmpty({
    type: leadingNumber(dmi(root, 'chassis_type')),
    vendor: dmi(root, 'chassis_vendor'),
    version: dmi(root, 'chassis_version'),
    serial: dmi(root, 'chassis_serial'),
    assettag: dmi(root, 'chassis_asset_tag'),
  });
}

export function gatherBios(root: Root): Section {
  return withoutEmpty({
    vendor: dmi(root, 'bios_vendor'),
    version: dmi(root, 'bios_version'),
    date: dmi(root, 'bios_date'),
  });
}
