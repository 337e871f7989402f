// Accounts against the real tools: pwck and grpck find nothing to complain about, openssl agrees on the hashes, su lets
// users in with their passwords, useradd and chpasswd work on the same files before, after and at the same time. Takes
// about ten seconds.

import { type ChildProcessByStdio, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { editAccounts } from '../../../src/stages/accounts/edit.ts';
import { crypt } from '../../../src/stages/accounts/shacrypt.ts';
import { runStage, type StageResult } from '../../../src/stages/run.ts';
import { silent } from '../../../src/system/events.ts';
import { bindMount, unmount } from '../../../src/system/mounts.ts';
import { Root } from '../../../src/system/root.ts';
import { keyLine } from '../../unit/stages/accounts/keys.ts';

const FIXTURES = new URL('../../fixtures/accounts/debian-12/', import.meta.url);

let root: Root;

beforeEach(() => {
  root = new Root(mkdtempSync(join(tmpdir(), 'holdfast-accounts-')));
  // Others enter their homes through it.
  chmodSync(root.directory, 0o755);
  mkdirSync(join(root.directory, 'etc'));
  for (const file of ['passwd', 'group', 'shadow', 'gshadow']) {
    cpSync(new URL(file, FIXTURES), join(root.directory, 'etc', file));
    const secret = file.endsWith('shadow');
    chownSync(join(root.directory, 'etc', file), 0, secret ? 42 : 0);
    chmodSync(join(root.directory, 'etc', file), secret ? 0o640 : 0o644);
  }
  for (const line of root.readText('/etc/passwd').trim().split('\n')) {
    const [, , , , , home = '', shell = ''] = line.split(':');
    if (home !== '/nonexistent') root.makeDirectory(home);
    root.writeFile(shell, '');
  }
  root.writeFile('/bin/bash', '');
});

afterEach(() => rmSync(root.directory, { recursive: true, force: true }));

async function run(text: string): Promise<StageResult> {
  return runStage({ stage: 's', root, sources: [], documents: [{ name: 'test.yaml', text }], events: silent });
}

const errorsOf = (result: StageResult) => result.steps.flatMap(({ keys }) => keys.flatMap(({ error }) => error ?? []));
const warningsOf = (result: StageResult) => result.problems.map(({ message }) => message);

/** What pwck and grpck have to say; nothing when they find nothing. */
function complaints(): string {
  const say = (program: string, options: string[]) => {
    const { stdout, stderr } = spawnSync(program, [...options, '-R', root.directory], { encoding: 'utf8' });
    return stdout + stderr;
  };
  return say('pwck', ['-q', '-r']) + say('grpck', ['-r']);
}

const ownerOf = (path: string) => {
  const { uid, gid, mode } = statSync(root.resolve(path));
  return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
};

const MANY = `
stages:
  s:
    - ensure_entities:
        - entity: |
            kind: shadow
            username: root
            password: cos
        - entity: |
            kind: group
            group_name: operators
            password: x
            gid: -1
        - entity: |
            kind: gshadow
            name: operators
      users:
        bob: {passwd: geheim, groups: [sudo, docker, operators], shell: /bin/bash, gecos: Bob}
        carol: {lock_passwd: true, passwd: x, uid: 1500}
        dave: {primary_group: users, passwd: "*"}
        empty:
        svc: {system: true, passwd: "*"}
      authorized_keys:
        bob: [${JSON.stringify(keyLine(1))}]
    - ensure_entities:
        - entity: |
            kind: user
            username: agent
            password: x
            uid: -1
            gid: -1
            homedir: /
            shell: /bin/sh
        - entity: |
            kind: group
            group_name: agent
            password: x
            gid: -1
        - entity: |
            kind: gshadow
            name: agent
        - entity: |
            kind: shadow
            username: agent
            password: "!"
            last_changed: now
    - delete_entities:
        - entity: {kind: group, group_name: nope}
        - entity: |
            kind: user
            username: irc
        - entity: |
            kind: shadow
            username: irc
        - entity: |
            kind: group
            group_name: irc
        - entity: |
            kind: gshadow
            name: irc
`.replace('- entity: {kind: group, group_name: nope}', `- entity: "kind: group\\ngroup_name: nope"`);

it('after many steps pwck and grpck find nothing, and a second time nothing changes', async () => {
  expect(complaints()).toBe('');
  const result = await run(MANY);
  expect(errorsOf(result)).toEqual([]);
  expect(warningsOf(result)).toEqual([
    "user bob: the group docker isn't there yet and is made",
    'user empty: no passwd is given, so no password opens it; the originals leave it open to everybody (that is passwd: "")',
  ]);
  // A system user has no home; the tools only say so.
  expect(complaints()).toBe('');
  expect(['/etc/passwd', '/etc/shadow', '/etc/group', '/etc/gshadow'].map(ownerOf)).toEqual([
    '0:0 644',
    '0:42 640',
    '0:0 644',
    '0:42 640',
  ]);
  expect(['/home', '/home/bob', '/home/bob/.ssh', '/home/bob/.ssh/authorized_keys', '/home/dave'].map(ownerOf)).toEqual(
    ['0:0 755', '1000:1001 755', '1000:1001 700', '1000:1001 600', '1001:100 755'],
  );
  const again = await run(MANY);
  expect(again.steps.flatMap(({ changedFiles }) => changedFiles)).toEqual([]);
});

it('passwd tells the state of each password', async () => {
  await run(MANY);
  const state = (name: string) =>
    execFileSync('passwd', ['-S', '-R', root.directory, name], { encoding: 'utf8' }).split(' ').slice(0, 2).join(' ');
  expect(['root', 'bob', 'carol', 'dave', 'empty', 'agent'].map(state)).toEqual([
    'root P',
    'bob P',
    'carol L',
    'dave L',
    'empty L',
    'agent L',
  ]);
});

it('hashes are those of openssl, for texts of any length and script', () => {
  const texts = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }).filter((text) => !/[\0\n\r]/.test(text));
  const salts = fc.stringMatching(/^[./0-9A-Za-z]{1,16}$/);
  fc.assert(
    fc.property(texts, salts, fc.constantFrom('5', '6'), (text, salt, method) => {
      const argv = ['passwd', `-${method}`, '-salt', salt, '-stdin'];
      return (
        crypt(text, `$${method}$${salt}`) === execFileSync('openssl', argv, { input: text, encoding: 'utf8' }).trim()
      );
    }),
    { numRuns: 40 },
  );
});

