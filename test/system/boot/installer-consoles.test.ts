// Where the installer stands in for the login: on which consoles, by which units, and how the login comes back.

import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../../../src/system/process.ts';

const SCRIPT = resolve('os/usr/lib/holdfast/installer-consoles');
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-consoles-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** @param consoles as /sys/class/tty/console/active has them. */
async function consoles(active: string): Promise<string[]> {
  const file = join(directory, 'active');
  writeFileSync(file, `${active}\n`);
  const env = { ...process.env, HOLDFAST_UNITS: join(directory, 'units'), HOLDFAST_CONSOLES: file };
  expect((await run(['sh', SCRIPT], { env })).status).toBe(0);
  const wants = join(directory, 'units/getty.target.wants');
  return existsSync(wants) ? readdirSync(wants).sort() : [];
}

/** This host's terminals; a console that isn't there gets nothing. */
const has = (tty: string) => existsSync(`/dev/${tty}`);

test('the screen and each console of the kernel that is there', async () => {
  const wanted = ['tty1', 'ttyS0'].filter(has).map((tty) => `holdfast-installer@${tty}.service`);
  expect(await consoles('tty0 ttyS0 ttyS99')).toEqual(wanted);
  for (const unit of wanted) {
    expect(readlinkSync(join(directory, 'units/getty.target.wants', unit))).toBe(
      '/usr/lib/systemd/system/holdfast-installer@.service',
    );
  }
});

test('the login of a console waits until the installer is left', async () => {
  // A device that every host has, and that no login has ever been on.
  expect(await consoles('null')).toContain('holdfast-installer@null.service');
  expect(readFileSync(join(directory, 'units/serial-getty@null.service.d/50-holdfast-installer.conf'), 'utf8')).toBe(
    '[Unit]\nConditionPathExists=/run/holdfast/installer-left/null\n',
  );
});

test('no name leads out of the directory', async () => {
  expect(await consoles('../x a/b $(id) ;')).toEqual(
    ['tty1'].filter(has).map((tty) => `holdfast-installer@${tty}.service`),
  );
  expect((await run(['sh', SCRIPT, 'leave', '../../etc/x'])).status).toBe(1);
});

test('leaving starts the login that was there', async () => {
  const called = join(directory, 'called');
  writeFileSync(join(directory, 'systemctl'), `#!/bin/sh\necho "$@" >> ${called}\n`);
  chmodSync(join(directory, 'systemctl'), 0o755);
  const env = { ...process.env, PATH: `${directory}:${process.env.PATH}`, HOLDFAST_LEFT: join(directory, 'left') };
  for (const tty of ['tty1', 'ttyS0', 'hvc0']) await run(['sh', SCRIPT, 'leave', tty], { env });
  expect(readFileSync(called, 'utf8')).toBe(
    '--no-block start getty@tty1.service\n--no-block start serial-getty@ttyS0.service\n--no-block start serial-getty@hvc0.service\n',
  );
  expect(readdirSync(join(directory, 'left')).sort()).toEqual(['hvc0', 'tty1', 'ttyS0']);
});
