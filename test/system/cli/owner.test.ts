// `holdfast pkg`, `run` and `file` as people use them on a tree: what is printed, what is written, what a wrong word brings, and
// that two at once lose nothing. Takes about five seconds.

import { createHash } from 'node:crypto';
import {
  chmodSync,
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
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { writeLock } from '../../../src/owner/lock-place.ts';
import { run } from '../../../src/system/process.ts';

let executable = '';
let root = '';
const FILE = 'oem/90_holdfast_owner.yaml';

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
});
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-owner-'));
  put('oem/.keep', '');
  put('etc/os-release', 'ID=alpine\nNAME=Lab\n');
  put('etc/passwd', 'root:x:0:0::/root:/bin/sh\n');
  put('etc/group', 'root:x:0:\n');
  put('lib/apk/db/installed', 'P:nano\nV:7.2-r1\nA:x86_64\n\nP:libgpm\nV:1.20-r0\nA:x86_64\n\n');
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string, mode = 0o644): void {
  const at = join(root, path);
  mkdirSync(join(at, '..'), { recursive: true });
  writeFileSync(at, text);
  chmodSync(at, mode);
}

/** As on the command line; `--` begins what isn't holdfast's own. */
async function holdfast(...args: string[]): Promise<{ status: number | null; said: string }> {
  const at = args.indexOf('--');
  const all = at < 0 ? [...args, '--root', root] : [...args.slice(0, at), '--root', root, ...args.slice(at)];
  const result = await run([executable, ...all]);
  return { status: result.status, said: `${result.stdout}${result.stderr}`.replaceAll(root, '') };
}

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { said } = await holdfast(...args, '--json');
  return JSON.parse(said.trim().split('\n').at(-1) ?? '');
}

const written = () => readFileSync(join(root, FILE), 'utf8');

test('packages: added, listed, and gone again', async () => {
  expect(await holdfast('pkg', 'add', 'vim', 'htop')).toEqual({
    status: 0,
    said: `Keep for every system to come
  [1/1] Write /oem/90_holdfast_owner.yaml
Written down for every system to come.
  Package vim: will be kept
  Package htop: will be kept
  next       it counts from the next system on: an upgrade builds one, holdfast apply does it now
`,
  });
  expect(statSync(join(root, FILE)).mode & 0o777).toBe(0o600);
  expect(await holdfast('pkg', 'add', 'vim', '--quiet')).toEqual({
    status: 0,
    said: 'Nothing to change.\n  Package vim: is kept already\n',
  });
  expect((await holdfast('pkg', 'list')).said).toBe(
    'vim   asked for  from the next system on\nhtop  asked for  from the next system on\n',
  );
  expect((await holdfast('pkg', 'remove', 'vim', 'htop', '--quiet')).said).toContain(
    '  Package vim: is not kept any more\n  Package htop: is not kept any more\n',
  );
  expect((await holdfast('pkg', 'list')).said).toBe('No package is kept.\n  holdfast pkg add NAME\n');
});

test('a package of the image is to be removed from each system, until it is asked for again', async () => {
  expect((await holdfast('pkg', 'remove', 'nano', '--quiet')).said).toContain('  Without package nano: will be kept\n');
  expect(await json('pkg', 'list')).toMatchObject({
    packages: [{ name: 'nano', wish: 'remove', installed: '7.2-r1', state: 'pending' }],
  });
  expect((await holdfast('pkg', 'add', 'nano', '--quiet')).said).toContain('Package nano: will be kept');
  expect(await json('pkg', 'list')).toMatchObject({ packages: [{ name: 'nano', wish: 'install', state: 'as-asked' }] });
});

test('what came along says who needs it', async () => {
  const entry = { architecture: 'x86_64', installedAt: '2026-11-21T22:00:00Z' };
  const libgpm = { ...entry, name: 'libgpm', version: '1.20-r0', asked: false, neededBy: ['vim'] };
  writeLock(join(root, 'oem'), { database: 'apk', packages: [libgpm] });
  expect((await holdfast('pkg', 'list', '--all')).said).toContain('  libgpm 1.20-r0  needed by vim\n');
  expect(await holdfast('pkg', 'remove', 'libgpm')).toEqual({
    status: 1,
    said: "error: libgpm isn't kept by itself: another package that is kept needed it [HF-USAGE]\nhint: see which: holdfast pkg list --all\n",
  });
});

test('what was built in is taken back, and goes with the next system', async () => {
  const entry = { architecture: 'x86_64', installedAt: '2026-11-21T22:00:00Z' };
  await holdfast('pkg', 'add', 'libgpm');
  const libgpm = { ...entry, name: 'libgpm', version: '1.20-r0', asked: true, neededBy: ['libgpm'] };
  writeLock(join(root, 'oem'), { database: 'apk', packages: [libgpm] });
  expect((await holdfast('pkg', 'remove', 'libgpm', '--quiet')).said).toContain('Package libgpm: is not kept any more');
  expect((await holdfast('pkg', 'remove', 'libgpm')).said).toContain(
    'libgpm is asked for no more; it goes with the next system',
  );
  expect(await json('pkg', 'list')).toMatchObject({ packages: [] });
  // One that the image has as well stays with it.
  await holdfast('pkg', 'add', 'nano');
  expect((await holdfast('pkg', 'remove', 'nano')).said).toContain('"holdfast pkg remove nano" once more removes it');
  expect((await holdfast('pkg', 'remove', 'nano', '--quiet')).said).toContain('Without package nano: will be kept');
});

