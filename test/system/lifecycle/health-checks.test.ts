// Health checks as real programs, and what the init system says, by stand-ins of its commands.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkProbe, findChecks } from '../../../src/lifecycle/health-checks.ts';
import { serviceProbes } from '../../../src/lifecycle/service-probes.ts';

let work = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'holdfast-checks-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(work, { recursive: true });
});

const signal = new AbortController().signal;
function program(name: string, text: string, mode = 0o755): string {
  const path = join(work, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}
const look = (path: string, timeoutMs = 10_000) => checkProbe(path, { timeoutMs }).run(60_000, signal);

describe('checks', () => {
  test('are the executable files of the directories, in order', () => {
    program('image/20-b', '');
    program('image/10-a', '');
    program('image/README', 'text', 0o644);
    program('image/.hidden', '');
    mkdirSync(join(work, 'image/directory'));
    symlinkSync(join(work, 'image/10-a'), join(work, 'image/30-link'));
    symlinkSync('/nonexistent', join(work, 'image/40-dangling'));
    program('owner/10-a', '');
    expect(findChecks([join(work, 'none'), join(work, 'image'), join(work, 'owner')])).toEqual({
      checks: ['image/10-a', 'image/20-b', 'image/30-link', 'owner/10-a'].map((name) => join(work, name)),
      notices: ['image/40-dangling', 'image/README'].map(
        (name) => `${join(work, name)} is no executable file and is not run`,
      ),
    });
  });

  test('are run with the argument "check", and status 0 is well', async () => {
    expect(await look(program('c', '#!/bin/sh\n[ "$*" = check ] && [ "$PWD" = / ]\n'))).toEqual({
      ok: true,
      message: '',
    });
  });

  test('that fail are told with their last lines of both streams', async () => {
    const result = await look(program('c', '#!/bin/sh\nseq 1 50\necho "no answer" >&2\nexit 3\n'));
    expect(result).toMatchObject({ ok: false, message: 'its status was 3' });
    expect(result.outputTail?.split('\n')).toHaveLength(20);
    expect(result.outputTail).toMatch(/\n50\nno answer$/);
  });

  test('that hang are ended, with what they started', async () => {
    const result = await look(program('c', '#!/bin/sh\necho waiting\nsleep 1000 & wait\n'), 1000);
    expect(result).toEqual({ ok: false, message: 'it did not end within 1 seconds', outputTail: 'waiting' });
  });

  test('that were killed, or can’t be run, have failed', async () => {
    expect(await look(program('killed', '#!/bin/sh\nkill -9 $$\n'))).toMatchObject({
      message: 'it was ended by SIGKILL',
    });
    expect(await look(program('lost', '#!/no/such/shell\n'))).toMatchObject({
      ok: false,
      message: /^it can't be run: /,
    });
  });
});

describe('systemd', () => {
  /** `systemctl` and `journalctl` that answer as told. */
  function systemd(answers: Record<string, string>): void {
    const cases = Object.entries(answers).map(([verb, text]) => `  "${verb}"*) ${text} ;;\n`);
    program('bin/systemctl', `#!/bin/sh\ncase $* in\n${cases.join('')}  *) exit 0 ;;\nesac\n`);
    program('bin/journalctl', '#!/bin/sh\necho "last words of $3"\n');
    vi.stubEnv('PATH', `${join(work, 'bin')}:${process.env['PATH']}`);
    mkdirSync(join(work, 'run/systemd/system'), { recursive: true });
  }
  const probes = (ignore: readonly string[] = []) => serviceProbes(ignore, { run: join(work, 'run') });
  const startup = (remainingMs = 10_000) => probes().startup[0]?.run(remainingMs, signal);
  const units = (ignore: readonly string[] = []) => probes(ignore).rest[0]?.run(10_000, signal);

  test.each(['running', 'degraded'])('%s is up when the default target is', async (word) => {
    systemd({ 'is-system-running --wait': `echo ${word}; [ ${word} = running ]` });
    expect(await startup()).toEqual({ ok: true, message: '' });
    systemd({ 'is-system-running --wait': `echo ${word}`, 'is-active default.target': 'exit 3' });
    expect(await startup()).toEqual({ ok: false, message: 'default.target was not reached' });
  });

  test('maintenance is not up', async () => {
    systemd({ 'is-system-running --wait': 'echo maintenance; exit 1' });
    expect(await startup()).toEqual({ ok: false, message: 'systemd says "maintenance"' });
  });

  test('a boot that doesn’t end is named by its jobs', async () => {
    systemd({
      'is-system-running --wait': 'sleep 1000',
      'list-jobs': 'printf "%s\\n" "12 slow.service start running" "13 multi-user.target start waiting"',
    });
    expect(await startup(1000)).toEqual({
      ok: false,
      message: 'the system was still starting: slow.service, multi-user.target',
    });
  });

  test('failed units are named, with the journal of the first; ignored ones are none', async () => {
    systemd({
      'list-units --state=failed':
        'printf "%s\\n" "old.service loaded failed failed Old" "● new.service loaded failed failed New"',
    });
    expect(await units()).toEqual({
      ok: false,
      message: 'old.service, new.service failed',
      outputTail: 'last words of old.service',
    });
    expect(await units(['old.*'])).toMatchObject({ message: 'new.service failed' });
    expect(await units(['old.service', 'new.service'])).toEqual({ ok: true, message: '' });
  });

  test('no failed unit is well, no answer is not', async () => {
    systemd({});
    expect(await units()).toEqual({ ok: true, message: '' });
    systemd({ 'list-units': 'exit 1' });
    expect(await units()).toEqual({ ok: false, message: 'systemd gives no answer' });
  });
});

test('OpenRC tells what has crashed', async () => {
  mkdirSync(join(work, 'run/openrc'), { recursive: true });
  vi.stubEnv('PATH', `${join(work, 'bin')}:${process.env['PATH']}`);
  const look = () => serviceProbes(['ntpd'], { run: join(work, 'run') }).rest[0]?.run(10_000, signal);
  program('bin/rc-status', '#!/bin/sh\n[ "$1" = --crashed ] && printf " ntpd\\n sshd\\n"\n');
  expect(await look()).toEqual({ ok: false, message: 'sshd crashed' });
  program('bin/rc-status', '#!/bin/sh\nexit 1\n');
  expect(await look()).toEqual({ ok: true, message: '' });
});

test('without an init system only checks count', () => {
  expect(serviceProbes([], { run: work })).toEqual({ startup: [], rest: [] });
});
