// Installed memory in MB, from the firmware's table; where there is none (ARM boards, Xen guests, containers) what the
// hypervisor or the kernel says.

import type { Root } from '../../system/root.ts';
import { leadingNumber, readFact, type Section, withoutEmpty } from './section.ts';
import type { SmbiosFacts } from './smbios.ts';

export function gatherMemory(root: Root, firmware: SmbiosFacts | undefined): Section {
  if (firmware !== undefined) {
    return withoutEmpty({
      type: firmware.memoryType,
      speed: firmware.memorySpeed,
      size: firmware.memoryMebibytes,
    });
  }
  const kibibytes =
    leadingNumber(readFact(root, '/sys/devices/system/xen_memory/xen_memory0/target_kb')) ||
    leadingNumber(readFact(root, '/proc/meminfo').match(/^MemTotal:\s*(\d+)/m)?.[1] ?? '');
  return kibibytes === 0 ? {} : { type: 'DRAM', size: Math.floor(kibibytes / 1024) };
}
