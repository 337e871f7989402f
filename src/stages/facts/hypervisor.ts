// Which hypervisor runs the machine. The originals ask the processor (CPUID), which a program without machine code can't;
// the kernel has asked it before, and what it found is in files. A container sees the hypervisor of its machine, if any.

import type { Root } from '../../system/root.ts';
import { readFact, readStart } from './section.ts';

/** DMI texts → hypervisor, as systemd-detect-virt reads them; the first that any of the fields begins with counts. */
const DMI_VENDORS: readonly (readonly [string, string])[] = [
  ['KVM', 'kvm'],
  ['OpenStack', 'kvm'],
  ['KubeVirt', 'kvm'],
  ['Amazon EC2', 'kvm'],
  ['Google', 'kvm'],
  ['DigitalOcean', 'kvm'],
  ['Hetzner', 'kvm'],
  ['Alibaba Cloud', 'kvm'],
  ['oVirt', 'kvm'],
  ['RHEV', 'kvm'],
  ['VMware', 'vmware'],
  ['VMW', 'vmware'],
  // VirtualBox shows Linux guests the signature of KVM unless it is told not to.
  ['innotek GmbH', 'kvm'],
  ['VirtualBox', 'kvm'],
  ['Oracle Corporation', 'kvm'],
  ['Xen', 'xenhvm'],
  ['Parallels', 'parallels'],
  ['BHYVE', 'bhyve'],
  ['Microsoft Corporation', 'hyperv'],
];

const DMI_FIELDS = ['product_name', 'sys_vendor', 'board_vendor', 'bios_vendor', 'product_version'] as const;

/** sysinfo's names: kvm, vmware, hyperv, xenhvm, xenpv, bhyve, parallels, bochs, unknown; empty on bare metal. */
export function detectHypervisor(root: Root): string {
  const xen = readFact(root, '/sys/hypervisor/type') === 'xen';
  // The bit by which CPUID says that there is a hypervisor at all, of the first processor. Other architectures have none.
  if (!/^flags\s*:.*\bhypervisor\b/m.test(readStart(root, '/proc/cpuinfo'))) return xen ? 'xenpv' : '';
  if (xen) return 'xenhvm';
  const clocks = readFact(root, '/sys/devices/system/clocksource/clocksource0/available_clocksource').split(/\s+/);
  // A clock of the hypervisor's own is there only when the kernel has recognised its signature.
  if (clocks.includes('kvm-clock')) return 'kvm';
  if (clocks.some((clock) => clock.startsWith('hyperv_clocksource'))) return 'hyperv';
  const dmi = DMI_FIELDS.map((field) => readFact(root, `/sys/class/dmi/id/${field}`));
  const vendor = DMI_VENDORS.find(([prefix]) => dmi.some((text) => text.startsWith(prefix)));
  if (vendor !== undefined) return vendor[1];
  if (dmi.some((text) => text.startsWith('Bochs'))) return 'bochs';
  // QEMU without a KVM clock emulates the processor; what can't be told is unknown to the originals too.
  const emulated = clocks.some((clock) => clock !== '');
  return dmi.some((text) => text.startsWith('QEMU')) && !emulated ? 'kvm' : 'unknown';
}
