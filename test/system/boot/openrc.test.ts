// The scripts for OpenRC under the real openrc-run, in a chroot with a stand-in for holdfast that notes how and when it was
// called. Services start, stop and say how they are; nothing but what is enabled runs. Takes about ten seconds, and OpenRC's
// packages are downloaded once.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { ensureOpenRc } from '../../../lab/packages/openrc.ts';
import { OS_FILES } from '../../../src/boot/os-files.generated.ts';
import { run } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';
import { installPrograms } from '../stages/small-root.ts';

const PROGRAMS = [
  ...[
    'sh',
    'awk',
    'cat',
    'chmod',
    'cp',
    'date',
    'env',
    'grep',
    'head',
    'ls',
    'mkdir',
    'mv',
    'nice',
    'rm',
    'sed',
    'sleep',
  ],
  ...['start-stop-daemon', 'sync', 'tail', 'timeout', 'touch', 'tr', 'uname'],
];
const OURS = ['cos-setup-fs', 'cos-setup-boot', 'cos-setup-network', 'cos-setup-reconcile', 'holdfast-ssh-keys'];
/** Programs of this host and OpenRC's files. */
let host: string;
let tree: string;

beforeAll(async () => {
  const packages = await ensureOpenRc({ log: () => {} });
  host = mkdtempSync(join(tmpdir(), 'holdfast-openrc-host-'));
  installPrograms(host, PROGRAMS);
  for (const name of ['sbin', 'dev', 'proc', 'sys', 'run', 'etc']) mkdirSync(join(host, name), { recursive: true });
  // Not by cp: /bin is a link here.
  execFileSync('sh', ['-c', 'tar -c -C "$1" . | tar -x -C "$2" --keep-directory-symlink', 'sh', packages, host]);
  // What dynamic loading finds on the host for the programs of the packages.
  const env = { ...process.env, LD_LIBRARY_PATH: join(packages, 'lib/x86_64-linux-gnu') };
  const libraries =
    execFileSync('ldd', [join(packages, 'sbin/openrc-run')], { encoding: 'utf8', env }).match(/\/\S+/g) ?? [];
  for (const library of libraries.filter((path) => !path.startsWith(packages))) {
    mkdirSync(join(host, dirname(library)), { recursive: true });
    execFileSync('cp', ['-L', '--remove-destination', library, join(host, library)]);
  }
});
afterAll(() => rmSync(host, { recursive: true }));
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'holdfast-openrc-'));
  execFileSync('cp', ['-a', `${host}/.`, tree]);
  const root = new Root(tree);
  for (const [path, file] of Object.entries(OS_FILES)) {
    if (!/^\/(etc\/(init\.d|conf\.d|runlevels)|usr\/lib\/holdfast)\//.test(path)) continue;
    if ('link' in file) root.link(path, file.link);
    else root.writeFile(path, file.text, { mode: file.mode });
  }
  put('etc/insserv.conf', '');
  // Says what it was called with; its mood is in files.
  put(
    'usr/bin/holdfast',
    [
      '#!/bin/sh',
      'read -r up _ < /proc/uptime',
      'echo "$up $*" >> /calls',
      'echo "output of $*"',
      '[ -e /hang ] && exec sleep 1000',
      '[ -e /fail ] && exit 9',
      'exit 0',
      '',
    ].join('\n'),
    0o755,
  );
});
afterEach(() => rmSync(tree, { recursive: true, force: true }));

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text, { mode });
}
/** The stages in the order of their calls. */
const calls = () =>
  existsSync(join(tree, 'calls'))
    ? readFileSync(join(tree, 'calls'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.replace(/^\S+ run-stage --boot /, ''))
    : [];

/** Runs a script where OpenRC believes that it has booted (rc-status makes what it keeps); all that it starts ends with it. */
async function booted(script: string) {
  const mounts = [
    `mount -t proc proc ${tree}/proc`,
    `mount -t tmpfs tmpfs ${tree}/run`,
    `mount --bind /dev ${tree}/dev`,
    `exec chroot ${tree} sh -c 'mkdir -p /run/openrc; echo default > /run/openrc/softlevel; rc-status -s > /dev/null 2>&1; ${script}'`,
  ];
  const result = await run([
    'timeout',
    '--signal=KILL',
    '60',
    'unshare',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    'sh',
    '-ec',
    mounts.join('\n'),
  ]);
  return result;
}
const rc = (service: string, verb: string) => `/etc/init.d/${service} ${verb}; echo "${service} ${verb}: $?";`;

/** Waits for what must come, 20 seconds at most. */
const until = (condition: string) =>
  `n=0; until ${condition}; do n=$((n + 1)); [ $n -lt 200 ] || break; sleep 0.1; done;`;

it('everything of ours is enabled, in the runlevel where it belongs', async () => {
  const { stdout } = await booted('rc-update show');
  const shown = stdout
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((part) => part.trim()));
  expect(shown.filter(([name = '']) => OURS.includes(name))).toEqual([
    ['cos-setup-boot', 'default'],
    ['cos-setup-fs', 'boot'],
    ['cos-setup-network', 'default'],
    ['cos-setup-reconcile', 'default'],
    ['holdfast-ssh-keys', 'default'],
  ]);
});

