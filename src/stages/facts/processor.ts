// The processor, from /proc/cpuinfo and the firmware's table. Sockets and cores of a virtual machine mean nothing, so
// they are left out there, as with the originals.

import { availableParallelism } from 'node:os';
import type { Root } from '../../system/root.ts';
import { leadingNumber, readFact, type Section, withoutEmpty } from './section.ts';
import type { SmbiosFacts } from './smbios.ts';

export function gatherProcessor(root: Root, firmware: SmbiosFacts | undefined, isVirtual: boolean): Section {
  const sockets = new Set<string>();
  const cores = new Set<string>();
  const first = new Map<string, string>();
  let socket = '';
  let threads = 0;
  for (const line of readFact(root, '/proc/cpuinfo').split('\n')) {
    const [, key = '', value = ''] = line.match(/^([^\t:]+?)\s*:\s*(.*)$/) ?? [];
    if (key === 'processor' && /^\d+$/.test(value)) threads += 1;
    if (key === 'physical id') {
      socket = value;
      sockets.add(socket);
    }
    if (key === 'core id') cores.add(`${socket}/${value}`);
    if (!first.has(key)) first.set(key, value);
  }
  return withoutEmpty({
    vendor: first.get('vendor_id') ?? '',
    model: (first.get('model name') ?? '').replace(/ +/g, ' ').replace('- ', '-'),
    speed: firmware?.processorMegahertz ?? 0,
    cache: leadingNumber(first.get('cache size')?.match(/^\d+(?= KB$)/)?.[0] ?? ''),
    cpus: isVirtual ? 0 : sockets.size,
    cores: isVirtual ? 0 : cores.size,
    threads: threads || availableParallelism(),
  });
}
