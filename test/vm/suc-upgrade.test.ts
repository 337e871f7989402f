// A node is upgraded by pods that a real OCI runtime starts as the System Upgrade Controller has them started: a killed pod, a
// good image, the pods after it, an image whose health check fails, so that the machine goes back by itself, says why and
// refuses it, and a good one from the fallback, which stays as it is. About six minutes, five boots.

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeDelivery } from '../../lab/demo/delivery.ts';
import { installDemo } from '../../lab/demo/installed.ts';
import { ensureExecutable } from '../../lab/executable.ts';
import { type ApiServer, startApiServer } from '../../lab/kubernetes/api-server.ts';
import { endOfPod, type PodWish, startPod } from '../../lab/kubernetes/upgrade-pod.ts';
import { Machine } from '../../lab/machine/machine.ts';
import { runChecked } from '../../src/system/process.ts';
import { settledTraces } from '../system/lifecycle/disk-image.ts';

const NODE = 'node-1';
const API = '10.0.2.100';
const STATE = '/run/initramfs/cos-state';
const IMAGES = '/run/images';
const POD = { nodeName: NODE, planName: 'os' };
const TWO = { ...POD, layers: [`${IMAGES}/v2`], hash: 'hash-of-v2', version: '2.0' };
/** A system that boots well, and whose own check says that it is of no use. */
const THREE = { ...POD, layers: [`${IMAGES}/v3`, `${IMAGES}/v2`], hash: 'hash-of-v3', version: '3.0' };
const FOUR = { ...POD, layers: [`${IMAGES}/v4`, `${IMAGES}/v2`], hash: 'hash-of-v4', version: '4.0' };
const CHECK = '#!/bin/sh\necho "asked with $1"\necho "the database does not answer" >&2\nexit 4\n';
const osRelease = (name: string) => `NAME="Holdfast demo"\nPRETTY_NAME="${name}"\nID=holdfast-demo\n`;

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const before = await settledTraces();
let directory: string;
let machine: Machine;
let api: ApiServer;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-suc-upgrade-'));
  const disk = join(directory, 'disk.img');
  const delivery = join(directory, 'delivery.img');
  const demo = await installDemo(disk, { log });
  const images = join(directory, 'images');
  mkdirSync(images);
  await runChecked([await ensureExecutable(log), 'pull', `oci-layout:${demo.layout}:v2`, join(images, 'v2')]);
  const put = (path: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(images, path)), { recursive: true });
    writeFileSync(join(images, path), text);
    chmodSync(join(images, path), mode);
  };
  put('v3/usr/lib/os-release', osRelease('Holdfast demo useless'));
  put('v3/etc/holdfast/health.d/50-database', CHECK, 0o755);
  put('v3/etc/holdfast/assessment.yaml', 'tries: 2\ninterval: 2\n');
  put('v4/usr/lib/os-release', osRelease('Holdfast demo 4'));
  copyFileSync('/usr/sbin/runc', join(images, 'runc'));
  put('room-for-the-upper-layers', '\0'.repeat(32 << 20));
  await makeDelivery(images, delivery);
  rmSync(images, { recursive: true });
  api = await startApiServer(join(directory, 'api'), { node: NODE, addresses: [API] });
  machine = await Machine.boot({
    disks: [
      { file: disk, serial: 'system' },
      { file: delivery, serial: 'delivery' },
    ],
    logFile: join(directory, 'console.log'),
    network: 'restricted',
    forwards: [{ address: API, guestPort: 443, port: api.port }],
  });
});
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  const logs = await machine.run('tail -n 40 /run/pods/*/log', { timeoutMs: 60_000 }).catch(() => undefined);
  log(`${logs?.stdout ?? ''}\n${machine.consoleTail(60)}`);
});
afterAll(async () => {
  await machine?.powerCut();
  await api?.close();
  rmSync(directory, { recursive: true, force: true });
});

