// The scripts with foreign names, run as they are in images by dash and bash, on a real disk image with the real
// executable: what they print, their exit status, and what is on the disk afterwards.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { readGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import { type RunResult, run } from '../../../src/system/process.ts';
import { DiskImage, machineTraces, slotText, writeToExt4 } from '../lifecycle/disk-image.ts';
import { BOOT_FILES, osRelease, TinyImages } from '../lifecycle/tiny-image.ts';

const ALL = ['COS_STATE', 'COS_RECOVERY', 'COS_OEM', 'COS_PERSISTENT'];
const FAILING = 'stages:\n  after-upgrade-chroot:\n    - name: mine\n      commands: ["cat /no/such/file"]\n';

let executable: string;
let directory: string;
let logfile: string;
let images: TinyImages;
let disk: DiskImage;

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
  directory = mkdtempSync(join(tmpdir(), 'holdfast-compat-'));
  logfile = join(directory, 'elemental.log');
  images = new TinyImages();
  const base = { name: 'base', files: { ...BOOT_FILES, ...osRelease(1) } };
  await images.add('v1', [base]);
  await images.add('v2', [base, { name: 'second', files: osRelease(2) }]);
  await images.add('v3', [base, { name: 'third', files: osRelease(3) }]);
  disk = DiskImage.create(4096);
});
afterAll(() => {
  images?.remove();
  disk?.remove();
  if (directory !== undefined) rmSync(directory, { recursive: true });
});

const image = (tag: string) => `oci-layout:${images.layout}:${tag}`;

/** Runs a script of os/usr by its path there, with the executable that was just built. */
function call(shell: 'dash' | 'bash', path: string, argv: readonly string[], env = {}): Promise<RunResult> {
  const text = readFileSync(new URL(`../../../os/usr/${path}`, import.meta.url), 'utf8');
  const script = join(directory, 'script');
  writeFileSync(script, text.replace('/usr/bin/holdfast', executable));
  return run([shell, script, ...argv], { env: { ...process.env, ...env } });
}

/** The same beside the partitions of the disk, as on a live medium, with a stage file in its /oem. */
function onMachine(shell: 'dash' | 'bash', path: string, argv: readonly string[], oem?: string, env = {}) {
  return disk.withPartitions(ALL, async (devices) => {
    if (oem !== undefined) await writeToExt4(disk, devices['COS_OEM'] ?? '', 'mine.yaml', oem);
    return call(shell, path, argv, env);
  });
}

function expectWords(text: string, words: readonly string[]): void {
  for (const word of words) expect(text).toContain(word);
}

const releaseOf = (slot: 'active' | 'passive') =>
  disk.withMounted('COS_STATE', (state) => slotText(state, slot, '/etc/os-release'));

test('cos-installer installs, says what it always said, and logs it', async () => {
  const before = machineTraces();
  const config = join(directory, 'config.yaml');
  writeFileSync(config, 'name: Mine\nstages: {}\n');
  const argv = ['--docker-image', image('v1'), '--config', config, '--logfile', logfile, disk.file];
  const { status, stdout } = await call('dash', 'sbin/cos-installer', argv);
  expectWords(stdout, [
    'Starting elemental version',
    'Running before-install hook',
    'Partitioning device...',
    'Mounting disk partitions',
    'Copying COS_ACTIVE image...',
    'Finished copying COS_ACTIVE...',
    'Installing GRUB..',
    'Copying COS_PASSIVE image...',
    'Running after-install hook',
    'Unmounting disk partitions',
    'Installation completed',
  ]);
  expect(status).toBe(0);
  expect(readFileSync(logfile, 'utf8')).toBe(stdout);
  expect(statSync(logfile).mode & 0o777).toBe(0o600);
  expect(machineTraces()).toEqual(before);
  await disk.withMounted('COS_OEM', (oem) => {
    expect(readFileSync(join(oem, '99_custom.yaml'), 'utf8')).toBe('name: Mine\nstages: {}\n');
  });
});

