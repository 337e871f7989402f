// `git` with real repositories behind files, HTTP with a password and OpenSSH with keys: what is in the tree afterwards,
// that nothing in a repository gets to run, and that no secret is left or shown anywhere. Takes about seven seconds.

import { execFileSync } from 'node:child_process';
import {
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
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runStage, type StageResult } from '../../../src/stages/run.ts';
import type { Event } from '../../../src/system/events.ts';
import { Root } from '../../../src/system/root.ts';
import { Origin, serveHttp, serveSsh } from './git-servers.ts';

let directory: string;
let tree: string;
let origin: Origin;
const events: Event[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-git-test-'));
  tree = join(directory, 'root');
  // Repositories that are directories are meant inside the root.
  mkdirSync(join(tree, 'srv'), { recursive: true });
  origin = new Origin(join(tree, 'srv'));
  events.length = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function run(git: Readonly<Record<string, unknown>>): Promise<StageResult> {
  const text = JSON.stringify({ stages: { s: [{ git: { path: '/opt/app', ...git } }] } });
  const documents = [{ name: 'test.yaml', text: `${text}\n` }];
  const root = new Root(tree);
  return runStage({ stage: 's', root, sources: [], documents, events: (event) => events.push(event) });
}

const read = (name: string) => readFileSync(join(tree, 'opt/app', name), 'utf8');
const changedBy = (result: StageResult) => result.steps[0]?.changedFiles;
const keysOf = (result: StageResult) => result.steps[0]?.keys;
const ok = [{ key: 'git', outcome: 'ok' }];
const git = (...args: string[]) =>
  execFileSync('git', ['-C', join(tree, 'opt/app'), ...args], { encoding: 'utf8' }).trim();

describe('a repository on this machine', () => {
  it.each(['/srv/origin.git', 'file:///srv/origin.git'])('%s is cloned, then followed', async (url) => {
    const first = origin.commit({ a: 'one', b: 'b' });
    const cloned = await run({ url });
    expect(keysOf(cloned)).toEqual(ok);
    expect(cloned.problems).toEqual([]);
    expect(changedBy(cloned)).toEqual(['/opt', '/opt/app']);
    expect(read('a')).toBe('one');
    expect([git('rev-parse', 'HEAD'), git('symbolic-ref', 'HEAD')]).toEqual([first, 'refs/heads/main']);
    expect(git('status', '--porcelain')).toBe('');
    expect(existsSync(join(tree, 'opt/app/.git/hooks'))).toBe(false);

    expect(changedBy(await run({ url }))).toEqual([]);

    writeFileSync(join(tree, 'opt/app/a'), 'changed here');
    writeFileSync(join(tree, 'opt/app/mine'), 'not of the repository');
    expect(changedBy(await run({ url }))).toEqual(['/opt/app']);
    expect([read('a'), read('mine')]).toEqual(['one', 'not of the repository']);

    const second = origin.commit({ a: 'two' });
    expect(changedBy(await run({ url }))).toEqual(['/opt/app']);
    expect([read('a'), read('mine'), git('rev-parse', 'HEAD')]).toEqual(['two', 'not of the repository', second]);

    origin.do('git reset -q --hard HEAD~1');
    origin.commit({ b: 'another history' });
    await run({ url });
    expect([read('a'), read('b')]).toEqual(['one', 'another history']);
  });

  it('a branch, another branch, a tag and back', async () => {
    const url = '/srv/origin.git';
    origin.commit({ a: 'main' });
    origin.do('git tag -a -m t v1; git push -q origin v1');
    origin.commit({ a: 'next' }, 'next');
    await run({ url, branch: 'next', branch_only: true });
    expect(read('a')).toBe('next');
    expect(git('branch', '-r')).toBe('origin/next');
    await run({ url, branch: 'main' });
    expect([read('a'), git('symbolic-ref', 'HEAD')]).toEqual(['main', 'refs/heads/main']);
    expect(git('branch', '-r').split(/\s+/)).toEqual(['origin/main', 'origin/next']);
    origin.commit({ a: 'main 2' });
    expect(changedBy(await run({ url, branch: 'v1' }))).toEqual(['/opt/app']);
    expect(read('a')).toBe('main');
    expect(changedBy(await run({ url, branch: 'v1' }))).toEqual([]);
    await run({ url });
    expect(read('a')).toBe('main 2');
  });

  it('a directory with files in it becomes the tree', async () => {
    origin.commit({ a: 'theirs' });
    mkdirSync(join(tree, 'opt/app'), { recursive: true });
    writeFileSync(join(tree, 'opt/app/a'), 'old');
    writeFileSync(join(tree, 'opt/app/mine'), 'mine');
    mkdirSync(join(tree, 'opt/app/.holdfast-git-killed'));
    await run({ url: '/srv/origin.git' });
    expect([read('a'), read('mine')]).toEqual(['theirs', 'mine']);
    expect(readdirSync(join(tree, 'opt/app')).sort()).toEqual(['.git', 'a', 'mine']);
  });

  it('a lock that a power cut left is no obstacle, one of now is', async () => {
    const url = '/srv/origin.git';
    origin.commit({ a: 'one' });
    await run({ url });
    origin.commit({ a: 'two' });
    const lock = join(tree, 'opt/app/.git/index.lock');
    writeFileSync(lock, '');
    const held = await run({ url });
    expect(keysOf(held)?.[0]?.outputTail).toContain('index.lock');
    expect(read('a')).toBe('one');
    execFileSync('touch', ['-d', '2001-01-01', lock]);
    expect(keysOf(await run({ url }))).toEqual(ok);
    expect(read('a')).toBe('two');
  });

  it.each([
    [{ url: '/srv/origin.git', branch: 'nosuch' }, /^\/.*\/srv\/origin\.git has no branch or tag "nosuch"$/],
    [{ url: '/srv/origin.git', branch: '--upload-pack=/x' }, /can't be the name of a branch/],
    [{ url: '/srv/nosuch.git' }, /^git ls-remote of \/.*\/srv\/nosuch\.git failed with status 128$/],
    [{ url: 'ext::sh -c "touch /tmp/x"' }, /no address of a repository/],
    [{ url: '-u/x:y' }, /no address of a repository/],
    [{ url: 'https://', auth: { password: 'secret' } }, /no address of a repository/],
    [{ url: '/srv/origin.git', path: '/srv/origin.git/HEAD' }, /is there and is no directory/],
    [{ url: '/srv/origin.git', path: '' }, /^git without a path/],
  ])('%j is refused and leaves nothing', async (value, message) => {
    origin.commit({ a: 'one' });
    const result = await run(value);
    expect(keysOf(result)?.[0]?.error).toMatch(message);
    expect(existsSync(join(tree, 'opt/app'))).toBe(false);
  });

  it('an empty repository is a warning', async () => {
    const result = await run({ url: '/srv/origin.git' });
    expect(keysOf(result)).toEqual(ok);
    expect(result.problems.map(({ message }) => message)).toEqual([
      'git: /srv/origin.git is empty, there is nothing to get',
    ]);
  });

  it('nothing of the repository is run, and submodules are left alone', async () => {
    const trace = join(directory, 'ran');
    origin.commit({
      '.gitmodules': `[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch% ${trace}"\n\tupdate = !touch ${trace}\n`,
    });
    origin.do(
      `git update-index --add --cacheinfo 160000,${origin.do('git rev-parse HEAD')},x; git commit -q -m sub; git push -q origin main`,
    );
    const url = '/srv/origin.git';
    expect(keysOf(await run({ url }))).toEqual(ok);
    mkdirSync(join(tree, 'opt/app/.git/hooks'));
    for (const hook of ['post-checkout', 'post-merge', 'reference-transaction', 'pre-commit']) {
      const file = join(tree, 'opt/app/.git/hooks', hook);
      writeFileSync(file, `#!/bin/sh\ntouch ${trace}\n`, { mode: 0o755 });
    }
    git('config', 'core.fsmonitor', `touch ${trace}; false`);
    origin.do(`printf two > a; git add a; git commit -q -m two; git push -q origin main`);
    expect(keysOf(await run({ url }))).toEqual(ok);
    expect(read('a')).toBe('two');
    expect(existsSync(trace)).toBe(false);
  });
});

/** Everything that a run could have shown or left, in one text. */
function tracesOf(result: StageResult): string {
  const config = join(tree, 'opt/app/.git/config');
  return JSON.stringify([result, events, existsSync(config) ? readFileSync(config, 'utf8') : '']);
}

const secretDirectories = () =>
  ['/run', tmpdir()].flatMap((place) =>
    readdirSync(place).filter((name) => name.startsWith('holdfast-git-') && !name.startsWith('holdfast-git-test-')),
  );

describe('a repository behind HTTP', () => {
  const login = { username: 'me@home', password: 'pa$s "w\'ord%' };

  it('is cloned and followed without a login', async () => {
    const { url } = await serveHttp(join(tree, 'srv'));
    origin.commit({ a: 'one' });
    expect(keysOf(await run({ url: `${url}/origin.git` }))).toEqual(ok);
    origin.commit({ a: 'two' });
    expect(changedBy(await run({ url: `${url}/origin.git` }))).toEqual(['/opt/app']);
    expect(read('a')).toBe('two');
  });

  it.each(['auth', 'address'])('the login comes from the %s and is seen by the server alone', async (from) => {
    const before = secretDirectories();
    const { url } = await serveHttp(join(tree, 'srv'), login);
    origin.commit({ a: 'one' });
    const address = new URL(`${url}/origin.git`);
    if (from === 'address') {
      address.username = encodeURIComponent(login.username);
      address.password = encodeURIComponent(login.password);
    }
    const result = await run({ url: address.href, ...(from === 'auth' ? { auth: login } : {}) });
    expect(keysOf(result)).toEqual(ok);
    expect(read('a')).toBe('one');
    expect(git('config', 'remote.origin.url')).toBe(`${url}/origin.git`);
    expect(tracesOf(result)).not.toContain('pa$s');
    expect(secretDirectories()).toEqual(before);
  });

  it('a wrong password fails with a hint, and is not shown', async () => {
    const { url } = await serveHttp(join(tree, 'srv'), login);
    origin.commit({ a: 'one' });
    const result = await run({ url: `${url}/origin.git`, auth: { username: 'me', password: 'wrongsecret' } });
    expect(keysOf(result)?.[0]?.error).toBe(
      `git ls-remote of ${url}/origin.git failed with status 128 ` +
        '(the server wants auth.username and auth.password, or refuses the ones that are given)',
    );
    expect(tracesOf(result)).not.toContain('wrongsecret');
  });

  it('the login is not given to a server that a redirect leads to', async () => {
    const other = await serveHttp(join(tree, 'srv'), login);
    const { url } = await serveHttp(join(tree, 'srv'), undefined, { '/moved.git': `${other.url}/origin.git` });
    origin.commit({ a: 'one' });
    const result = await run({ url: `${url}/moved.git`, auth: login });
    expect(keysOf(result)?.[0]?.outcome).toBe('failed');
    expect(other.seen.length).toBeGreaterThan(0);
    expect(other.seen.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
  });
});

describe('a repository behind ssh', () => {
  it('is reached with the key, from a server whose key is known', async () => {
    const before = secretDirectories();
    const server = await serveSsh(directory);
    origin.commit({ a: 'one' });
    const url = `ssh://127.0.0.1:${server.port}${join(tree, 'srv/origin.git')}`;
    const auth = { username: 'root', private_key: server.privateKey, public_key: server.hostKey };
    const result = await run({ url, auth });
    expect(keysOf(result)).toEqual(ok);
    expect(read('a')).toBe('one');
    origin.commit({ a: 'two' });
    await run({ url, auth: { ...auth, private_key: server.privateKey.trim() } });
    expect(read('a')).toBe('two');
    expect(tracesOf(result)).not.toContain('PRIVATE KEY');
    expect(secretDirectories()).toEqual(before);
  });

  it('the name in the address counts, and the server is not asked for its key when that is wished', async () => {
    const server = await serveSsh(directory);
    origin.commit({ a: 'one' });
    const url = `ssh://root@127.0.0.1:${server.port}${join(tree, 'srv/origin.git')}`;
    const result = await run({ url, auth: { private_key: server.privateKey, insecure: true } });
    expect(keysOf(result)).toEqual(ok);
    expect(read('a')).toBe('one');
  });

  it.each([
    ['an unknown server', {}, "the server's key is not known: give it as auth.public_key (ssh-keyscan HOST prints it)"],
    [
      'another server',
      { public_key: 'other' },
      "the server's key is not known: give it as auth.public_key (ssh-keyscan HOST prints it)",
    ],
    ['a key that is not let in', { insecure: true, private_key: 'foreign' }, undefined],
  ])(
    '%s is refused',
    async (_, { private_key, ...auth }: { private_key?: string; public_key?: string; insecure?: boolean }, hint) => {
      const server = await serveSsh(directory);
      origin.commit({ a: 'one' });
      const result = await run({
        url: `ssh://root@127.0.0.1:${server.port}${join(tree, 'srv/origin.git')}`,
        auth: {
          ...auth,
          private_key: private_key === undefined ? server.privateKey : server.foreignKey,
          ...(auth.public_key === undefined
            ? {}
            : { public_key: readFileSync(join(directory, 'foreign.pub'), 'utf8') }),
        },
      });
      const [key] = keysOf(result) ?? [];
      expect(key?.outcome).toBe('failed');
      if (hint === undefined) expect(key?.outputTail).toContain('Permission denied (publickey');
      else expect(key?.error).toContain(hint);
      expect(existsSync(join(tree, 'opt/app'))).toBe(false);
    },
  );
});

it('files of the tree belong to the user who ran it', async () => {
  origin.commit({ a: 'one' });
  await run({ url: '/srv/origin.git' });
  expect(statSync(join(tree, 'opt/app/a')).uid).toBe(process.getuid?.());
});
