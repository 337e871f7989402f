// GRUB alone, from firmware to the kernel's command line: what each entry passes, what the environment blocks decide, and
// what happens when an image is missing or damaged. About five seconds a round; no system is booted.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Firmware, GrubRounds } from './grub-rounds.ts';

let rounds: GrubRounds;
beforeAll(async () => {
  rounds = await GrubRounds.prepare((line) => process.stdout.write(`    ${line}\n`));
});
afterAll(() => rounds?.end());

test.each<Firmware>(['uefi', 'bios'])('by %s the active image boots', async (firmware) => {
  const { commandLines } = await rounds.boot({ firmware, disks: [await rounds.disk()] });
  const uuid = expect.stringMatching(/=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(commandLines[0]).toEqual([
    'BOOT_IMAGE=(loop0)/boot/vmlinuz',
    'root=LABEL=COS_STATE',
    'console=tty1',
    'console=ttyS0,115200',
    'cos-img/filename=/cOS/active.img',
    'cos.label=COS_ACTIVE',
    uuid,
    uuid,
    uuid,
    'panic=5',
    'fsck.repair=yes',
    'rd.cos.oemlabel=COS_OEM',
    'rd.cos.mount=LABEL=COS_OEM:/oem',
    'rd.cos.mount=LABEL=COS_PERSISTENT:/usr/local',
  ]);
});
