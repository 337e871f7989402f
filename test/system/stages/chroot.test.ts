// Stages on another system's tree, as a hook of an upgrade runs them: commands see that tree alone, with an environment
// that doesn't depend on the caller, and what can't be renamed over there is written in place. The tree is this
// machine's shell with the libraries that it needs. Takes about five seconds.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runStage, type StageRequest, type StageResult } from '../../../src/stages/run.ts';
import { defaultSources } from '../../../src/stages/sources.ts';
import { bindMount, mount, unmount } from '../../../src/system/mounts.ts';
import { Root } from '../../../src/system/root.ts';
import { installPrograms } from './small-root.ts';

let tree: string;
const output: string[] = [];

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'holdfast-chroot-'));
  output.length = 0;
  installPrograms(tree, ['sh', 'cat', 'env', 'sleep', 'mkdir']);
  put('etc/os-release', 'ID=target\nPRETTY_NAME="Target OS"\n');
});

afterEach(() => rmSync(tree, { recursive: true, force: true }));

function put(path: string, content: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), content);
}

const read = (path: string) => readFileSync(join(tree, path), 'utf8');

function run(stage: string, options: Partial<StageRequest> = {}): Promise<StageResult> {
  return runStage({
    stage,
    root: new Root(tree),
    sources: defaultSources,
    events: (event) => {
      if (event.type === 'output') output.push(event.text);
    },
    ...options,
  });
}

it('the example that installs a package runs the package manager of the new system', async () => {
  const fixture = new URL('../../fixtures/cloud-config/good/install-duplicate-stages.yaml', import.meta.url);
  put('oem/install.yaml', readFileSync(fixture, 'utf8'));
  put('usr/bin/apt-get', '#!/bin/sh\necho "apt-get $*"\necho "$*" >/installed\n');
  chmodSync(join(tree, 'usr/bin/apt-get'), 0o755);
  const result = await run('after-upgrade-chroot');
  expect(result.outcome).toBe('ok');
  expect(output).toEqual(['apt-get install -y vim']);
  expect(read('installed')).toBe('install -y vim\n');
});

it("commands have a plain environment, the caller's stays out, and a name given by the caller gets in", async () => {
  put('oem/a.yaml', 'stages: {s: [{commands: [env]}]}');
  await run('s', { env: { HOLDFAST_HOOK: 'after-upgrade-chroot' } });
  const names = output
    .map((line) => line.split('=')[0])
    .filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name ?? ''));
  expect(names.sort()).toEqual(['HOLDFAST_HOOK', 'HOME', 'PATH']);
  expect(output).toContain('PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
  expect(output).toContain('HOME=/root');
});

