// The machine by its own name: machine id, hypervisor and time zone. Nothing is written, where the originals make
// /etc/machine-id and dbus's copy of it equal as a side effect of asking.

import type { Root } from '../../system/root.ts';
import { readFact, readLink, type Section, withoutEmpty } from './section.ts';

/** @param known what is that of the moment when a stage starts, and what never changes. */
export function gatherNode(root: Root, known: { hostname: string; hypervisor: string }): Section {
  return withoutEmpty({ ...known, machineid: readMachineId(root), timezone: readTimezone(root) });
}

/** Empty while the system hasn't got one (systemd writes `uninitialized` into images). */
export function readMachineId(root: Root): string {
  for (const file of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
    const id = readFact(root, file);
    if (/^\S+$/.test(id) && id !== 'uninitialized') return id;
  }
  return '';
}

/** From the link /etc/localtime, else Debian's /etc/timezone, else the clock file of older SUSE and Red Hat systems. */
function readTimezone(root: Root): string {
  const zone = readLink(root, '/etc/localtime').match(/^(?:\.\.)?\/usr\/share\/zoneinfo\/(.+)$/)?.[1];
  if (zone !== undefined) return zone;
  const debian = readFact(root, '/etc/timezone');
  if (debian !== '') return debian;
  return readFact(root, '/etc/sysconfig/clock').match(/^ZONE="?([^"\n]*)"?$/m)?.[1] ?? '';
}
