// What the owner of a machine wrote to its root survives upgrades: a package by hand, edits, deletions, modes, attributes, a
// file written by dd; conflicts are reported and their losers kept; the system before has exactly what it had; what is
// written between upgrade and reboot comes along; it holds over two upgrades. About seven minutes.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Machine } from '../../lab/machine/machine.ts';
import { ensurePackageRepository } from '../../lab/packages/repository.ts';
import { type PackageServer, servePackages } from '../../lab/packages/server.ts';
import { settledTraces } from '../system/lifecycle/disk-image.ts';
import { CHANGE_FILES, CHANGE_PACKAGES, compareLists, listRoot, MAKE_OBJECTS, MINE } from './overlay-changes.ts';
import { disksOf, makeOverlayDisks } from './overlay-disks.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const traces = await settledTraces();
const LONG = { timeoutMs: 900_000 };
/** On COS_PERSISTENT: what is noted here outlives every root. */
const NOTES = '/usr/local';

let directory: string;
let machine: Machine;
let server: PackageServer;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-carried-'));
  await makeOverlayDisks(directory, log);
  server = await servePackages(await ensurePackageRepository({ log }));
  machine = await Machine.boot({
    disks: disksOf(directory),
    logFile: join(directory, 'console.log'),
    firmware: 'bios',
    memoryMiB: 2048,
    network: 'restricted',
    forwards: [{ address: '10.0.2.100', port: server.port }],
  });
});
afterAll(async () => {
  await machine?.powerCut();
  await server?.close();
  rmSync(directory, { recursive: true, force: true });
});

const guest = (script: string) => machine.runChecked(script, LONG);

/** What runs, and on what. */
async function running(): Promise<{ system: string; overlay: string; slot: string }> {
  const text = await guest(`. /etc/os-release; echo "$PRETTY_NAME"
    grep -h -E '^(used|reason)=' /run/cos/rootoverlay | paste -s -d ' '
    ls /run/cos | grep _mode`);
  const [system = '', overlay = '', slot = ''] = text.split('\n');
  return { system, overlay, slot };
}

async function deliver(): Promise<void> {
  await guest('mkdir -p /run/delivery; mountpoint -q /run/delivery || mount -o ro LABEL=DELIVERY /run/delivery');
}

