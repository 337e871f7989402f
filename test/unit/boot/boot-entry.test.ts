// What efibootmgr prints in its versions, and which entries a new one replaces.

import { expect, test } from 'vitest';
import { parseBootEntries, replacedEntries } from '../../../src/boot/boot-entry.ts';

const OLD = '5a1cf3d4-1111-4c6c-9d3c-000000000001';
const NEW = '5a1cf3d4-1111-4c6c-9d3c-000000000002';

/** efibootmgr 17: Debian 12, openSUSE Leap 15. */
const VERSION_17 = `BootCurrent: 0002
Timeout: 3 seconds
BootOrder: 0002,0000,0001
Boot0000* UiApp	FvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(462caa21-7614-4503-836e-8ab6f4662331)
Boot0001  UEFI QEMU DVD-ROM QM00005 	PciRoot(0x0)/Pci(0x1f,0x2)/Sata(2,65535,0)N.....YM....R,Y.
Boot0002* Holdfast demo	HD(1,GPT,${OLD},0x800,0x20000)/File(\\EFI\\BOOT\\BOOTX64.EFI)
Boot000A* debian	HD(1,GPT,${OLD.toUpperCase()},0x800,0x20000)/File(\\EFI\\DEBIAN\\SHIMX64.EFI)
MirroredPercentageAbove4G: 0.00
`;

/** efibootmgr 18: Fedora 38, Debian 13. */
const VERSION_18 = `BootCurrent: 0001
BootOrder: 0001,0000
Boot0000* Holdfast demo	HD(1,GPT,${OLD},0x800,0x20000)/\\EFI\\BOOT\\BOOTX64.EFI
      dp: 04 01 2a 00 01 00 00 00 00 08 00 00 00 00 00 00 00 00 02 00 / 7f ff 04 00
Boot0001* Fedora	HD(2,GPT,${NEW},0x1000,0x20000)/\\EFI\\fedora\\shimx64.efi
      dp: 04 01 2a 00 02 00 00 00 / 7f ff 04 00
    data: 4e ac 08 81
Boot0002* Network
`;

test.each([
  [
    '17',
    VERSION_17,
    [
      { number: '0000', label: 'UiApp', partition: undefined },
      { number: '0001', label: 'UEFI QEMU DVD-ROM QM00005', partition: undefined },
      { number: '0002', label: 'Holdfast demo', partition: OLD },
      { number: '000A', label: 'debian', partition: OLD },
    ],
  ],
  [
    '18',
    VERSION_18,
    [
      { number: '0000', label: 'Holdfast demo', partition: OLD },
      { number: '0001', label: 'Fedora', partition: NEW },
      { number: '0002', label: 'Network', partition: undefined },
    ],
  ],
])('efibootmgr %s', (_, text, entries) => {
  expect(parseBootEntries(text)).toEqual(entries);
});

test('an entry of the same name is replaced when it points to this disk, as it is or was', () => {
  const entries = parseBootEntries(VERSION_17);
  const numbers = (label: string, partitions: string[]) =>
    replacedEntries(entries, label, partitions).map(({ number }) => number);
  expect(numbers('Holdfast demo', [NEW, OLD.toUpperCase()])).toEqual(['0002']);
  expect(numbers('Holdfast demo', [NEW])).toEqual([]);
  expect(numbers('UiApp', [OLD])).toEqual([]);
});