test.each([
  ['sbin/cos-installer', 1],
  ['bin/elemental install', 57],
])('%s refuses a disk with a system, with status %i', async (command, expected) => {
  const [path = '', ...verb] = command.split(' ');
  const { status, stdout } = await call('bash', path, [...verb, '--docker-image', image('v1'), disk.file]);
  expect(stdout).toContain("there is already an active deployment in the system, use '--force' flag to overwrite it");
  expect(status).toBe(expected);
});

test('elemental upgrade as of May 2022', async () => {
  const { status, stdout } = await onMachine('bash', 'bin/elemental', ['upgrade', '--docker-image', image('v2')]);
  expectWords(stdout, ['Upgrading active partition', 'Running after-upgrade-chroot hook', 'Upgrade completed']);
  expect(stdout).not.toContain('with warnings');
  expect(status).toBe(0);
  expect(await releaseOf('active')).toContain('Tiny 2');
  // Not booted from it: the passive system stays.
  expect(await releaseOf('passive')).toContain('Tiny 1');
});

test('cos-upgrade goes on when a hook fails, and says at its end that it did', async () => {
  const argv = ['--docker-image', `--logfile=${logfile}`, image('v3')];
  const { status, stdout } = await onMachine('dash', 'sbin/cos-upgrade', argv, FAILING);
  expectWords(stdout, [
    'Upgrading system',
    '-> Upgrade target: active.img',
    'cat: /no/such/file',
    'Upgrade completed with warnings (1)',
    'Upgrade done, now you might want to reboot',
  ]);
  expect(status).toBe(0);
  expect(await releaseOf('active')).toContain('Tiny 3');
});

test.each([
  ['sbin/cos-upgrade', [], {}, 1],
  ['bin/elemental', ['upgrade'], {}, 39],
  ['bin/elemental', ['upgrade'], { ELEMENTAL_STRICT: 'true' }, 39],
])('%s %j %j refuses a failing hook when it is strict, with status %i', async (path, verb, env, expected) => {
  const strict = Object.keys(env).length === 0 ? ['--strict'] : [];
  const argv = [...verb, '--logfile', logfile, '--docker-image', image('v1'), ...strict];
  const { status, stdout } = await onMachine('dash', path, argv, FAILING, env);
  expectWords(stdout, ['hook after-upgrade-chroot: step "mine" at /oem/mine.yaml:3 failed in commands', 'HF-HOOK']);
  expect(stdout).not.toContain('Upgrade completed');
  expect(status).toBe(expected);
  expect(await releaseOf('active')).toContain('Tiny 3');
});

test.each([
  ['bin/elemental', ['upgrade', '--recovery', '--docker-image'], 'v2', 'Tiny 3', 'Upgrade completed'],
  ['sbin/cos-upgrade', ['--recovery', '--docker-image'], 'v1', 'Tiny 3', '-> Upgrade target: recovery.img'],
  ['bin/elemental', ['upgrade-recovery', '--recovery-system.uri'], 'v2', 'Tiny 3', 'Recovery upgrade completed'],
  // Version 2 spells it so, and means both.
  ['bin/elemental', ['upgrade', '--recovery', '--system'], 'v1', 'Tiny 1', 'Recovery upgrade completed'],
] as const)('%s %j upgrades the recovery system to %s, and active is %s', async (path, verb, tag, active, words) => {
  const before = machineTraces();
  const { status, stdout } = await onMachine('dash', path, [...verb, image(tag), '--logfile', logfile], 'stages: {}\n');
  expectWords(stdout, ['Upgrading recovery partition', 'Copying COS_SYSTEM image...', words]);
  expect(status).toBe(0);
  expect(await releaseOf('active')).toContain(active);
  await disk.withMounted('COS_RECOVERY', async (recovery) => {
    expect(await slotText(recovery, 'recovery', '/etc/os-release')).toContain(`Tiny ${tag.slice(1)}`);
  });
  expect(machineTraces()).toEqual(before);
});

test('with --quiet nothing is printed but what goes wrong', async () => {
  expect(
    await call('dash', 'bin/elemental', ['--quiet', 'install', '/no/such/disk', '--system', image('v1')]),
  ).toMatchObject({
    status: 47,
    stdout: '',
    stderr: expect.stringContaining('/no/such/disk does not exist'),
  });
});

