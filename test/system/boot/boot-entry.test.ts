// The firmware's boot entries, with a stand-in for efibootmgr that keeps them in a file: no test machine's firmware is to be
// changed. What it prints is the real program's format.

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addBootEntry, bootEntryObstacle } from '../../../src/boot/boot-entry.ts';

const OLD = '5a1cf3d4-1111-4c6c-9d3c-000000000001';
const NEW = '5a1cf3d4-1111-4c6c-9d3c-000000000002';
const ENTRIES = [
  `Boot0001* Lab\tHD(1,GPT,${OLD},0x800,0x20000)/File(\\EFI\\BOOT\\BOOTX64.EFI)`,
  `Boot0002* Lab\tHD(1,GPT,00000000-2222-4c6c-9d3c-000000000003,0x800,0x20000)/File(\\EFI\\BOOT\\BOOTX64.EFI)`,
  `Boot0003* Other\tHD(1,GPT,${OLD},0x800,0x20000)/File(\\EFI\\BOOT\\BOOTX64.EFI)`,
];

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-boot-entry-'));
  vi.stubEnv('PATH', `${directory}:${process.env['PATH']}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

/** @param failing the option with which it fails. */
function standIn(failing = 'nothing'): void {
  writeFileSync(join(directory, 'entries'), `BootOrder: 0001,0002\n${ENTRIES.join('\n')}\n`);
  const script = `#!/bin/sh
echo "$*" >> ${directory}/calls
case "$1" in
  ${failing}) echo "Could not prepare Boot variable: No space left on device" >&2; exit 5 ;;
  -v) cat ${directory}/entries ;;
esac
`;
  writeFileSync(join(directory, 'efibootmgr'), script);
  chmodSync(join(directory, 'efibootmgr'), 0o755);
}
const calls = () => readFileSync(join(directory, 'calls'), 'utf8').trimEnd().split('\n');
const entry = { disk: '/dev/sdx', partitionNumber: 1, label: 'Lab', partitions: [NEW, OLD] };

test('a new entry is made, then the one that it replaces is removed', async () => {
  standIn();
  await addBootEntry(entry);
  expect(calls()).toEqual(['-v', '-c -d /dev/sdx -p 1 -L Lab -l \\EFI\\BOOT\\BOOTX64.EFI', '-q -b 0001 -B']);
});

test('when the firmware has no room, the old entry stays', async () => {
  standIn('-c');
  await expect(addBootEntry(entry)).rejects.toMatchObject({
    code: 'HF-COMMAND',
    message: 'the firmware’s boot entries could not be changed',
  });
  expect(calls()).toHaveLength(2);
});

test('a machine whose firmware can’t be asked says why', () => {
  const variables = join(directory, 'efivars');
  expect(bootEntryObstacle(variables)).toContain('not booted by UEFI');
  mkdirSync(variables);
  vi.stubEnv('PATH', directory);
  standIn();
  expect(bootEntryObstacle(variables)).toBeUndefined();
});
