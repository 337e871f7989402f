// `files`: content, mode and owner as written, whatever was there before, and never outside of the root.

import { execFileSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeContent } from '../../../../src/stages/steps/files.ts';
import { Root } from '../../../../src/system/root.ts';
import { failuresOf, runSteps, self, temporaryRoot } from '../temporary-root.ts';

const mine = `owner: ${self.uid}, group: ${self.gid}`;
const write = (root: Root, entry: string) => runSteps(root, `- files: [{${mine}, ${entry}}]`);
const modeOf = (root: Root, path: string) => (statSync(root.resolve(path)).mode & 0o7777).toString(8);

describe('content', () => {
  const gzip64 = gzipSync('hello').toString('base64');
  it.each([
    ['content: hello', 'hello'],
    ['content: "a\\nb\\n"', 'a\nb\n'],
    ['encoding: b64, content: aGVsbG8=', 'hello'],
    ['encoding: base64, content: "aGVs bG8=\\n"', 'hello'],
    [`encoding: gz+base64, content: ${gzip64}`, 'hello'],
    [`encoding: gzip+b64, content: ${gzip64}`, 'hello'],
    [`encoding: gz, content: !!binary ${gzip64}`, 'hello'],
    ['encoding: text/plain, content: hello', 'hello'],
    ['encoding: ""', ''],
    ['content: !!binary aGVsbG8=', 'hello'],
    ['content: 0777', '0777'],
    ['content: "{{ .Values.os.vendor }} }}"', 'debian }}'],
  ])('%s is %j', async (entry, expected) => {
    const root = temporaryRoot({ 'etc/os-release': 'ID=debian\n' });
    const result = await write(root, `path: /f, permissions: 0600, ${entry}`);
    expect(failuresOf(result)).toEqual([]);
    expect(result.problems).toEqual([]);
    expect(readFileSync(root.resolve('/f'), 'utf8')).toBe(expected);
    expect(modeOf(root, '/f')).toBe('600');
    expect(result.steps[0]?.changedFiles).toEqual(['/f']);
  });

  it.each([
    ['b64', 'a', 'files: /f: the content is not valid base64'],
    ['base64', '?', 'files: /f: the content is not valid base64'],
    ['gz', 'plain', 'files: /f: the content is not valid gzip data'],
    ['gz+b64', 'aGVsbG8=', 'files: /f: the content is not valid gzip data'],
  ])('broken %s leaves the old file as it was', async (encoding, content, failure) => {
    const root = temporaryRoot({ f: 'old' });
    const result = await write(root, `path: /f, permissions: 0600, encoding: ${encoding}, content: "${content}"`);
    expect(failuresOf(result)).toEqual([failure]);
    expect(readFileSync(root.resolve('/f'), 'utf8')).toBe('old');
    expect(root.list('/')).toEqual(['f']);
  });

  it('an unknown encoding is warned about, the content is written as it is', async () => {
    const root = temporaryRoot();
    const result = await write(root, 'path: /f, permissions: 0600, encoding: base-64, content: aGk=');
    expect(result.problems.map(({ message }) => message)).toEqual([
      '/f: the encoding "base-64" is not known, the content is written as it is ' +
        '(known: b64, base64, gz, gzip, gz+base64, gzip+base64, gz+b64, gzip+b64)',
    ]);
    expect(readFileSync(root.resolve('/f'), 'utf8')).toBe('aGk=');
  });

  it('a template that is not understood is written unexpanded, with a warning', async () => {
    const root = temporaryRoot();
    const content = "docker ps --format '{{ json . }}' {{ .Values.os.name }}";
    const result = await write(root, `path: /f, permissions: 0600, content: "${content}"`);
    expect(result.outcome).toBe('ok');
    expect(readFileSync(root.resolve('/f'), 'utf8')).toBe(content);
    expect(result.problems[0]?.message).toMatch(/^\/f: its template is left as it is: 1:\d+: /);
  });

  it('bytes that are no text are kept', () => {
    const bytes = Uint8Array.from([0, 255, 123, 123, 10]);
    expect(decodeContent({ content: bytes }, { warn: () => {} })).toEqual(bytes);
  });
});