const start = async (name: string, wish: Omit<PodWish, 'name' | 'api'>) => {
  await machine.runChecked(
    `mountpoint -q ${IMAGES} || { mkdir -p ${IMAGES}; mount LABEL=DELIVERY ${IMAGES}; rm -f ${IMAGES}/room*; }`,
  );
  const access = { host: API, port: 443, authority: api.authority, token: api.token };
  await startPod(machine, `${IMAGES}/runc`, `${IMAGES}/upper`, { ...wish, name, api: access });
};
const ended = (name: string) => endOfPod(machine, name, { timeoutMs: 300_000 });
const run = async (name: string, wish: Omit<PodWish, 'name' | 'api'>) => {
  await start(name, wish);
  return ended(name);
};
const release = () => machine.runChecked('. /etc/os-release; echo "$PRETTY_NAME"');
const note = (name: string) => api.annotations[`upgrade.holdfast.io/${name}`];
/** What an upgrade changes, and what one that was killed leaves. */
const slots = () =>
  machine.runChecked(
    `cd ${STATE}; stat -c '%n %i %s %Y' cOS/active.img cOS/passive.img; sha256sum state.yaml; ls cOS; losetup -nlO BACK-FILE | sort; ls /run/holdfast | grep -E '^[a-z-]+-[0-9]+$' || true`,
  );

const block = () =>
  machine.runChecked(
    `grub-editenv ${STATE}/boot_assessment list || holdfast grubenv get --file ${STATE}/boot_assessment`,
  );
const passiveFile = () =>
  machine.runChecked(`stat -c '%i %s %Y' ${STATE}/cOS/passive.img; blkid -p -s UUID -o value ${STATE}/cOS/passive.img`);

