// The script that watches the time of a trial, in both shells, with stand-ins for what restarts the machine.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../../src/system/process.ts';

const SCRIPT = join(import.meta.dirname, '../../../os/usr/lib/holdfast/assess-deadline');
const SHELLS = ['dash', 'bash'];

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-deadline-'));
  put('proc/cmdline', 'root=x holdfast.assess=trial\n');
  put('proc/uptime', '12.34 20.00\n');
  // It says how long it was asked to wait, and waits for nothing.
  for (const program of ['sleep', 'systemctl', 'reboot'])
    put(`bin/${program}`, `#!/bin/sh\necho ${program} "$@" >> "${root}/calls"\n`, 0o755);
  put('usr/bin/holdfast', `#!/bin/sh\necho holdfast "$@" >> "${root}/calls"\n`, 0o755);
  mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  chmodSync(join(root, path), mode);
}
const read = (path: string) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '');
const calls = () => read('calls').trim().split('\n');

async function start(shell: string, verb: string): Promise<number | null> {
  rmSync(join(root, 'calls'), { force: true });
  const env = { ...process.env, HOLDFAST_ROOT: root, PATH: `${join(root, 'bin')}:${process.env['PATH']}` };
  const result = await run([shell, SCRIPT, verb], { env, timeoutMs: 20_000 });
  expect(result.stderr).toBe('');
  return result.status;
}

describe.each(SHELLS)('%s', (shell) => {
  test('without a verdict in time the machine restarts, however it can', async () => {
    await start(shell, 'begin');
    expect(read('run/holdfast/assess-deadline')).toBe('612\n');
    expect(existsSync(join(root, 'run/holdfast/assess-expired'))).toBe(true);
    expect(calls()).toEqual([
      'sleep 660',
      'holdfast assess --expired',
      'sleep 60',
      'systemctl --force reboot',
      'sleep 60',
      'systemctl --force --force reboot',
    ]);
  });

  test('also when holdfast can’t be run', async () => {
    rmSync(join(root, 'usr/bin/holdfast'));
    put('usr/bin/holdfast', '#!/bin/sh\nexit 1\n', 0o755);
    await start(shell, 'begin');
    expect(calls()).toContain('systemctl --force reboot');
  });

  test('where systemd doesn’t run as well', async () => {
    rmSync(join(root, 'run/systemd'), { recursive: true });
    await start(shell, 'begin');
    expect(calls().slice(2)).toEqual(['reboot', 'sleep 60', 'reboot -f']);
  });

  test('a system that has proved itself goes on', async () => {
    put('run/holdfast/assessed', '');
    expect(await start(shell, 'begin')).toBe(0);
    expect(calls()).toEqual(['sleep 660']);
  });

  test.each([
    ['timeout: 120', '', '', '132'],
    ['timeout: 120', 'timeout:   90   # mine', '', '102'],
    ['timeout: 120', 'timeout: 90', 'holdfast.assesstimeout=60', '72'],
    ['timeout: 5', 'timeout: soon', 'holdfast.assesstimeout=x', '612'],
    ['# timeout: 120\n  timeout: 100\nother: 1', '', 'holdfast.assesstimeout=999999', '612'],
    ['tries: 3\ntimeout: 86400', '', '', '86412'],
  ])('image %j, owner %j, kernel %j: over at %s', async (image, owner, words, expected) => {
    put('etc/holdfast/assessment.yaml', `${image}\n`);
    if (owner !== '') put('oem/holdfast/assessment.yaml', `${owner}\n`);
    put('proc/cmdline', `${words} holdfast.assess=trial\n`);
    await start(shell, 'begin');
    expect(read('run/holdfast/assess-deadline')).toBe(`${expected}\n`);
  });

  test.each([
    ['holdfast.assess=trial', 0],
    ['a holdfast.assess=trial b', 0],
    ['holdfast.assess=off holdfast.assess=trial', 1],
    ['holdfast.assess=retry', 1],
    ['xholdfast.assess=trial', 1],
    ['', 1],
  ])('%j is watched: %s', async (words, status) => {
    put('proc/cmdline', `${words}\n`);
    expect(await start(shell, 'needed')).toBe(status);
  });
});
