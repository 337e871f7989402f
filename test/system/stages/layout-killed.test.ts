// A layout whose process is killed (SIGKILL) before or after each of the programs that write to the disk: the next run
// completes it, nothing that was there is lost, and every filesystem is sound. Takes about a minute.

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bunProgram } from '../../../lab/executable.ts';
import { listLoops } from '../../../src/system/loopdevices.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { findProgram } from '../../../src/system/tools.ts';
import { checkFilesystem, fill, LayoutDisk, runLayoutOn, UNCHANGED } from './layout-disk.ts';

const WRITERS = ['sfdisk', 'mkfs.ext4', 'mkswap', 'tune2fs', 'e2fsck', 'resize2fs'];
const LAYOUT = {
  expand_partition: { size: 100 },
  add_partitions: [
    { fsLabel: 'ADDED', pLabel: 'added', size: 40 },
    { pLabel: 'swap', filesystem: 'swap', size: 16 },
  ],
};
const FINISHED = [
  '1 16 MiB - - first',
  '2 100 MiB ext4 LAST last',
  '3 40 MiB ext4 ADDED added',
  '4 16 MiB swap - swap',
];

let disk: LayoutDisk;
let intact: (directory: string) => boolean;
beforeEach(async () => {
  disk = new LayoutDisk(300);
  await disk.table('gpt', 'start=2048, size=16MiB, name=first', 'size=50MiB, name=last');
  await disk.attached(2, (device) => runChecked(['mkfs.ext4', '-q', '-L', 'LAST', device]));
  intact = await disk.mounted(2, (directory) => fill(directory));
});
afterEach(() => disk.remove());

/** Programs in front of the real ones; `body` has "$real" and the number of this write, "$n". */
function standIns(body: string): NodeJS.ProcessEnv {
  const directory = join(disk.directory, 'bin');
  const counter = join(disk.directory, 'counter');
  mkdirSync(directory, { recursive: true });
  writeFileSync(counter, '0');
  for (const name of WRITERS) {
    const file = join(directory, name);
    // Reading the table is no write.
    const count = `case "$*" in *--json*) exec "$real" "$@";; esac; n=$(($(cat ${counter}) + 1)); echo $n >${counter}`;
    writeFileSync(file, `#!/bin/sh\nreal=${findProgram(name)}\n${count}\n${body}\n`);
    chmodSync(file, 0o755);
  }
  return { ...process.env, PATH: `${directory}:${process.env.PATH}` };
}

function start(env: NodeJS.ProcessEnv) {
  const program = new URL('layout-program.ts', import.meta.url).pathname;
  return run([bunProgram(), program, disk.file, JSON.stringify(LAYOUT)], { env });
}

/** What a killed process couldn't give back. */
async function detachLeftOver(): Promise<void> {
  for (const { device, file } of listLoops()) {
    if (file === disk.file) await runChecked(['losetup', '--detach', device]);
  }
}

async function expectFinished(): Promise<void> {
  expect(await disk.summary()).toEqual(FINISHED);
  expect((await disk.entries()).map(({ type }) => type.slice(0, 8))).toEqual([
    '0FC63DAF',
    '0FC63DAF',
    '0FC63DAF',
    '0657FD6D',
  ]);
  for (const number of [2, 3]) await disk.attached(number, (device) => checkFilesystem('ext4', device));
  expect(await disk.mounted(2, intact)).toBe(true);
  expect(await runLayoutOn(disk.file, LAYOUT)).toMatchObject(UNCHANGED);
}

describe.each([
  ['before', 'kill -9 $PPID; exit 1'],
  ['after', '"$real" "$@"; kill -9 $PPID; exit 0'],
])('killed %s', (_, death) => {
  // Expanding: 3; the filesystem: 4; swap, without a label: 3.
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])('write %i', async (write) => {
    const first = await start(standIns(`[ $n = ${write} ] || exec "$real" "$@"\n${death}`));
    expect(first.signal).toBe('SIGKILL');
    expect(readFileSync(join(disk.directory, 'counter'), 'utf8')).toBe(`${write}\n`);
    expect(await disk.mounted(2, intact)).toBe(true);
    const second = await runLayoutOn(disk.file, LAYOUT);
    expect(second).toMatchObject({ outcome: 'ok', errors: [], warnings: [] });
    await detachLeftOver();
    await expectFinished();
  });
});

test('without being killed there are just these writes', async () => {
  const { status, stderr } = await start(standIns('exec "$real" "$@"'));
  expect([status, stderr]).toEqual([0, '']);
  expect(readFileSync(join(disk.directory, 'counter'), 'utf8')).toBe('10\n');
  await expectFinished();
});

test('a mkfs that outlives its killed run is waited for', async () => {
  const go = join(disk.directory, 'go');
  const env = standIns(
    `case "$0" in *mkfs.ext4) kill -9 $PPID; while [ ! -e ${go} ]; do sleep 0.1; done;; esac\nexec "$real" "$@"`,
  );
  // The stand-in has our end of its pipes: only its own end closes them.
  const first = start(env);
  await waitUntil(async () => (await disk.entries()).some(({ type }) => type.startsWith('484F4C44')));
  const second = runLayoutOn(disk.file, LAYOUT);
  await waitUntil(() => /->.*FLOCK/.test(readFileSync('/proc/locks', 'utf8')));
  writeFileSync(go, '');
  expect((await first).signal).toBe('SIGKILL');
  expect(await second).toMatchObject({ outcome: 'ok', errors: [], warnings: [] });
  await detachLeftOver();
  await expectFinished();
});

async function waitUntil(fact: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (await fact()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it did not happen within 30 seconds');
}