describe('a pod of the System Upgrade Controller', () => {
  test('that is killed while it builds leaves what the next one takes away; a second one beside it does no harm', async () => {
    await machine.login();
    // A boot that nobody assesses pays nothing for it.
    expect(await machine.runChecked('cat /proc/cmdline')).not.toContain('holdfast.assess');
    expect(
      await machine.runChecked('systemctl show -p ConditionResult --value holdfast-assess holdfast-assess-deadline'),
    ).toMatch(/^no\n+no\n$/);
    await start('killed', TWO);
    await machine.runChecked(`until [ -e ${STATE}/cOS/transition.img ]; do sleep 1; done`, { timeoutMs: 300_000 });
    const second = await run('beside', TWO);
    expect(second).toMatchObject({ status: 92 });
    expect(second.message).toMatch(/another action is running: suc-upgrade: 2\.0 \(plan os\)/);
    await machine.runChecked(`${IMAGES}/runc kill killed KILL`);
    expect((await ended('killed')).status).not.toBe(0);
    expect(await machine.runChecked(`ls ${STATE}/cOS`)).toContain('transition.img');
  });

  test('upgrades its node to its own root and restarts it, and never ends well before that', async () => {
    const resets = machine.resets;
    await start('good', TWO);
    await machine.waitForReset(resets, { timeoutMs: 900_000 });
    expect(note('outcome')).toBe('rebooting');
    await machine.loginAgain();
    expect(await release()).toBe('Holdfast demo 2\n');
    const state = await machine.runChecked(`cat ${STATE}/state.yaml`);
    expect(state).toContain('source: container:2.0');
    expect(state).toContain('id: hash-of-v2');
    // What the runtime mounts into the container is not of the image, and this machine's own files are not the pod's.
    expect(await machine.runChecked('cat /etc/hostname; cat /etc/hosts; ls -A /opt')).toBe(
      'holdfast-demo\n127.0.0.1 localhost\n127.0.1.1 holdfast-demo\n::1 localhost ip6-localhost\n',
    );
    expect(await machine.runChecked(`ls ${STATE}/cOS`)).not.toContain('transition');
  });

  test('is done when its node runs what it stands for, however often it is asked, and by FORCE as well', async () => {
    const first = await run('again', TWO);
    expect(first).toMatchObject({ status: 0, message: expect.stringContaining('this node runs') });
    expect(first.log).toMatch(/^Update to date with\n.*PRETTY_NAME="Holdfast demo 2"/m);
    const untouched = await slots();
    expect(await run('forced', { ...TWO, envs: { FORCE: 'true' } })).toMatchObject({ status: 0 });
    expect(await run('other-round', { ...TWO, hash: 'hash-of-v2-again' })).toMatchObject({ status: 0 });
    expect(await slots()).toBe(untouched);
    expect(note('outcome')).toBe('done');
    expect(note('version')).toBe('2.0');
  });

  let resets = 0;
  test('brings an image that boots and fails its check', async () => {
    resets = machine.resets;
    await start('useless', THREE);
    await machine.waitForReset(resets, { timeoutMs: 900_000 });
    expect(note('outcome')).toBe('rebooting');
    expect(note('version')).toBe('3.0');
  });

  let passive = '';
  test('finds its node gone back by itself, which says why', async () => {
    await machine.waitForReset(resets + 1, { timeoutMs: 600_000 });
    const told = readFileSync(machine.logFile, 'utf8').match(/holdfast: The new system did not prove.*/g);
    expect(told?.[0]).toContain('the check /etc/holdfast/health.d/50-database failed (its status was 4)');
    await machine.loginAgain();
    expect(await release()).toBe('Holdfast demo 2\n');
    expect(await machine.runChecked('cat /proc/cmdline')).toMatch(/passive\.img.* upgrade_failure$/m);
    await machine.runChecked('systemctl is-system-running --wait');
    expect(await machine.runChecked('stat -c %a /run/cos/upgrade_failure; cat /run/cos/upgrade_failure')).toBe(
      '600\n1',
    );
    expect(await block()).toMatch(/^boot_assessment_failed=[0-9a-f-]{36}$/m);
    expect(await block()).not.toMatch(/=yes$/m);
    const status = await machine.runChecked('holdfast status');
    expect(status).toMatch(/^booted +passive$/m);
    expect(status).toMatch(/^FALLBACK .*Holdfast demo useless.*50-database failed/m);
    expect(status).toContain('| the database does not answer');
    expect(status).toContain('| asked with check');
    expect(await machine.runChecked('cat /etc/issue.d/*.issue')).toContain('This machine runs its fallback since');
    const record = JSON.parse(await machine.runChecked(`cat ${STATE}/boot_assessment.json`));
    expect(record).toEqual({ failed: [expect.objectContaining({ name: 'Holdfast demo useless' })] });
    passive = await passiveFile();
  });

  test('refuses that image from then on without a restart, and says why where the controller and people look', async () => {
    const untouched = await slots();
    // What FORCE does not get is not to be had without it.
    const pod = await run('after-force', { ...THREE, envs: { FORCE: 'true' } });
    expect(pod.status).toBe(97);
    expect(pod.message).toMatch(/^3\.0 \(plan os\) did not prove itself on this node on 20.*50-database failed/);
    expect(pod.message).toContain('HOLDFAST_RETRY_FAILED');
    expect(await slots()).toBe(untouched);
    expect(note('outcome')).toBe('refused');
    expect(note('reason')).toContain('50-database failed');
    expect(api.requests.every(({ by, status }) => by === 'token' && status === 200)).toBe(true);
    expect(await machine.runChecked(`cat /run/pods/*/log /run/pods/*/termination-log`)).not.toContain(api.token);
  });

  test('brings a good one from the fallback, which stays as it is, and the new system proves itself', async () => {
    resets = machine.resets;
    await start('better', FOUR);
    await machine.waitForReset(resets, { timeoutMs: 900_000 });
    await machine.loginAgain();
    expect(await release()).toBe('Holdfast demo 4\n');
    expect(await passiveFile()).toBe(passive);
    expect(await machine.runChecked('cat /proc/cmdline')).toContain('holdfast.assess=trial');
    await machine.runChecked('until [ -e /run/holdfast/assessed ]; do sleep 1; done');
    await machine.runChecked('while systemctl is-active -q holdfast-assess; do sleep 1; done');
    expect(await block()).toBe('enable_boot_assessment=\nboot_assessment_tentative=\n');
    expect(await machine.runChecked(`findmnt -no OPTIONS ${STATE}`)).toMatch(/^ro,/);
    const status = await machine.runChecked('holdfast status');
    expect(status).toMatch(/^assessed +this system has proved on 20.* that it works/m);
    expect(status).not.toMatch(/FALLBACK|FAILED|PROBLEM/);
    expect(await machine.runChecked('systemctl --failed --no-legend --plain')).toBe('');
    await machine.powerOff();
    expect(await settledTraces()).toEqual(before);
  });
});