/** What su says to a user with this password, who is asked for it as everybody is: on a terminal, through PAM. */
async function su(name: string, password: string): Promise<string> {
  const mounts = ['passwd', 'shadow', 'group', 'gshadow'].map((file) => `mount --bind "$1/etc/${file}" /etc/${file}`);
  const ask = `su ${name} -s /bin/sh -c 'id -un; id -Gn'`;
  const script = `${mounts.join(' && ')} && exec setpriv --reuid 65534 --regid 65534 --clear-groups script -qec "$2" /dev/null`;
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', root.directory, ask], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
    // What is typed before it asks is thrown away.
    if (String(chunk).includes('Password:')) child.stdin.write(`${password}\n`);
  });
  await new Promise((resolve) => child.once('close', resolve));
  return said.replaceAll('\r', '');
}

it('su opens the account with its password only, and a locked one with none', async () => {
  await run(MANY);
  expect(await su('bob', 'geheim')).toContain('bob\nbob sudo operators docker\n');
  expect(await su('bob', 'falsch')).toContain('Authentication failure');
  expect(await su('root', 'cos')).toContain('root\nroot\n');
  expect(await su('carol', 'x')).toContain('Authentication failure');
  await run(MANY);
  expect(await su('carol', 'x')).toContain('Authentication failure');
});

it('the accounts of the login fixture open as its comment says, at the second boot as at the first', async () => {
  const text = readFileSync(new URL('../login.yaml', FIXTURES), 'utf8');
  for (const _ of [1, 2]) {
    const result = await runStage({
      stage: 'boot',
      root,
      sources: [],
      documents: [{ name: 'login.yaml', text }],
      events: silent,
    });
    expect([errorsOf(result), warningsOf(result)]).toEqual([[], []]);
    expect(await su('bob', 'correct horse: 7%')).toContain('bob\nbob sudo\n');
    expect(await su('carol', 'never')).toContain('Authentication failure');
    expect(await su('dave', '*')).toContain('Authentication failure');
    expect(await su('root', 'cos')).toContain('root\n');
  }
  expect(root.readText('/home/dave/.ssh/authorized_keys')).toMatch(/^ssh-ed25519 \S+ dave@console\n$/);
  expect(complaints()).toBe('');
});

