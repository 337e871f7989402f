// The stage files of an image and its scripts in a small root, boot after boot: /etc is new each time, /usr/local is kept.
// Machine id and SSH host keys stay the same, differ between machines, and survive files that a power cut left behind.
// Takes about ten seconds, most of them for keys.

import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runStage, type StageResult } from '../../../src/stages/run.ts';
import { silent } from '../../../src/system/events.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { run } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';
import { installPrograms } from '../stages/small-root.ts';

const OS = new URL('../../../os/', import.meta.url).pathname;
const PROGRAMS = ['sh', 'cat', 'chmod', 'cp', 'head', 'ls', 'mkdir', 'mv', 'rm', 'sed', 'sync', 'tail'];
/** The programs, gathered once. */
let programs: string;
let tree: string;
let mounted: string[];

beforeAll(() => {
  programs = mkdtempSync(join(tmpdir(), 'holdfast-programs-'));
  installPrograms(programs, [...PROGRAMS, 'ssh-keygen', 'systemd-machine-id-setup']);
});
afterAll(() => rmSync(programs, { recursive: true }));

beforeEach(async () => {
  tree = mkdtempSync(join(tmpdir(), 'holdfast-oem-'));
  // Links: nothing here writes into a program.
  execFileSync('cp', ['-al', `${programs}/.`, tree]);
  for (const path of ['etc/ssh', 'usr/local', 'run/cos', 'proc', 'dev', 'tmp'])
    mkdirSync(join(tree, path), { recursive: true });
  for (const path of ['system/oem', 'usr/lib/holdfast']) cpSync(join(OS, path), join(tree, path), { recursive: true });
  put('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n');
  put('etc/machine-id', '');
  mounted = [];
  await mount('proc', join(tree, 'proc'), { type: 'proc' });
  mounted.push('proc');
  writeFileSync(join(tree, 'dev/null'), '');
  await run(['mount', '--bind', '/dev/null', join(tree, 'dev/null')]);
  mounted.push('dev/null');
});
afterEach(async () => {
  for (const path of mounted.reverse()) await unmount(join(tree, path));
  rmSync(tree, { recursive: true, force: true });
});

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  rmSync(join(tree, path), { force: true });
  writeFileSync(join(tree, path), text, { mode });
}
const read = (path: string) => readFileSync(join(tree, path), 'utf8');
const without = (...programs: string[]) => {
  for (const program of programs) rmSync(join(tree, 'usr/bin', program));
};
const stage = (name: string): Promise<StageResult> =>
  runStage({
    stage: name,
    root: new Root(tree),
    sources: ['/system/oem'],
    commandLine: '/proc/cmdline',
    events: silent,
  });