test('commands: kept as they are typed, listed, and taken back by their id', async () => {
  await holdfast('run', '--', 'systemctl', 'enable', 'a b.service');
  await holdfast('run', '--', 'echo {{x}} > /etc/x');
  const { said } = await holdfast('run', '--list');
  expect(said).toMatch(/^[0-9a-f]{8} {2}systemctl enable 'a b\.service'\n[0-9a-f]{8} {2}echo \{\{x\}\} > \/etc\/x\n$/);
  const [id = ''] = said.split(' ');
  await holdfast('run', '--remove', id);
  expect((await holdfast('run', '--list')).said).toBe(`${said.split('\n')[1]}\n`);
});

test('files: kept with their modes, large ones beside the stage file, and taken back', async () => {
  put('etc/motd', 'hello\n', 0o640);
  const large = 'x'.repeat(20_000);
  put('etc/large', large);
  await holdfast('file', 'add', '/etc/motd', '/etc/large');
  const sha256 = createHash('sha256').update(large).digest('hex');
  const stored = join(root, 'usr/local/.holdfast/files');
  expect(readdirSync(stored)).toEqual([sha256]);
  expect(statSync(join(stored, sha256)).mode & 0o777).toBe(0o600);
  expect(written()).toContain('permissions: 0640');
  put('etc/motd', 'other\n', 0o640);
  expect((await holdfast('file', 'list')).said).toBe('/etc/motd  differs here from what is kept\n/etc/large\n');
  expect((await holdfast('file', 'add', '/etc/motd', '--quiet')).said).toContain(
    'File /etc/motd: will be kept as it is now',
  );
  await holdfast('file', 'remove', '/etc/large', '/etc/motd');
  expect(readdirSync(stored)).toEqual([]);
  expect((await holdfast('file', 'list')).said).toBe('No file is kept.\n  holdfast file add PATH\n');
});

test('what a stage file has no place for is said', async () => {
  put('etc/tool', 'x');
  await run(['setfattr', '-n', 'user.note', '-v', 'mine', join(root, 'etc/tool')]);
  expect((await holdfast('file', 'add', '/etc/tool', '--quiet')).said).toContain(
    'warning: /etc/tool: user.note is not kept with it; set it by a command: holdfast run -- …\n',
  );
});

test('a dry run writes nothing', async () => {
  for (const args of [
    ['pkg', 'add', 'vim'],
    ['file', 'add', '/etc/os-release'],
    ['run', '--', 'true'],
  ]) {
    const at = args.indexOf('--');
    const dry = at < 0 ? [...args, '--dry-run'] : [...args.slice(0, at), '--dry-run', ...args.slice(at)];
    expect((await holdfast(...dry)).said).toContain('1. Write /oem/90_holdfast_owner.yaml');
    expect(existsSync(join(root, FILE))).toBe(false);
  }
});

test('several at once lose nothing', async () => {
  const names = ['one', 'two', 'three', 'four', 'five', 'six'];
  const results = await Promise.all(names.map((name) => holdfast('pkg', 'add', name)));
  expect(results.map(({ status }) => status)).toEqual(names.map(() => 0));
  const { packages } = await json('pkg', 'list');
  expect(Array.isArray(packages) && packages.map(({ name }) => name).sort()).toEqual([...names].sort());
});

test('a file that a person has broken is left as it is', async () => {
  put(FILE, 'stages: [\n');
  const { status, said } = await holdfast('pkg', 'add', 'vim');
  expect(status).toBe(11);
  expect(said).toContain('/oem/90_holdfast_owner.yaml:');
  expect(said).toContain('it was left as it is');
  expect(written()).toBe('stages: [\n');
});

test.each([
  [['pkg', 'add', '--', '-y'], 1, '"-y" can\'t be the name of a package: it would be taken for an option'],
  [['pkg', 'add', './vim.deb'], 1, '"./vim.deb" is no name of a package'],
  [['pkg', 'add', 'vim-'], 1, '"vim-" is no name of a package'],
  [['pkg', 'add', 'lib*'], 1, '"lib*" is no name of a package'],
  [['pkg', 'remove', 'vim'], 1, 'vim is neither kept nor installed: there is nothing to remove'],
  [['pkg', 'search', '--', '-x'], 1, '"-x" can\'t be searched for'],
  [['pkg', 'add', 'vim', '--now'], 1, '--now and --apply-live are for the running system'],
  [['pkg', 'add', 'vim', '--packages', 'keep'], 1, 'Allowed choices are refuse, hold, drop, defer'],
  [['run'], 1, 'no command is named'],
  [['run', 'list'], 1, '"list" would be kept as a command'],
  [['run', 'remove', '3f9c1a7b'], 1, 'holdfast run --remove ID'],
  [['run', '--', ' '], 1, 'this is no command'],
  [['run', '--remove', 'nothing'], 1, 'no command "nothing" is kept'],
  [['run', '--list', '--', 'true'], 1, 'exclude each other'],
  [['file', 'add', '/etc/nothing'], 24, "/etc/nothing isn't there"],
  [['file', 'add', '/etc/passwd'], 1, '/etc/passwd is a list of accounts'],
  [['file', 'add', '/run/x'], 0, 'of this boot alone'],
  [['file', 'remove', '/etc/motd'], 1, "/etc/motd isn't kept"],
  [['file', 'add', '/'], 1, "can't be kept by name"],
] as const)('%j', async (args, status, words) => {
  const result = await holdfast(...args);
  expect(result.said).toContain(words);
  expect(result.status).toBe(status);
  expect(existsSync(join(root, FILE))).toBe(false);
});