it('conditions, templates and owners are those of the new system', async () => {
  put('etc/passwd', 'root:x:0:0::/root:/bin/sh\nadmin:x:1234:1234::/:/bin/sh\n');
  put('etc/group', 'admin:x:1234:\nwheel:x:42:\n');
  put(
    'oem/a.yaml',
    `stages:
  s:
    - name: yes
      if: '[ -e /etc/os-release ] && [ ! -e ${tree} ]'
      only_os: Target
      files:
        - {path: /root/f, content: "{{ .Values.os.name }}", permissions: 0640, ownerstring: "admin:wheel"}
        - {path: /root/g, permissions: 04755, owner: 1, group: 2}
      directories: [{path: /srv/data/, permissions: 01777, owner: 1234, group: 42}]
    - name: no
      only_os: Debian
      commands: [exit 1]
`,
  );
  const result = await run('s');
  expect(result.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual(['yes ok', 'no skipped']);
  expect(read('root/f')).toBe('Target OS');
  const owned = ['root/f', 'root/g', 'srv/data', 'srv'].map((path) => {
    const { uid, gid, mode } = statSync(join(tree, path));
    return `${path} ${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
  });
  expect(owned).toEqual(['root/f 1234:42 640', 'root/g 1:2 4755', 'srv/data 1234:42 1777', 'srv 0:0 755']);
});

it("a failing command is told with its last words, the host's name stays, and later steps run", async () => {
  put(
    'oem/a.yaml',
    `stages:
  s:
    - hostname: other
      commands: ["echo working; cat /nowhere; exit 7"]
    - commands: ["echo later > /later"]
`,
  );
  const before = hostname();
  const result = await run('s');
  expect(result.outcome).toBe('failed');
  const [key] = result.steps[0]?.keys ?? [];
  expect(key?.error).toBe('echo working; cat /nowhere; exit 7 failed with status 7');
  expect(key?.outputTail).toBe('working\ncat: /nowhere: No such file or directory');
  expect(read('etc/hostname')).toBe('other\n');
  // The tree has no /proc of its own, so there is no kernel to name.
  expect(hostname()).toBe(before);
  expect(read('later')).toBe('later\n');
});

it('a tree without a shell makes the step fail, not the stage throw', async () => {
  rmSync(join(tree, 'usr/bin/sh'));
  put('oem/a.yaml', 'stages: {s: [{commands: [echo]}]}');
  const result = await run('s');
  expect(result.steps[0]?.keys[0]).toMatchObject({ outcome: 'failed', error: 'echo failed with status 127' });
  expect(result.steps[0]?.keys[0]?.outputTail).toContain('failed to run command');
});

it('a program that the tree has not got is named with the package that brings it', async () => {
  put('oem/a.yaml', 'stages: {s: [{modules: [dummy, loop], systemctl: {enable: [a]}, packages: {refresh: true}}]}');
  put('etc/os-release', 'ID=alpine\n');
  const result = await run('s');
  const missing = (program: string, name: string) =>
    `the program ${program} is not installed or not in PATH (install the package ${name})`;
  expect(result.steps[0]?.keys.map(({ error }) => error)).toEqual([
    missing('modprobe', 'kmod'),
    missing('systemctl', 'systemd'),
    'the program apk is not installed or not in PATH (install the package that brings apk)',
  ]);
});

it('a resolv.conf that is bind mounted into the tree is written in place', async () => {
  const outside = join(tree, 'outside.conf');
  writeFileSync(outside, 'nameserver 10.0.0.1\n');
  put('etc/resolv.conf', 'empty\n');
  await bindMount(outside, join(tree, 'etc/resolv.conf'));
  try {
    put('oem/a.yaml', 'stages: {s: [{dns: {nameservers: [9.9.9.9]}}]}');
    const result = await run('s');
    expect(result.steps[0]?.keys).toEqual([{ key: 'dns', outcome: 'ok' }]);
    expect(readFileSync(outside, 'utf8')).toBe('nameserver 9.9.9.9\n');
  } finally {
    await unmount(join(tree, 'etc/resolv.conf'));
  }
  expect(read('etc/resolv.conf')).toBe('empty\n');
  expect(new Root(tree).list('/etc')).toEqual(['os-release', 'resolv.conf']);
});

it("kernel settings are written through the tree's /proc", async () => {
  mkdirSync(join(tree, 'proc'));
  await mount('proc', join(tree, 'proc'), { type: 'proc' });
  try {
    const setting = '/proc/sys/kernel/printk_ratelimit_burst';
    const value = readFileSync(setting, 'utf8').trim();
    put('oem/a.yaml', `stages: {s: [{sysctl: {kernel.printk_ratelimit_burst: ${value}, kernel.no_such: 1}}]}`);
    const result = await run('s');
    expect(result.steps[0]?.keys).toEqual([
      { key: 'sysctl', outcome: 'failed', error: 'the kernel has no setting kernel.no_such' },
    ]);
    // It was written, with the value that it had.
    expect(result.steps[0]?.changedFiles).toEqual([]);
    expect(readFileSync(setting, 'utf8').trim()).toBe(value);
  } finally {
    await unmount(join(tree, 'proc'));
  }
});

it('an interruption ends the command in the tree and everything that it started', async () => {
  put('oem/a.yaml', 'stages: {s: [{commands: ["sleep 987654 & echo started; wait", "echo never"]}]}');
  const abort = new AbortController();
  const running = run('s', {
    signal: abort.signal,
    events: (event) => {
      if (event.type === 'output') abort.abort();
    },
  });
  await expect(running).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
  expect(processesIn(tree)).toEqual([]);
  expect(existsSync(join(tree, 'never'))).toBe(false);
});

/** Processes whose root directory is the tree. */
function processesIn(directory: string): string[] {
  return new Root('/').list('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return realpathSync(`/proc/${pid}/root`) === directory;
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}