test('cos-rebrand names the menu’s entry as the settings do', async () => {
  const env = { GRUB_ENTRY_NAME: 'My system' };
  expect(await onMachine('bash', 'sbin/cos-rebrand', [], undefined, env)).toMatchObject({
    status: 0,
    stdout: 'The menu title is My system\n',
  });
  await disk.withMounted('COS_STATE', (state) => {
    const file = join(state, 'grub_oem_env');
    expect(readGrubEnvironment(file).get('default_menu_entry')).toBe('My system');
    expect(statSync(file).size).toBe(1024);
  });
});

test('yip runs the stage of a file, and fails when a step does', async () => {
  const file = join(directory, 'stage.yaml');
  const mark = join(directory, 'mark');
  writeFileSync(file, `stages: {test: [{commands: ["echo well > ${mark}"]}], bad: [{commands: ["false"]}]}\n`);
  expect((await call('dash', 'bin/yip', ['-s', 'test', file])).status).toBe(0);
  expect(readFileSync(mark, 'utf8')).toBe('well\n');
  expect((await call('dash', 'bin/yip', ['-s', 'bad', file])).status).toBe(1);
  expect((await call('bash', 'bin/elemental', ['cloud-init', '-s', 'bad', file])).status).toBe(65);
});

test('cos-setup runs a stage of this machine, and elemental run-stage fails for it only when it is strict', async () => {
  const file = join(directory, 'own.yaml');
  writeFileSync(file, 'stages: {holdfast-test: [{commands: ["false"]}]}\n');
  const env = { CLOUD_INIT_PATHS: file };
  const setup = await call('dash', 'bin/cos-setup', ['holdfast-test'], env);
  expect(setup.stdout).toContain('1 failed');
  expect(setup.status).toBe(0);
  const strict = ['run-stage', '--strict', 'holdfast-test'];
  expect((await call('dash', 'bin/elemental', strict, env)).status).toBe(65);
  expect((await call('dash', 'bin/elemental', strict.toSpliced(1, 1), env)).status).toBe(0);
});

test('cos-feature enables what the catalogue has, and the next stage runs it', async () => {
  const places = { COS_FEATURESDIR: join(directory, 'features'), OEM_LABELDIR: join(directory, 'oem') };
  mkdirSync(places.COS_FEATURESDIR);
  const mark = join(directory, 'feature-ran');
  writeFileSync(
    join(places.COS_FEATURESDIR, 'k3s.yaml'),
    `stages: {holdfast-test: [{commands: ["echo ran > ${mark}"]}]}\n`,
  );
  const feature = (...argv: string[]) => call('bash', 'bin/cos-feature', argv, places);
  expect(await feature('enable', 'k3s')).toMatchObject({ status: 0, stdout: 'k3s enabled\n' });
  expect(readlinkSync(join(places.OEM_LABELDIR, 'features/k3s.yaml'))).toBe(`${places.COS_FEATURESDIR}/k3s.yaml`);
  expect((await feature('list')).stdout).toMatch(/\n- k3s \(enabled\)\n$/);
  expect(
    (await call('dash', 'bin/cos-setup', ['holdfast-test'], { CLOUD_INIT_PATHS: places.OEM_LABELDIR })).status,
  ).toBe(0);
  expect(readFileSync(mark, 'utf8')).toBe('ran\n');
  expect(await feature('enable', 'k4s')).toMatchObject({ status: 1, stdout: 'Feature not present\n' });
  expect(await feature('disable', 'k3s')).toMatchObject({ status: 0, stdout: 'Feature k3s disabled\n' });
});

test('cos upgrades as cos-upgrade does, and has status 1 for what it does not know', async () => {
  const { status, stdout } = await onMachine('dash', 'sbin/cos', [
    'upgrade',
    '--logfile',
    logfile,
    '--docker-image',
    image('v2'),
  ]);
  expectWords(stdout, ['Upgrading system', 'Upgrade done, now you might want to reboot']);
  expect(status).toBe(0);
  expect(await releaseOf('active')).toContain('Tiny 2');
  expect((await call('bash', 'sbin/cos', ['uninstall'])).status).toBe(1);
});

