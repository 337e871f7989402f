// Which hypervisor is read from the kernel's files, case by case.

import { expect, it } from 'vitest';
import { detectHypervisor } from '../../../../src/stages/facts/hypervisor.ts';
import { temporaryRoot } from '../temporary-root.ts';

const dmi = (field: string, text: string) => ({ [`sys/class/dmi/id/${field}`]: `${text}\n` });
const clocks = (names: string) => ({
  'sys/devices/system/clocksource/clocksource0/available_clocksource': `${names}\n`,
});

it.each<[string, boolean, Record<string, string>]>([
  ['', false, {}],
  ['', false, dmi('sys_vendor', 'QEMU')],
  ['xenpv', false, { 'sys/hypervisor/type': 'xen\n' }],
  ['xenhvm', true, { 'sys/hypervisor/type': 'xen\n' }],
  ['kvm', true, clocks('kvm-clock tsc')],
  ['kvm', true, dmi('sys_vendor', 'QEMU')],
  ['unknown', true, { ...dmi('sys_vendor', 'QEMU'), ...clocks('tsc hpet') }],
  ['bochs', true, dmi('bios_vendor', 'Bochs')],
  ['kvm', true, dmi('sys_vendor', 'Amazon EC2')],
  ['kvm', true, dmi('product_name', 'Google Compute Engine')],
  ['kvm', true, dmi('bios_vendor', 'innotek GmbH')],
  ['vmware', true, dmi('sys_vendor', 'VMware, Inc.')],
  ['hyperv', true, dmi('sys_vendor', 'Microsoft Corporation')],
  ['hyperv', true, clocks('tsc hyperv_clocksource_tsc_page')],
  ['parallels', true, dmi('sys_vendor', 'Parallels Software International Inc.')],
  ['bhyve', true, dmi('bios_vendor', 'BHYVE')],
  ['unknown', true, {}],
])('"%s" with the flag %s and %j', (expected, flag, files) => {
  const root = temporaryRoot({
    ...files,
    'proc/cpuinfo': `processor\t: 0\nflags\t\t: fpu${flag ? ' hypervisor' : ''}\n`,
  });
  expect(detectHypervisor(root)).toBe(expected);
});