describe('mode and owner', () => {
  it('set-id and sticky bits are kept', async () => {
    const root = temporaryRoot();
    expect(failuresOf(await write(root, 'path: /f, permissions: 04755'))).toEqual([]);
    expect(modeOf(root, '/f')).toBe('4755');
  });

  it.each([
    ['permissions: 0600', '600', '700'],
    ['permissions: 0644', '644', '744'],
    ['permissions: 0755', '755', '755'],
    ['permissions: 0', '0', '100'],
    ['content: x', '644', '755'],
    ['permissions: 0666', '666', '744'],
    ['permissions: 0660', '660', '740'],
    ['permissions: 0777', '777', '755'],
  ])('%s: the file gets %s, missing parents %s', async (entry, mode, parentMode) => {
    const root = temporaryRoot();
    const result = await write(root, `path: /x/y/z, ${entry}`);
    expect(failuresOf(result)).toEqual([]);
    expect([modeOf(root, '/x/y/z'), modeOf(root, '/x/y'), modeOf(root, '/x')]).toEqual([mode, parentMode, parentMode]);
    expect(result.steps[0]?.changedFiles).toEqual(['/x', '/x/y', '/x/y/z']);
  });

  it('an existing file gets the mode that is written; existing parents keep theirs', async () => {
    const root = temporaryRoot({ 'd/f': 'old' });
    await write(root, 'path: /d/f, permissions: 0600, content: new');
    expect([modeOf(root, '/d/f'), modeOf(root, '/d')]).toEqual(['600', '755']);
  });

  it.each(['me', 'me:us', '7', `${self.uid}`, `me:${self.gid}`])(
    'ownerstring %s is looked up in the root',
    async (owner) => {
      const root = temporaryRoot({
        'etc/passwd': `me:x:${self.uid}:${self.gid}::/:\nseven:x:7:7::/:\n`,
        'etc/group': `us:x:${self.gid}:\n`,
      });
      const result = await runSteps(root, `- files: [{path: /f, permissions: 0600, ownerstring: "${owner}"}]`);
      if (owner === '7' && self.uid !== 0) return expect(failuresOf(result)).toHaveLength(1);
      expect(failuresOf(result)).toEqual([]);
      const { uid, gid } = statSync(root.resolve('/f'));
      expect([uid, gid]).toEqual(owner === '7' ? [7, 7] : [self.uid, self.gid]);
    },
  );

  it.each([
    ['nobody-here', 'files: there is no user "nobody-here" (users are looked up in /etc/passwd)'],
    ['0:nowhere', 'files: there is no group "nowhere" (groups are looked up in /etc/group)'],
  ])('ownerstring %s: the file is not written', async (owner, failure) => {
    const root = temporaryRoot();
    expect(failuresOf(await write(root, `path: /f, permissions: 0600, ownerstring: "${owner}"`))).toEqual([failure]);
    expect(root.exists('/f')).toBe(false);
  });
});