it("the tools' own users and ours get on with each other", async () => {
  const options = { stdio: 'ignore' } as const;
  execFileSync('useradd', ['-R', root.directory, '--no-create-home', 'first'], options);
  await run('stages: {s: [{users: {second: {passwd: "*", groups: [first]}}}]}');
  execFileSync('useradd', ['-R', root.directory, '--no-create-home', 'third'], options);
  execFileSync('usermod', ['-R', root.directory, '-aG', 'second', 'third'], options);
  execFileSync('chpasswd', ['-R', root.directory, '-c', 'SHA512'], { input: 'second:geheim\n' });
  expect(complaints()).toBe('');
  const hash = root.readText('/etc/shadow').match(/^second:(.*?):/m)?.[1];
  const result = await run('stages: {s: [{users: {second: {passwd: geheim}}}]}');
  expect(result.steps[0]?.changedFiles).toEqual([]);
  expect(hash).toMatch(/^\$6\$/);
  execFileSync('userdel', ['-R', root.directory, 'second'], { stdio: 'pipe' });
  expect(root.readText('/etc/passwd')).not.toContain('second');
});

it('useradd waits for nobody while we hold the files, and we for useradd', async () => {
  const held = await editAccounts(
    root,
    {},
    (database) => database.table('group').put(['x', 'x', '5000', '']),
    () => {
      const { status, stderr } = spawnSync('groupadd', ['-R', root.directory, 'y'], { encoding: 'utf8' });
      expect(status).not.toBe(0);
      expect(stderr).toContain('cannot lock /etc/group');
    },
  );
  expect(held.written).toEqual(['/etc/group']);
  execFileSync('groupadd', ['-R', root.directory, 'y']);
});

type Holder = ChildProcessByStdio<Writable, Readable, null>;

/** Starts a program that prints a line once it holds its lock, and ends when its input does. */
async function holding(program: string, argv: string[]): Promise<Holder> {
  const child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('close', (status) => reject(new Error(`${program} ended with status ${status}`)));
  });
  return child;
}

async function letGo(holder: Holder): Promise<void> {
  const closed = new Promise((resolve) => holder.once('close', resolve));
  holder.stdin.end();
  await closed;
}

const addGroup = (options = {}) =>
  editAccounts(root, options, (database) => database.table('group').put(['x', 'x', '5000', '']));

it('the lock that passwd takes through PAM (lckpwdf) is waited for', async () => {
  // struct flock of 64 bit Linux: the whole file, for writing.
  const program = `use Fcntl; open(F, '>', $ARGV[0]) or die; my $lock = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $lock) or die; $| = 1; print "held\\n"; <STDIN>;`;
  const holder = await holding('perl', ['-e', program, root.resolve('/etc/.pwd.lock')]);
  await expect(addGroup({ waitMs: 0 })).rejects.toMatchObject({
    code: 'HF-LOCKED',
    message: `the account files are locked by process ${holder.pid}`,
  });
  expect(root.list('/etc')).toEqual(['.pwd.lock', 'group', 'gshadow', 'passwd', 'shadow']);
  const edit = addGroup();
  await letGo(holder);
  expect((await edit).written).toEqual(['/etc/group']);
});

it("the entities library's lock is waited for, and released after a change", async () => {
  root.makeDirectory('/run/lock');
  const lock = root.resolve('/run/lock/group.lock');
  const holder = await holding('flock', ['--no-fork', lock, 'sh', '-c', 'echo held; cat']);
  await expect(addGroup({ waitMs: 10 })).rejects.toMatchObject({ code: 'HF-LOCKED' });
  const edit = addGroup();
  await letGo(holder);
  expect((await edit).written).toEqual(['/etc/group']);
  execFileSync('flock', ['--nonblock', lock, 'true']);
  // That file was there before.
  expect(root.list('/run/lock')).toEqual(['group.lock']);
  expect(root.list('/etc')).toEqual(['group', 'gshadow', 'passwd', 'shadow']);
});

it('lock files that were made for a change are gone after it, also when one of them was held', async () => {
  root.makeDirectory('/run/lock');
  const add = (options = {}) =>
    editAccounts(root, options, (database) => {
      database.table('group').put(['x', 'x', '5000', '']);
      database.table('passwd').put(['x', 'x', '5000', '5000', '', '/', '/bin/sh']);
    });
  const holder = await holding('flock', [
    '--no-fork',
    root.resolve('/run/lock/group.lock'),
    'sh',
    '-c',
    'echo held; cat',
  ]);
  await expect(add({ waitMs: 10 })).rejects.toMatchObject({ code: 'HF-LOCKED' });
  await letGo(holder);
  expect(root.list('/run/lock')).toEqual(['group.lock']);
  root.remove('/run/lock/group.lock');
  expect((await add()).written).toEqual(['/etc/group', '/etc/passwd']);
  expect(root.list('/run/lock')).toEqual([]);
});