/** /etc as the image has it, /run empty but for what the initramfs leaves there; then the stage. */
async function boot(mode: string[] = ['active_mode']): Promise<StageResult> {
  for (const path of ['etc/ssh', 'etc/issue.d', 'run']) rmSync(join(tree, path), { recursive: true, force: true });
  for (const path of ['etc/hostname', 'etc/locale.conf']) rmSync(join(tree, path), { force: true });
  for (const path of ['etc/ssh', 'run/cos']) mkdirSync(join(tree, path), { recursive: true });
  put('etc/machine-id', '');
  for (const name of mode) put(`run/cos/${name}`, '1');
  const result = await stage('initramfs');
  expect(result.steps.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  return result;
}

describe('machine id', () => {
  it.each([
    ['with systemd’s tool', []],
    ['without it', ['systemd-machine-id-setup']],
  ])('%s one is made at the first boot, and is the same at every other', async (_, missing) => {
    without(...missing);
    await boot();
    const id = read('etc/machine-id');
    expect(id).toMatch(/^[0-9a-f]{32}\n$/);
    expect(id).not.toBe(`${'0'.repeat(32)}\n`);
    expect(read('usr/local/etc/machine-id')).toBe(id);
    await boot();
    await boot();
    expect(read('etc/machine-id')).toBe(id);
    expect(readdirSync(join(tree, 'usr/local/etc'))).toEqual(['machine-id']);
    expect(statSync(join(tree, 'etc/machine-id')).mode & 0o777).toBe(0o444);
  });

  it.each([
    ['nothing', ''],
    ['the word that images carry', 'uninitialized\n'],
    ['half an id', '0123456789abcdef'],
    ['capital letters', `${'A'.repeat(32)}\n`],
    ['too much', `${'a'.repeat(33)}\n`],
    ['zeros', `${'0'.repeat(32)}\n`],
    ['zero bytes, as a power cut leaves them', '\0'.repeat(33)],
  ])('kept is %s: that is no id', async (_, text) => {
    put('usr/local/etc/machine-id', text);
    await boot();
    expect(read('etc/machine-id')).toMatch(/^(?!0{32})[0-9a-f]{32}\n$/);
    expect(read('usr/local/etc/machine-id')).toBe(read('etc/machine-id'));
  });

  it('a kept id without a line end counts; what a power cut left beside it is no matter', async () => {
    put('usr/local/etc/machine-id', 'c'.repeat(32));
    put('usr/local/etc/machine-id.new', 'cc');
    await boot();
    expect(read('etc/machine-id')).toBe(`${'c'.repeat(32)}\n`);
  });

  it('an id in the image would be on every machine: it is not used', async () => {
    without('systemd-machine-id-setup');
    put('etc/machine-id', `${'b'.repeat(32)}\n`);
    expect((await stage('initramfs')).outcome).toBe('ok');
    expect(read('etc/machine-id')).not.toContain('bbbb');
  });

  it('recovery neither takes the kept one nor keeps one', async () => {
    put('usr/local/etc/machine-id', `${'c'.repeat(32)}\n`);
    await boot(['recovery_mode']);
    expect([read('etc/machine-id'), read('usr/local/etc/machine-id')]).toEqual(['', `${'c'.repeat(32)}\n`]);
  });
});

describe('name and words', () => {
  it('a machine without a name is called after its id', async () => {
    put('usr/local/etc/machine-id', `abcd${'0'.repeat(28)}\n`);
    await boot();
    expect(read('etc/hostname')).toBe('holdfast-abcd\n');
    expect(existsSync(join(tree, 'etc/issue.d'))).toBe(false);
  });

  it.each(['mine\n', 'mine'])('the name %j stays', async (name) => {
    put('etc/hostname', name);
    put('etc/machine-id', '');
    expect((await stage('initramfs')).outcome).toBe('ok');
    expect(read('etc/hostname')).toBe(name);
  });

  it('recovery says that it is recovery', async () => {
    await boot(['recovery_mode']);
    expect(read('etc/hostname')).toBe('holdfast-recovery\n');
    expect(read('etc/issue.d/50-holdfast-recovery.issue')).toContain('Recovery system');
  });

  it('locale, keyboard and time zone are set where the image has none, and a second run changes nothing', async () => {
    put('usr/share/zoneinfo/UTC', 'zone');
    await boot();
    expect(read('etc/locale.conf')).toBe('LANG=C.UTF-8\n');
    const before = readdirSync(join(tree, 'etc')).map((name) => [name, statSync(join(tree, 'etc', name)).mtimeMs]);
    const again = await stage('initramfs');
    const after = readdirSync(join(tree, 'etc')).map((name) => [name, statSync(join(tree, 'etc', name)).mtimeMs]);
    // The id is put into its place again, with the same content.
    const others = (list: (string | number | undefined)[][]) => list.filter(([name]) => name !== 'machine-id');
    expect(others(after)).toEqual(others(before));
    expect(again.steps.flatMap(({ changedFiles }) => changedFiles)).toEqual([]);
  });
});

describe('marks', () => {
  const machine = async (commandLine: string, name: string) => {
    const line = join(tree, 'cmdline');
    writeFileSync(line, `${commandLine}\n`);
    await run(['mount', '--bind', line, join(tree, 'proc/cmdline')]);
    mounted.push('proc/cmdline');
    expect((await stage(name)).outcome).not.toBe('failed');
  };

  it.each([
    ['root=live:CDLABEL=X quiet', '1'],
    ['quiet rd.cos.disable', '1'],
    ['rd.cos.disable=1', '1'],
    ['root=LABEL=COS_STATE rd.cos.disabled', undefined],
  ])('%s: live %s', async (commandLine, mark) => {
    await machine(commandLine, 'rootfs');
    const file = join(tree, 'run/cos/live_mode');
    expect(existsSync(file) ? readFileSync(file, 'utf8') : undefined).toBe(mark);
    if (mark !== undefined) expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['quiet upgrade_failure', true],
    ['quiet no_upgrade_failure', false],
  ])('%s: upgrade failure %s', async (commandLine, mark) => {
    await machine(commandLine, 'boot');
    expect(existsSync(join(tree, 'run/cos/upgrade_failure'))).toBe(mark);
  });
});

describe('SSH host keys', () => {
  const script = (verb: string) => run(['chroot', tree, '/usr/lib/holdfast/ssh-host-keys', verb]);
  const keys = (directory = 'etc/ssh') =>
    Object.fromEntries(
      readdirSync(join(tree, directory))
        .filter((name) => /^ssh_host_.*_key$/.test(name))
        .map((name) => [name, read(`${directory}/${name}`)]),
    );
  const ensure = async () => {
    const result = await script('ensure');
    expect([result.status, Object.keys(keys()).length >= 2]).toEqual([0, true]);
    return result.stderr;
  };
  const KEY = 'ssh_host_ed25519_key';
  /** Made once: a large number takes seconds to find. */
  let made: string;
  beforeAll(() => {
    made = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
    mkdirSync(join(made, 'etc/ssh'), { recursive: true });
    execFileSync('ssh-keygen', ['-A', '-f', made], { stdio: 'ignore' });
  });
  afterAll(() => rmSync(made, { recursive: true }));
  /** A machine on which a server has run before. */
  const seasoned = async () => {
    cpSync(join(made, 'etc/ssh'), join(tree, 'etc/ssh'), { recursive: true });
    await ensure();
    expect(keys('usr/local/etc/ssh')).toEqual(keys());
    return keys();
  };

  it('are made when a server starts first, and are there at every later boot', async () => {
    await boot();
    expect(keys()).toEqual({});
    expect(await ensure()).toBe('');
    const first = keys();
    expect(keys('usr/local/etc/ssh')).toEqual(first);
    for (const name of Object.keys(first)) {
      expect(statSync(join(tree, 'etc/ssh', name)).mode & 0o777).toBe(0o600);
      expect(statSync(join(tree, 'etc/ssh', `${name}.pub`)).mode & 0o777).toBe(0o644);
      const derived = execFileSync('ssh-keygen', ['-y', '-P', '', '-f', join(tree, 'etc/ssh', name)], {
        encoding: 'utf8',
      });
      expect(read(`etc/ssh/${name}.pub`).split(' ').slice(0, 2)).toEqual(derived.trim().split(' ').slice(0, 2));
    }
    await boot();
    expect(keys()).toEqual(first);
    await ensure();
    expect(keys()).toEqual(first);
    expect(readdirSync(join(tree, 'usr/local/etc/ssh')).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  it('those of the image give way to those that are kept: a package makes new ones at each upgrade', async () => {
    const first = await seasoned();
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(tree, 'etc/ssh/other')]);
    put(`etc/ssh/${KEY}`, read('etc/ssh/other'), 0o600);
    expect((await stage('initramfs')).outcome).toBe('ok');
    expect(keys()).toEqual(first);
  });

  it('a key that an owner puts there after that counts, and is kept', async () => {
    await seasoned();
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(tree, 'etc/ssh/mine')]);
    put(`etc/ssh/${KEY}`, read('etc/ssh/mine'), 0o600);
    await ensure();
    expect([read(`etc/ssh/${KEY}`), read(`usr/local/etc/ssh/${KEY}`)]).toEqual([
      read('etc/ssh/mine'),
      read('etc/ssh/mine'),
    ]);
  });

  it.each([
    ['empty', () => ''],
    ['cut off', (text: string) => text.slice(0, 100)],
    ['full of zero bytes', (text: string) => '\0'.repeat(text.length)],
    ['whole to look at, but damaged', (text: string) => text.replace(/\n.{40}/, `\n${'A'.repeat(40)}`)],
  ])('a kept key that is %s is replaced by a new one, the others stay', async (_, damage) => {
    const before = await seasoned();
    put(`usr/local/etc/ssh/${KEY}`, damage(before[KEY] ?? ''), 0o600);
    await boot();
    expect(await ensure()).toMatch(/^$|ssh_host_ed25519_key is damaged and not used/);
    const { [KEY]: replaced, ...others } = keys();
    const { [KEY]: first, ...rest } = before;
    expect(others).toEqual(rest);
    expect(replaced).not.toBe(first);
    expect(keys('usr/local/etc/ssh')).toEqual(keys());
    execFileSync('ssh-keygen', ['-y', '-P', '', '-f', join(tree, 'etc/ssh', KEY)]);
  });

  it('a place that can’t be written keeps no server from starting', async () => {
    cpSync(join(made, 'etc/ssh'), join(tree, 'etc/ssh'), { recursive: true });
    put('usr/local/etc', 'a file where a directory belongs');
    expect(await ensure()).toContain('ssh-host-keys: ');
  });

  it('without OpenSSH there is nothing to restore and no key to start with', async () => {
    without('ssh-keygen');
    await boot();
    expect((await script('ensure')).status).not.toBe(0);
  });
});

it('no stage of the boot fails, with none of the tools', async () => {
  without('ssh-keygen', 'systemd-machine-id-setup');
  for (const name of ['rootfs', 'initramfs', 'fs', 'boot', 'network', 'reconcile']) {
    const { steps, problems } = await stage(name);
    expect([name, steps.filter(({ outcome }) => outcome === 'failed'), problems]).toEqual([name, [], []]);
  }
});