describe('what is there already', () => {
  it('an unchanged file is left alone', async () => {
    const root = temporaryRoot();
    await write(root, 'path: /f, permissions: 0600, content: x');
    const before = statSync(root.resolve('/f'));
    const again = await write(root, 'path: /f, permissions: 0600, content: x');
    expect(again.steps[0]?.changedFiles).toEqual([]);
    expect(statSync(root.resolve('/f')).ino).toBe(before.ino);
  });

  it('a link stays a link; the file it points to inside the root is replaced', async () => {
    const root = temporaryRoot({ 'run/stub': 'old' });
    mkdirSync(join(root.directory, 'etc'));
    symlinkSync('/run/stub', join(root.directory, 'etc/resolv.conf'));
    await write(root, 'path: /etc/resolv.conf, permissions: 0600, content: new');
    expect(readlinkSync(join(root.directory, 'etc/resolv.conf'))).toBe('/run/stub');
    expect(readFileSync(join(root.directory, 'run/stub'), 'utf8')).toBe('new');
  });

  it('a link to nowhere gets its target', async () => {
    const root = temporaryRoot();
    symlinkSync('/run/systemd/stub', join(root.directory, 'resolv.conf'));
    expect(failuresOf(await write(root, 'path: /resolv.conf, permissions: 0644, content: new'))).toEqual([]);
    expect(readFileSync(join(root.directory, 'run/systemd/stub'), 'utf8')).toBe('new');
  });

  it.each(['/../../escape', '/up/escape'])('nothing is written outside of the root by %s', async (path) => {
    const outer = temporaryRoot();
    const inner = join(outer.directory, 'inner');
    mkdirSync(inner);
    symlinkSync('../../..', join(inner, 'up'));
    expect(failuresOf(await write(new Root(inner), `path: ${path}, permissions: 0600`))).toEqual([]);
    expect(outer.list('/')).toEqual(['inner']);
    expect(lstatSync(join(inner, 'escape')).isFile()).toBe(true);
  });

  it('a directory in the way is an error, and the other files are written', async () => {
    const root = temporaryRoot({ 'd/x': '' });
    const result = await runSteps(
      root,
      `- files: [{${mine}, path: /d, permissions: 0600}, {${mine}, permissions: 0600}, {${mine}, path: /e, permissions: 0600}]`,
    );
    expect(failuresOf(result)).toEqual(['files: /d is a directory; a file without a path (add "path: /…")']);
    expect(root.exists('/e')).toBe(true);
  });

  it('a device is written to, not replaced', async () => {
    const result = await write(new Root('/'), 'path: /dev/null, permissions: 0600, content: gone');
    expect(failuresOf(result)).toEqual([]);
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
  });
});

describe('append', () => {
  const append = (root: Root, fields: string) => runSteps(root, `- files: [{${fields}, append: true}]`);
  it('puts content at the end once, and keeps mode and owner', async () => {
    const root = temporaryRoot({ 'etc/issue': 'old\n' });
    chmodSync(join(root.directory, 'etc/issue'), 0o640);
    const first = await append(root, 'path: /etc/issue, content: "new\\n"');
    const second = await append(root, 'path: /etc/issue, content: "new\\n"');
    expect([...failuresOf(first), ...failuresOf(second)]).toEqual([]);
    expect(root.readText('/etc/issue')).toBe('old\nnew\n');
    expect((root.stat('/etc/issue')?.mode ?? 0) & 0o7777).toBe(0o640);
    expect([first.steps[0]?.changedFiles, second.steps[0]?.changedFiles]).toEqual([['/etc/issue'], []]);
    expect(first.problems).toEqual([]);
  });
  it('takes a part of a line for no repetition', async () => {
    const root = temporaryRoot({ a: 'nonsense\n' });
    await append(root, 'path: /a, content: sense');
    await append(root, 'path: /a, content: sense');
    await append(root, 'path: /a, content: on');
    expect(root.readText('/a')).toBe('nonsense\nsenseon');
  });
  it('makes a file that is not there, and sets a mode that is given', async () => {
    const root = temporaryRoot({ a: 'x' });
    await append(root, `${mine}, path: /new/b, content: y, permissions: 0600`);
    await append(root, 'path: /a, content: "", permissions: 0600');
    expect([root.readText('/new/b'), root.readText('/a')]).toEqual(['y', 'x']);
    expect(['/a', '/new/b'].map((path) => (root.stat(path)?.mode ?? 0) & 0o7777)).toEqual([0o600, 0o600]);
  });
});

describe('what can not be written', () => {
  it.each([
    ['/there/', 'files: /there/ is the name of a directory, not of a file'],
    ['/file/below', "files: /file/below can't be written: not a directory"],
    ['/pipe', 'files: /pipe is a pipe'],
    [`/long/${'a'.repeat(256)}`, /^files: \/long\/a+ can't be written: name too long$/],
  ])('%s is told by its name, and the next file is written', async (path, failure) => {
    const root = temporaryRoot({ file: 'x' });
    execFileSync('mkfifo', [join(root.directory, 'pipe')]);
    const result = await runSteps(
      root,
      `- files: [{${mine}, path: ${path}, permissions: 0644}, {${mine}, path: /next, permissions: 0644}]`,
    );
    expect(failuresOf(result)).toEqual([typeof failure === 'string' ? failure : expect.stringMatching(failure)]);
    expect(root.exists('/next')).toBe(true);
  });
});