it('a file that is a mount point of its own is written in place', async () => {
  const group = root.resolve('/etc/group');
  const outside = root.resolve('/group');
  cpSync(group, outside);
  await bindMount(outside, group);
  try {
    await addGroup();
  } finally {
    await unmount(group);
  }
  expect(readFileSync(outside, 'utf8')).toContain('x:x:5000:\n');
  expect(root.readText('/etc/group')).not.toContain('x:x:5000');
  expect(root.list('/etc')).toEqual(['group', 'gshadow', 'passwd', 'shadow']);
});

it('a home that outlived its user gives it its numbers back, and nobody else gets them', async () => {
  root.makeDirectory('/home/zoe');
  chownSync(root.resolve('/home/zoe'), 1000, 1000);
  await run('stages: {s: [{users: {ann: {passwd: "*"}}}, {users: {zoe: {passwd: "*"}}}]}');
  const passwd = root.readText('/etc/passwd');
  expect(passwd).toContain('ann:x:1001:1000:');
  expect(passwd).toContain('zoe:x:1000:1001:');
  expect(ownerOf('/home/zoe')).toBe('1000:1000 755');
});

it("a home that is somebody else's is left as it is; one that root made for the user is given to it", async () => {
  root.makeDirectory('/home/bob', 0o750);
  const result = await run('stages: {s: [{users: {bob: {passwd: "*"}, opt: {passwd: "*", homedir: /etc}}}]}');
  expect(ownerOf('/home/bob')).toBe('1000:1000 750');
  expect(ownerOf('/etc')).toBe('0:0 755');
  expect(root.readText('/etc/passwd')).toContain('opt:x:1001:1001:Created by entities:/etc:/bin/sh');
  expect(warningsOf(result)).toEqual(['user opt: its home /etc belongs to user number 0 and is left as it is']);
});

const KEYS = `stages: {s: [{authorized_keys: {bob: [${JSON.stringify(keyLine(1))}]}}]}`;

it('keys: what belongs to others is neither read nor given to the user', async () => {
  await run('stages: {s: [{users: {bob: {passwd: "*"}}}]}');
  const outside = mkdtempSync(join(tmpdir(), 'holdfast-outside-'));
  try {
    const refused = async () => expect(errorsOf(await run(KEYS))[0]).toMatch(/isn't bob's own and is left as it is/);
    const ssh = join(root.directory, 'home/bob/.ssh');
    symlinkSync('/etc', ssh);
    await refused();
    expect(ownerOf('/etc')).toBe('0:0 755');
    rmSync(ssh);
    symlinkSync(join('../../../../../../..', outside), ssh);
    await refused();
    expect(statSync(outside).uid).toBe(0);
    rmSync(ssh);
    mkdirSync(ssh);
    symlinkSync('/etc/shadow', join(ssh, 'authorized_keys'));
    await refused();
    rmSync(join(ssh, 'authorized_keys'));
    linkSync(root.resolve('/etc/shadow'), join(ssh, 'authorized_keys'));
    await refused();
    expect(ownerOf('/etc/shadow')).toBe('0:42 640');
    rmSync(join(ssh, 'authorized_keys'));
    execFileSync('mkfifo', [join(ssh, 'authorized_keys')]);
    await refused();
  } finally {
    rmSync(outside, { recursive: true, force: true });
  }
});

it('keys: ownership is set each time, also of what a step before made as root', async () => {
  await run('stages: {s: [{users: {bob: {passwd: "*"}}}]}');
  root.makeDirectory('/home/bob/.ssh', 0o700);
  root.writeFile('/home/bob/.ssh/authorized_keys', `${keyLine(1)}\n`, { mode: 0o600 });
  const result = await run(KEYS);
  expect(result.steps[0]?.changedFiles).toEqual(['/home/bob/.ssh', '/home/bob/.ssh/authorized_keys']);
  expect(['/home/bob/.ssh', '/home/bob/.ssh/authorized_keys'].map(ownerOf)).toEqual(['1000:1000 700', '1000:1000 600']);
  expect((await run(KEYS)).steps[0]?.changedFiles).toEqual([]);
});

it('keys: a directory of the user elsewhere, reached by a link, is used', async () => {
  await run('stages: {s: [{users: {bob: {passwd: "*"}}}]}');
  const elsewhere = join(root.directory, 'persistent/ssh-bob');
  mkdirSync(dirname(elsewhere));
  mkdirSync(elsewhere, { mode: 0o700 });
  chownSync(elsewhere, 1000, 1000);
  symlinkSync('/persistent/ssh-bob', join(root.directory, 'home/bob/.ssh'));
  expect(errorsOf(await run(KEYS))).toEqual([]);
  expect(root.readText('/persistent/ssh-bob/authorized_keys')).toBe(`${keyLine(1)}\n`);
  expect(ownerOf('/persistent/ssh-bob/authorized_keys')).toBe('1000:1000 600');
});