it.each(['fs', 'boot', 'network'])('stage %s runs once, and its service is started', async (stage) => {
  const service = `cos-setup-${stage}`;
  const wait = `${until(`[ -s /run/holdfast/log/${stage}.log ]`)} cat /run/holdfast/log/${stage}.log;`;
  const { stdout } = await booted(
    rc(service, 'status') +
      rc(service, 'start') +
      wait +
      rc(service, 'status') +
      rc(service, 'stop') +
      rc(service, 'status'),
  );
  for (const text of [
    `${service} status: 3`,
    `${service} start: 0`,
    `output of run-stage --boot ${stage}`,
    ' * status: started',
    `${service} status: 0`,
    `${service} stop: 0`,
    ' * status: stopped',
  ]) {
    expect(stdout).toContain(text);
  }
  expect(calls()).toEqual([stage]);
});

it.each(['fs', 'boot'])('stage %s that fails or is broken off stops nothing', async (stage) => {
  put('fail', '');
  const { stdout, stderr } = await booted(rc(`cos-setup-${stage}`, 'start') + rc(`cos-setup-${stage}`, 'status'));
  expect(stdout).toContain(`cos-setup-${stage} start: 0`);
  expect(stdout).toContain(`cos-setup-${stage} status: 0`);
  expect(stdout + stderr).toContain('was broken off, see: holdfast status');
});

it('a stage that hangs is ended', async () => {
  put('hang', '');
  const { stdout } = await booted('/usr/lib/holdfast/openrc-stage fs 1; echo "status $?"');
  expect(stdout).toContain('status 124');
});

it('stage network keeps nothing waiting, and can be stopped', async () => {
  put('hang', '');
  const { stdout } = await booted(
    `${rc('cos-setup-network', 'start')} ${until('[ -s /calls ]')} pid=$(cat /run/holdfast/cos-setup-network.pid);` +
      `[ -d /proc/$pid ] && echo runs; ${rc('cos-setup-network', 'stop')} [ -d /proc/$pid ] || echo gone`,
  );
  expect(stdout).toMatch(/cos-setup-network start: 0[\s\S]*runs[\s\S]*cos-setup-network stop: 0[\s\S]*gone/);
});

it('stage reconcile runs again and again under a supervisor, and stops at once between two runs', async () => {
  put('etc/conf.d/cos-setup-reconcile', 'reconcile_first=0\nreconcile_every=1\n');
  const { stdout } = await booted(
    `${rc('cos-setup-reconcile', 'start')} ${until('[ "$(cat /calls 2>/dev/null | grep -c .)" -ge 3 ]')}` +
      `${rc('cos-setup-reconcile', 'status')} ${rc('cos-setup-reconcile', 'stop')} ${rc('cos-setup-reconcile', 'status')}` +
      'for file in /proc/[0-9]*/cmdline; do tr "\\0" " " < $file; echo; done',
  );
  expect(stdout).toContain('cos-setup-reconcile start: 0');
  expect(stdout).toContain('cos-setup-reconcile status: 0');
  expect(stdout).toContain('cos-setup-reconcile stop: 0');
  expect(stdout).toContain(' * status: stopped');
  expect(stdout.slice(stdout.lastIndexOf('status: stopped'))).not.toContain('reconcile-loop');
  expect(new Set(calls())).toEqual(new Set(['reconcile']));
});

it('reconcile counts from the boot and from the beginning of the last run', async () => {
  // This machine has been up for longer than the first time, and a stage of 2 seconds leaves 1 of 3.
  put('usr/bin/holdfast', '#!/bin/sh\nread -r up _ < /proc/uptime\necho "$up $*" >> /calls\nsleep 2\n', 0o755);
  await booted('reconcile_first=1 reconcile_every=3 timeout 9 /usr/lib/holdfast/reconcile-loop');
  const times = readFileSync(join(tree, 'calls'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => Number(line.split(' ')[0]));
  expect(times.length).toBeGreaterThanOrEqual(2);
  const [first = 0, second = 0] = times;
  // Counted in whole seconds; a machine that is busy may be late, never early.
  expect(second - first).toBeGreaterThan(2);
});

it('without a word in conf.d it is 5 minutes after the boot and 60 after that', () => {
  const text = readFileSync(join(tree, 'usr/lib/holdfast/reconcile-loop'), 'utf8');
  expect(text).toMatch(/^first=\$\{reconcile_first:-300\}$/m);
  expect(text).toMatch(/^every=\$\{reconcile_every:-3600\}$/m);
});

it('SSH host keys are made only where a server starts', async () => {
  put('usr/lib/holdfast/ssh-host-keys', '#!/bin/sh\necho "$0 $*"\n', 0o755);
  expect((await booted(rc('holdfast-ssh-keys', 'start'))).stdout).not.toContain('ensure');
  put('etc/runlevels/default/sshd', '');
  expect((await booted(rc('holdfast-ssh-keys', 'start'))).stdout).toContain('/usr/lib/holdfast/ssh-host-keys ensure');
});
