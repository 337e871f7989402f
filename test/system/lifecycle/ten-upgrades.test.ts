// Ten upgrades in a row on one machine, each from the system that the one before has made: room, files, mounts and loop
// devices are after the tenth what they were after the fourth. The machine is a disk image whose active slot is the root of
// each upgrade, as after a reboot (lab/crash/in-slot.sh).

import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fillDelivery, IN_SLOT } from '../../../lab/crash/delivery.ts';
import { ensureGuestRoot } from '../../../lab/crash/guest-root.ts';
import { argumentsOf, SCENARIOS } from '../../../lab/crash/scenarios.ts';
import { ensureExecutable } from '../../../lab/executable.ts';
import { runChecked } from '../../../src/system/process.ts';
import { settledTraces } from './disk-image.ts';

const DISK_BYTES = 4096 * 2 ** 20;
const UPGRADES = 10;
/** An extent or a directory block more or less. */
const SLACK_BYTES = 4 << 20;

const directory = mkdtempSync(join(tmpdir(), 'holdfast-ten-'));
const delivery = join(directory, 'delivery');
const disk = join(directory, 'disk.img');

beforeAll(async () => {
  const log = console.log;
  const root = await ensureGuestRoot({ log });
  mkdirSync(join(directory, 'work'));
  await fillDelivery(delivery, { executable: await ensureExecutable(log), root, work: join(directory, 'work') });
  writeFileSync(disk, '');
  truncateSync(disk, DISK_BYTES);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What the machine has after an upgrade, while it still runs from the old system. */
const FIGURES = `
state=/run/initramfs/cos-state
echo "free=$(($(stat --file-system --format '%f * %S' $state)))"
echo "files=$(ls $state $state/cOS | sed -e 's/pristine-[0-9a-f]*/pristine/' -e 's/ledger-[0-9a-f-]*/ledger/' | tr '\\n' ' ')"
echo "mounts=$(cut -d ' ' -f 2 /proc/mounts | grep -v -c -E '^/(sys|dev|proc|usr|bin|sbin|lib|lib64)(/|$)')"
echo "loops=$(losetup --list --noheadings --output BACK-FILE | grep -c '^/run/initramfs/cos-state/')"
echo "work=$(ls /run/holdfast | tr '\\n' ' ')"
`;

interface Figures {
  free: number;
  files: string;
  mounts: string;
  loops: string;
  work: string;
}

async function upgradeTo(version: string): Promise<Figures & { seconds: number }> {
  const started = performance.now();
  const script = `/run/delivery/holdfast upgrade --quiet --system oci-layout:/run/delivery/layout:${version} </dev/null >&2 || exit; ${FIGURES}`;
  const env = { ...process.env, IN_SLOT_DELIVERY: delivery };
  const output = await runChecked(['sh', IN_SLOT, disk, 'active', 'sh', '-c', script], { env });
  const value = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(output)?.[1]?.trim() ?? 'missing';
  return {
    free: Number(value('free')),
    files: value('files'),
    mounts: value('mounts'),
    loops: value('loops'),
    work: value('work'),
    seconds: (performance.now() - started) / 1000,
  };
}

test('ten upgrades in a row leave nothing behind', async () => {
  const install = SCENARIOS.find(({ name }) => name === 'install');
  if (install === undefined) throw new Error('there is no install');
  const before = await settledTraces();
  const words = argumentsOf(install, disk).map((word) => word.replace('/run/delivery', delivery));
  await runChecked([join(delivery, 'holdfast'), ...words]);
  const all: (Figures & { seconds: number })[] = [];
  for (let number = 1; number <= UPGRADES; number++) {
    const figures = await upgradeTo(number % 2 === 0 ? 'v3' : 'v2');
    console.log(
      `upgrade ${number}: ${(figures.free / 2 ** 20).toFixed(1)} MiB free, ${figures.mounts} mounts, ${figures.loops} loop devices, ${figures.seconds.toFixed(1)} s; ${figures.files}`,
    );
    all.push(figures);
  }
  // After three the slot and the copies that the install has made are gone; v2 and v3 alternate.
  const [, , , even, odd] = all;
  for (const [index, figures] of all.entries()) {
    if (index < 3) continue;
    const first = index % 2 === 0 ? odd : even;
    const { files, mounts, loops, work } = figures;
    expect({ files, mounts, loops, work }, `upgrade ${index + 1}`).toEqual({
      files: first?.files,
      mounts: first?.mounts,
      loops: first?.loops,
      work: first?.work,
    });
    expect(Math.abs(figures.free - (first?.free ?? 0)), `upgrade ${index + 1}`).toBeLessThan(SLACK_BYTES);
    expect(figures.free, `upgrade ${index + 1}`).toBeGreaterThan((all[0]?.free ?? 0) - SLACK_BYTES);
  }
  expect(all[9]?.files).toContain('active.img');
  expect(all[9]?.files).not.toContain('transition');
  expect(await settledTraces()).toEqual(before);
});