describe('a root with an overlay', () => {
  test('version 1 runs on it, and its owner changes all kinds of things', async () => {
    await machine.login();
    expect(await running()).toEqual({ system: 'Holdfast demo 1', overlay: 'used=yes', slot: 'active_mode' });
    await guest(MAKE_OBJECTS);
    await guest(CHANGE_FILES);
    await guest(CHANGE_PACKAGES);
    expect(await guest('findmnt -no FSTYPE,OPTIONS /')).toMatch(/^ext4 +rw,/);
    // From here on there is no network: what is carried comes from the machine itself.
    await server.close();
  });

  test('a plan says what version 2 makes of it, and writes nothing', async () => {
    await deliver();
    // But for the record, which says that somebody asked.
    const files = `find /run/initramfs/cos-state -xdev -type f ! -path '*/holdfast/record' -printf '%i %s %T@ %p\\n' | sort
      ls -s /run/initramfs/overlay; findmnt -no OPTIONS /run/initramfs/cos-state`;
    const before = await guest(files);
    const planned = await machine.run('holdfast overlay plan --to oci-layout:/run/delivery/layout:v2', LONG);
    expect(planned.status, planned.stderr).toBe(3);
    expect(await guest(files)).toBe(before);
    for (const path of ['/etc/motd', 'only-in-version-1', 'new-in-version-2']) expect(planned.stdout).toContain(path);
    await machine.putFile(`${NOTES}/plan`, planned.stdout);
  });

  test('version 2 is installed with the changes; what the upgrade says is what the plan said', async () => {
    const { status, stdout, stderr } = await machine.run(
      'holdfast upgrade --system oci-layout:/run/delivery/layout:v2',
      LONG,
    );
    expect(status, stderr).toBe(0);
    for (const path of ['/etc/motd', 'only-in-version-1', 'new-in-version-2']) expect(stdout + stderr).toContain(path);
  });

  test('what is written between the upgrade and the reboot comes along', async () => {
    await guest(`echo late > /etc/late; rm ${MINE}/dangling; chmod 0600 ${MINE}/added; ${listRoot(`${NOTES}/list-1`)}`);
    await machine.reboot(LONG);
    expect(await running()).toEqual({ system: 'Holdfast demo 2', overlay: 'used=yes', slot: 'active_mode' });
    expect(await guest(`cat /etc/late; ls ${MINE}/dangling 2>/dev/null; stat -c %a ${MINE}/added`)).toBe('late\n600\n');
  });

  test('version 2 has every object with its attributes, and the package, and not the one that was removed', async () => {
    await guest(listRoot(`${NOTES}/list-2`));
    const own = (list: string) => `grep -a -F '${MINE}/' ${NOTES}/${list} | grep -a -v ' d [0-7]* '`;
    expect(await guest(`bash -c "diff <(${own('list-1')}) <(${own('list-2')})"; true`)).toBe('');
    expect(await guest('stat -c "%a %U:%G" /usr/bin/dmesg /usr/bin/free')).toBe('750 root:root\n755 daemon:daemon\n');
    expect(await guest('getfattr --only-values -n user.note /usr/bin/lsblk')).toBe('kept');
    expect(await guest('cat /etc/hosts')).toMatch(/^# from version 2\n[\s\S]*\n10\.1\.2\.3 mine\n$/);
    expect(await guest('id alice; cat /home/alice/file')).toMatch(/^uid=1234\(alice\)[\s\S]*alice\n$/);
    expect(await guest('ls -d /etc/issue.net /etc/update-motd.d 2>/dev/null; true')).toBe('');
    expect(await guest('echo | xxd; dpkg --audit; dpkg -s xxd')).toContain('install ok installed\n');
    expect((await machine.run('test -e /usr/bin/less')).status).toBe(1);
    expect(await guest('cat /usr/share/holdfast-demo/version')).toBe('2\n');
  });

  test('conflicts were decided by rule, and the losers are kept', async () => {
    expect(await guest('cat /etc/motd')).toBe('Mine.\n');
    expect(await guest('cat /usr/share/holdfast-demo/new-in-version-2')).toContain('version 1 does not have');
    expect((await machine.run('test -e /usr/share/holdfast-demo/only-in-version-1')).status).toBe(1);
    const conflicts = await guest('holdfast overlay conflicts');
    for (const path of ['/etc/motd', 'only-in-version-1', 'new-in-version-2']) expect(conflicts).toContain(path);
    expect(await guest('grep -r -l -a -x other /run/initramfs/overlay/persist.img.conflicts | wc -l')).toBe('1\n');
    expect(await guest('holdfast status')).toMatch(/overlay/i);
  });
});

describe('the system before', () => {
  test('a rollback shows exactly what was there before the upgrade’s reboot', async () => {
    await guest('holdfast rollback');
    await guest(`echo after > /etc/after; ${listRoot(`${NOTES}/list-2-end`)}`);
    await machine.reboot(LONG);
    expect(await running()).toEqual({ system: 'Holdfast demo 1', overlay: 'used=yes', slot: 'active_mode' });
    await guest(listRoot(`${NOTES}/list-1-again`));
    expect(await guest(compareLists(`${NOTES}/list-1`, `${NOTES}/list-1-again`))).toBe('');
  });

  test('and forward again: version 2 as it was left', async () => {
    await guest('echo old > /etc/only-in-the-old-root; holdfast rollback');
    await machine.reboot(LONG);
    expect(await running()).toEqual({ system: 'Holdfast demo 2', overlay: 'used=yes', slot: 'active_mode' });
    await guest(listRoot(`${NOTES}/list-2-again`));
    expect(await guest(compareLists(`${NOTES}/list-2-end`, `${NOTES}/list-2-again`))).toBe('');
  });
});

describe('the next upgrade', () => {
  test('version 3 has the edits of both generations', async () => {
    await deliver();
    await guest('echo second > /etc/second');
    await guest('holdfast upgrade --system oci-layout:/run/delivery/layout:v3 >&2');
    await machine.reboot(LONG);
    expect(await running()).toEqual({ system: 'Holdfast demo 3', overlay: 'used=yes', slot: 'active_mode' });
    expect(await guest('cat /etc/late /etc/after /etc/second /etc/motd')).toBe('late\nafter\nsecond\nMine.\n');
    expect(await guest(`sha256sum ${MINE}/written-by-dd | cut -d' ' -f1`)).toBe(
      await guest(`grep -a ' ${MINE}/written-by-dd$' ${NOTES}/list-1 | cut -d' ' -f1`),
    );
    expect(await guest('echo | xxd; dpkg --audit')).toMatch(/^00000000: 0a +\.\n$/);
    expect((await machine.run('test -e /etc/only-in-the-old-root')).status).toBe(1);
    // That of version 1 is in no slot any more, and is kept for a month.
    const cows = 'ls /run/initramfs/overlay | grep -c -E "^persist.img(.[0-9a-f]{16})?.bind$"';
    expect(await guest(cows)).toBe('3\n');
  });

  test('changes that stop the machine at every start are left out at last', async () => {
    // Else the trial of version 3 would end here, in version 2.
    await guest(
      'until [ -e /run/holdfast/assessed ]; do sleep 1; done; while systemctl is-active -q holdfast-assess; do sleep 1; done',
    );
    await guest(`mv /usr/lib/systemd/systemd /usr/lib/systemd/systemd.away
      printf '#!/bin/sh\nmount -t proc proc /proc\necho b > /proc/sysrq-trigger\nsleep 60\n' > /usr/lib/systemd/systemd
      chmod 755 /usr/lib/systemd/systemd
      echo 2 > "$(sed -n 's/^file=//p' /run/cos/rootoverlay).tries"; sync`);
    // The third try restarts the machine by itself.
    await machine.reset();
    await machine.waitFor(/3 boots with [^ ]+ in a row did not come up/, { timeoutMs: LONG.timeoutMs });
    await machine.loginAgain(LONG);
    const overlay = 'used=no reason=too-many-tries';
    expect(await running()).toEqual({ system: 'Holdfast demo 3', overlay, slot: 'active_mode' });
    expect((await machine.run('touch /usr/mine')).status).toBe(1);
    expect(await guest('holdfast status')).toContain('in a row did not come up');
  });

  test('the machine shuts down in order', async () => {
    await machine.powerOff();
    expect(await settledTraces()).toEqual(traces);
  });
});
