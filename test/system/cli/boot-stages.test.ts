// Stages of the boot with the real executable, as a unit runs them: what is recorded in /run, what the consoles and the
// login banner say, and that none of it happens where nobody boots. In a mount namespace with a /run and consoles of its
// own. Takes about three seconds after the build.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { run } from '../../../src/system/process.ts';

let executable: string;
let directory: string;

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-boot-'));
  for (const name of ['run/systemd/system', 'oem', 'tty/console', 'dev'])
    mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(join(directory, 'tty/console/active'), 'serial-a screen-b\n');
  for (const name of ['serial-a', 'screen-b', 'null']) writeFileSync(join(directory, 'dev', name), '');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Runs a shell in which `holdfast` is a booting machine's; its /run and consoles are below `directory`. */
async function onMachine(script: string) {
  const set = [
    `cd ${directory}`,
    'mount --bind run /run',
    'mount --bind tty /sys/class/tty',
    'mount --bind /dev/null dev/null',
    'mount --bind dev /dev',
    `holdfast() { CLOUD_INIT_PATHS=${directory}/oem ${executable} "$@"; }`,
    script,
  ];
  const result = await run(['unshare', '--mount', 'sh', '-ec', set.join('\n')]);
  expect([result.status, result.stderr]).toEqual([0, '']);
  return result.stdout;
}
const file = (name: string, text: string) => writeFileSync(join(directory, 'oem', name), text);
const read = (path: string) => readFileSync(join(directory, path), 'utf8');
const BROKEN = 'stages:\n  fs.after:\n    - name: Mine\n      commands: ["echo PASSWORD=hunter22 >&2; exit 3"]\n';
const PLACE = () => `${directory}/oem/a.yaml:3:7 "Mine"`;

it('a stage that fails is in /run, on each console in one line, and in the banner; mended, all of it goes', async () => {
  file('a.yaml', BROKEN);
  await onMachine('holdfast run-stage --boot fs');
  expect(JSON.parse(read('run/holdfast/stages/fs.json'))).toMatchObject({
    stage: 'fs',
    outcome: 'failed',
    failures: [{ line: 3, column: 7, subStage: 'fs.after', name: 'Mine', outputTail: 'PASSWORD=***' }],
  });
  const line = `holdfast: Stage fs: 1 step failed: ${PLACE()}: commands: `;
  for (const name of ['dev/serial-a', 'dev/screen-b']) {
    const lines = read(name).split('\r\n');
    expect([lines.length, lines[0], lines[2]]).toEqual([3, '', '']);
    expect(lines[1]?.startsWith(line)).toBe(true);
  }
  expect(read('run/motd.d/50-holdfast')).toBe(
    `holdfast: Stage fs: 1 step failed: ${PLACE()}\nholdfast: "holdfast status" shows more.\n`,
  );
  expect(await onMachine('holdfast status')).toContain(`FAILED     Stage fs: 1 step failed: ${PLACE()}`);

  file('a.yaml', BROKEN.replace('exit 3', 'exit 0'));
  await onMachine('holdfast run-stage fs');
  expect(JSON.parse(read('run/holdfast/stages/fs.json'))).toMatchObject({ outcome: 'ok', failures: [] });
  expect(readdirSync(join(directory, 'run/motd.d'))).toEqual([]);
  expect(await onMachine('holdfast status')).toContain('stages     fs: ok\n');
});

it('a stage that fails again in the same way says it once', async () => {
  file('a.yaml', BROKEN);
  await onMachine(
    'holdfast run-stage --boot fs; holdfast run-stage --boot fs; holdfast run-stage fs; holdfast run-stage --boot fs',
  );
  expect(read('dev/serial-a').split('\r\n')).toHaveLength(3);
});

it('by hand nothing is said on the consoles', async () => {
  file('a.yaml', BROKEN);
  await onMachine('holdfast run-stage fs');
  expect([read('dev/serial-a'), existsSync(join(directory, 'run/holdfast/stages/fs.json'))]).toEqual(['', true]);
});

it('a stage that a time limit ends is recorded, with where it was', async () => {
  file('a.yaml', 'stages: {boot: [{name: Hangs, commands: [sleep 300]}]}\n');
  await onMachine(
    ': > out; holdfast run-stage --boot boot > out 2>&1 & until grep -q Hangs out; do sleep 0.1; done; kill -TERM $(sed \'s/.*"pid":\\([0-9]*\\).*/\\1/\' /run/holdfast/stages/boot.json); wait || true',
  );
  expect(JSON.parse(read('run/holdfast/stages/boot.json'))).toMatchObject({ outcome: 'failed' });
  expect(read('dev/serial-a')).toContain('Stage boot did not finish: interrupted');
});

it('while an image is built, nothing is kept, nor for another tree or a plan; a stage of one’s own is in the history alone', async () => {
  file('a.yaml', BROKEN);
  mkdirSync(join(directory, 'tree'));
  await onMachine(
    `holdfast run-stage fs --root ${directory}/tree; holdfast run-stage fs --dry-run; holdfast run-stage mine`,
  );
  expect(readdirSync(join(directory, 'run/holdfast'))).toEqual(['record']);
  const kept = readdirSync(join(directory, 'run/holdfast/record')).filter((name) => name.endsWith('.json'));
  expect(kept.map((name) => JSON.parse(read(`run/holdfast/record/${name}`)))).toMatchObject([
    { kind: 'stage', name: 'mine', outcome: 'skipped' },
  ]);
  rmSync(join(directory, 'run/holdfast'), { recursive: true });
  rmSync(join(directory, 'run/systemd'), { recursive: true });
  await onMachine('holdfast run-stage --boot fs');
  expect(readdirSync(join(directory, 'run')).filter((name) => name !== 'mount')).toEqual([]);
});

it('a console that can’t be written to is a warning, and the stage goes on', async () => {
  file('a.yaml', BROKEN);
  writeFileSync(join(directory, 'tty/console/active'), 'gone\n');
  const result = await onMachine('holdfast run-stage --boot fs 2>&1');
  expect(result).toContain('warning: the console can’t be told: no console could be written to');
});