test('cos-deploy writes active and passive anew, only when it is told to overwrite', async () => {
  const argv = ['--logfile', logfile, '--docker-image', image('v1')];
  const refused = await onMachine('dash', 'sbin/cos-deploy', argv);
  expectWords(refused.stdout, ['There is already an active deployment', "use '--force' flag to overwrite it"]);
  expect(refused.status).toBe(1);
  const { status, stdout } = await onMachine('bash', 'sbin/cos-deploy', ['--force', ...argv]);
  expectWords(stdout, ['Forcing overwrite', 'Deploying system..', 'Deployment done, now you might want to reboot']);
  expect(status).toBe(0);
  expect(await releaseOf('active')).toContain('Tiny 1');
  expect(await releaseOf('passive')).toContain('Tiny 1');
});

test.each([
  ['sbin/cos-reset', [], 1, 'cos-reset can be run only from recovery'],
  ['bin/elemental', ['reset'], 33, 'reset can only be called from the recovery system'],
] as const)('%s %j is refused outside of the recovery system, with status %i', async (path, verb, expected, words) => {
  const { status, stdout } = await onMachine('dash', path, [...verb, '--logfile', logfile]);
  expect(stdout).toContain(words);
  expect(status).toBe(expected);
});

test('elemental reset, where the settings allow it, takes what the command line names', async () => {
  const settings = join(directory, 'settings');
  mkdirSync(settings);
  writeFileSync(join(settings, 'config.yaml'), 'reset: {force: true}\n');
  const argv = ['reset', '--config-dir', settings, '--system', image('v2'), '--reset-persistent'];
  const { status, stdout } = await onMachine('bash', 'bin/elemental', argv);
  expectWords(stdout, ['Resetting the system', 'Installing', 'Running after-reset-chroot hook', 'Reset completed']);
  expect(status).toBe(0);
  expect(await releaseOf('active')).toContain('Tiny 2');
  expect(await releaseOf('passive')).toContain('Tiny 2');
});

test('elemental state prints the record and nothing else', async () => {
  const { status, stdout } = await onMachine('dash', 'bin/elemental', ['state']);
  expect(status).toBe(0);
  expect(load(stdout)).toMatchObject({ state: { active: { fromAction: 'reset' } } });
});

test('elemental state, with nothing left of the record: what is on the disk, and nothing else on standard output', async () => {
  for (const label of ['COS_STATE', 'COS_RECOVERY']) {
    await disk.withMounted(label, (mounted) => rmSync(join(mounted, 'state.yaml')), { writable: true });
  }
  const { status, stdout, stderr } = await onMachine('bash', 'bin/elemental', ['state']);
  expect(status).toBe(0);
  expect(stdout.startsWith('# Autogenerated file')).toBe(true);
  expect(load(stdout)).toMatchObject({ state: { label: 'COS_STATE', active: { label: 'COS_ACTIVE' } } });
  expect(stderr).toContain('was taken from what is on the disk');
});

test('cos-tmpl-render fills in a template of an image', async () => {
  const template = join(directory, 'grub.cfg.tmpl');
  const variables = join(directory, 'variables');
  writeFileSync(template, 'search --label @STATE_LABEL@\n');
  writeFileSync(variables, 'STATE_LABEL=MY_STATE\n');
  expect((await call('dash', 'bin/cos-tmpl-render', [template, variables])).status).toBe(0);
  expect(readFileSync(join(directory, 'grub.cfg'), 'utf8')).toBe('search --label MY_STATE\n');
  expect(existsSync(template)).toBe(false);
});

test('not as root', async () => {
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const result = await run([
    'setpriv',
    ...nobody,
    executable,
    'compat',
    'elemental',
    'upgrade',
    '--system',
    image('v1'),
  ]);
  expect(result.stdout).toContain('this command requires root privileges');
  expect(result.status).toBe(58);
});
