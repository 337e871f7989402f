// The units that an image gets, looked at by systemd's own tools beside the units of this host's systemd: nothing in them
// is worth a remark, they are enabled where they belong, and the names of Elemental lead to them. Takes a few seconds.

import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OS_FILES } from '../../../src/boot/os-files.generated.ts';
import { run } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';

const UNITS = '/usr/lib/systemd/system';
/** Run in the initramfs, which has other targets and programs. */
const OF_THE_INITRAMFS = /cos-setup-(pre-rootfs|rootfs|initramfs)|cos-immutable-rootfs|holdfast-slot/;
let tree: string;

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'holdfast-units-'));
  cpSync(UNITS, join(tree, UNITS), { recursive: true, verbatimSymlinks: true });
  const root = new Root(tree);
  for (const [path, file] of Object.entries(OS_FILES)) {
    if ('link' in file) root.link(path, file.link);
    else {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), file.text, { mode: file.mode });
    }
  }
  for (const program of ['usr/bin/holdfast', 'usr/sbin/sshd']) {
    mkdirSync(dirname(join(tree, program)), { recursive: true });
    writeFileSync(join(tree, program), '#!/bin/sh\n');
    chmodSync(join(tree, program), 0o755);
  }
});
afterAll(() => rmSync(tree, { recursive: true }));

const verify = async (...units: string[]) => {
  const result = await run(['systemd-analyze', 'verify', `--root=${tree}`, '--man=no', ...units]);
  return result.stdout + result.stderr;
};
const ours = Object.keys(OS_FILES)
  .filter((path) => /^\/usr\/lib\/systemd\/system\/[^/]+\.(service|timer)$/.test(path) && !OF_THE_INITRAMFS.test(path))
  .map((path) => path.slice(UNITS.length + 1));

test('what enables a unit or a service is a link, however it was checked out', () => {
  const enabling = Object.entries(OS_FILES).filter(([path]) => /\.wants\/|\/runlevels\//.test(path));
  expect(enabling.length).toBeGreaterThan(10);
  expect(enabling.filter(([, file]) => !('link' in file))).toEqual([]);
});

test('systemd has nothing to say about them, nor about a server that waits for its keys', async () => {
  expect(ours).toEqual(expect.arrayContaining(['cos-setup-fs.service', 'cos-setup-reconcile.timer']));
  expect(await verify(...ours, 'ssh.service')).toBe('');
});

test('and would, if there were anything', async () => {
  const file = join(tree, UNITS, 'broken.service');
  writeFileSync(
    file,
    readFileSync(join(tree, UNITS, 'cos-setup-fs.service'), 'utf8').replace('TimeoutStartSec', 'Timout'),
  );
  expect(await verify('broken.service')).toContain("'Timout'");
  rmSync(file);
});

test.each([
  ['cos-setup-fs.service', 'enabled', 'sysinit.target'],
  ['cos-setup-boot.service', 'enabled', 'multi-user.target'],
  ['cos-setup-network.service', 'enabled', 'multi-user.target'],
  // Not by itself: it would run a first time long before the five minutes are over.
  ['cos-setup-reconcile.service', 'static', undefined],
  ['cos-setup-reconcile.timer', 'enabled', 'multi-user.target'],
  ['holdfast-overlay-booted.service', 'enabled', 'multi-user.target'],
])('%s is %s', async (unit, state, target) => {
  expect((await run(['systemctl', `--root=${tree}`, 'is-enabled', unit])).stdout.trim()).toBe(state);
  const wanted = Object.keys(OS_FILES).filter((path) => path.endsWith(`.wants/${unit}`));
  expect(wanted).toEqual(target === undefined ? [] : [`/etc/systemd/system/${target}.wants/${unit}`]);
});

test.each(['fs.service', 'boot.service', 'network.service', 'reconcile.service', 'reconcile.timer'])(
  'elemental-setup-%s is another name',
  async (unit) => {
    expect((await run(['systemctl', `--root=${tree}`, 'is-enabled', `elemental-setup-${unit}`])).stdout.trim()).toBe(
      'alias',
    );
    expect(OS_FILES[`${UNITS}/elemental-setup-${unit}`]).toEqual({ link: `cos-setup-${unit}` });
  },
);

test.each<[string, readonly string[]]>([
  ['fs', ['DefaultDependencies=no', 'After=local-fs.target', 'Before=sysinit.target', 'TimeoutStartSec=5min']],
  ['boot', ['Before=getty.target', 'TimeoutStartSec=30min', 'RemainAfterExit=yes']],
  ['network', ['Wants=network-online.target', 'After=network-online.target', 'Nice=19', 'KillMode=process']],
  ['reconcile', ['Nice=19', 'KillMode=process', 'KillSignal=SIGINT', 'TimeoutStopSec=180']],
])('the unit of stage %s says what the contract says', (stage, lines) => {
  const text = readFileSync(join(tree, UNITS, `cos-setup-${stage}.service`), 'utf8').split('\n');
  expect(text).toEqual(expect.arrayContaining([...lines, `ExecStart=/usr/bin/holdfast run-stage --boot ${stage}`]));
});

test('reconcile runs 5 minutes after the boot and then every 60', () => {
  expect(readFileSync(join(tree, UNITS, 'cos-setup-reconcile.timer'), 'utf8').split('\n')).toEqual(
    expect.arrayContaining(['OnBootSec=5min', 'OnUnitActiveSec=60min', 'WantedBy=multi-user.target']),
  );
});
