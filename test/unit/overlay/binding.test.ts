// Sidecars and names: what is written is read back, what anyone else has written is checked, and a directory full of other
// files never counts as an overlay.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import {
  BINDING_STATES,
  type Binding,
  parseBinding,
  readBinding,
  serialiseBinding,
  writeBinding,
} from '../../../src/overlay/binding.ts';
import { inspectCandidate, readTries } from '../../../src/overlay/candidate.ts';
import { type Fingerprint, parseFingerprint } from '../../../src/overlay/fingerprint.ts';
import {
  asideFile,
  conflictsDirectory,
  cowFile,
  defaultSetPath,
  memberOf,
  packagesDirectory,
  problemOfSetPath,
  sidecarFile,
  triesFile,
  unfinishedFile,
} from '../../../src/overlay/names.ts';
import { basesOf, findSets, listSetFiles } from '../../../src/overlay/overlay-set.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-binding-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function fingerprint(digits: string): Fingerprint {
  const parsed = parseFingerprint(digits.repeat(8).slice(0, 64));
  if (parsed === undefined) throw new Error(digits);
  return parsed;
}
const FP = fingerprint('0123456789abcdef');
const BINDING: Binding = {
  fingerprint: FP,
  baseSizeBytes: 3 * 2 ** 30,
  created: '2026-01-02T03:04:05.678Z',
  state: 'ready',
  filesystem: 'ext4',
};

describe('sidecars', () => {
  const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 });
  const fingerprints = hex.map(fingerprint);
  const bindings: fc.Arbitrary<Binding> = fc.record(
    {
      fingerprint: fingerprints,
      baseSizeBytes: fc.integer({ min: 1, max: 2 ** 45 }),
      created: fc
        .date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true })
        .map((date) => date.toISOString()),
      state: fc.constantFrom(...BINDING_STATES),
      filesystem: fc.constantFrom('ext2', 'ext3', 'ext4'),
      baseSha256: hex,
      parent: fingerprints,
      note: fc.string({ unit: fc.constantFrom('a', '=', '1', 'ü'), minLength: 1, maxLength: 40 }),
    },
    { requiredKeys: ['fingerprint', 'baseSizeBytes', 'created', 'state', 'filesystem'] },
  );

  test('are read as they were written', () => {
    fc.assert(
      fc.property(bindings, (binding) => {
        expect(parseBinding(serialiseBinding(binding))).toEqual(binding);
      }),
    );
  });

  test('keys of a later version are passed over', () => {
    expect(parseBinding(`${serialiseBinding(BINDING)}colour=blue\nnonsense\n`)).toEqual(BINDING);
  });

  test('a note can’t add a line', () => {
    const text = serialiseBinding({ ...BINDING, state: 'quarantined', note: 'bad\nstate=ready\nfp=x' });
    expect(text.split('\n').filter((line) => line.startsWith('state='))).toEqual(['state=quarantined']);
  });

  test('a note of somebody else can’t reach into a terminal', () => {
    const text = `${serialiseBinding(BINDING)}note=\u001b]0;x\u0007\u001b[2Jgone\r${'y'.repeat(2000)}\n`;
    const parsed = parseBinding(text);
    expect('note' in parsed && parsed.note).toMatch(/^ \]0;x \[2Jgone y{400}/);
    expect('note' in parsed && parsed.note?.length).toBe(500);
  });

  test.each([
    ['format=1', 'format=2', 'its format is "2"'],
    ['format=1', '', 'its format is missing'],
    [/fp=.*/, 'fp=0123', 'it names no base'],
    [/fp=.*/, `fp=${'A'.repeat(64)}`, 'it names no base'],
    [/base_size=.*/, 'base_size=-1', 'base_size is "-1"'],
    [/base_size=.*/, 'base_size=1e9', 'base_size is "1e9"'],
    [/base_size=.*/, 'base_size=9999999999999999', 'base_size is'],
    ['state=ready', 'state=$(reboot)', 'its state is "$(reboot)"'],
    [/created=.*/, 'created=yesterday', 'created is "yesterday"'],
    [/filesystem=.*/, 'filesystem=../../ext4', 'filesystem is'],
    [/$/, 'parent=short\n', 'parent is "short"'],
    [/$/, 'base_sha256=zz\n', 'base_sha256 is "zz"'],
  ])('%s made %j is refused', (from, to, problem) => {
    expect(parseBinding(serialiseBinding(BINDING).replace(from, to))).toEqual({
      problem: expect.stringContaining(problem),
    });
  });

  test('whatever stands in one, it is a binding or a problem', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const parsed = parseBinding(text);
        return 'problem' in parsed ? parsed.problem !== '' : parsed.fingerprint.length === 64;
      }),
    );
  });

  test('on the disk: for root alone, never through a link, never without limit', () => {
    const file = join(directory, 'x.bind');
    writeBinding(file, BINDING);
    expect(readBinding(file)).toEqual(BINDING);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    symlinkSync(file, join(directory, 'link.bind'));
    expect(readBinding(join(directory, 'link.bind'))).toEqual({ problem: 'it is no regular file' });
    writeFileSync(file, `${serialiseBinding(BINDING)}${'x'.repeat(5000)}`);
    expect(readBinding(file)).toEqual({ problem: expect.stringContaining('4096 are the most') });
    expect(readBinding(join(directory, 'nothing.bind'))).toBeUndefined();
  });
});

describe('names', () => {
  const set = '/o/persist.img';
  const cow = cowFile(set, FP);
  const digits = '0123456789abcdef';
  const ASIDE = new Date('2026-01-31T08:15:00.123Z');
  test.each([
    [set, { kind: 'cow', digits: undefined }],
    [cow, { kind: 'cow', digits }],
    [sidecarFile(set), { kind: 'sidecar', digits: undefined }],
    [sidecarFile(cow), { kind: 'sidecar', digits }],
    [triesFile(cow), { kind: 'tries', digits }],
    [unfinishedFile(cow), { kind: 'unfinished', digits }],
    [packagesDirectory(cow), { kind: 'packages', digits }],
    [conflictsDirectory(set), { kind: 'conflicts' }],
    [asideFile(cow, ASIDE, () => false), { kind: 'aside', digits, at: '20260131T081500Z' }],
    [asideFile(cow, ASIDE, (file) => !file.includes('Z-2')), { kind: 'aside', digits, at: '20260131T081500Z-2' }],
    [
      sidecarFile(asideFile(set, ASIDE, () => false)),
      { kind: 'aside-sidecar', digits: undefined, at: '20260131T081500Z' },
    ],
    ['/o/persist.image', undefined],
    ['/o/persist.img2', undefined],
    ['/o/persist.img.0123', undefined],
    ['/o/persist.img.0123456789ABCDEF', undefined],
    ['/o/persist.img.bind.tmp', undefined],
    ['/o/other', undefined],
  ])('%s', (path, member) => {
    expect(memberOf(set, path.slice('/o/'.length))).toEqual(member);
  });

  test.each([
    ['/a', undefined],
    ['/deep/er/name-1.img', undefined],
    ['a', 'must be absolute'],
    ['/a/../b', '. or ..'],
    ['/a/', 'a file, not a directory'],
    ['/', 'a file, not a directory'],
    ['/a b', 'blanks'],
    ['/a\nb', 'no file name'],
    [`/${'n'.repeat(230)}`, 'too long'],
    [`/${'n'.repeat(210)}`, undefined],
  ])('%j as a set: %s', (path, problem) => {
    if (problem === undefined) expect(problemOfSetPath(path)).toBeUndefined();
    else expect(problemOfSetPath(path)).toContain(problem);
  });

  test('dracut’s default name', () => {
    expect(defaultSetPath('LiveOS', { label: 'COS_STATE', uuid: 'u-1' })).toBe('/LiveOS/overlay-COS_STATE-u-1');
    expect(defaultSetPath('/x/', { uuid: 'u-1' })).toBe('/x/overlay--u-1');
  });
});

test('a directory of an owner, with two sets and other files in it', () => {
  const at = join(directory, 'disk');
  mkdirSync(at);
  const other = fingerprint('fedcba9876543210');
  for (const name of [
    'one.img',
    'one.img.bind',
    `one.img.${FP.slice(0, 16)}`,
    `one.img.${FP.slice(0, 16)}.bind`,
    `one.img.${other.slice(0, 16)}`,
    'one.image',
    'photos.tar',
    `two.${FP.slice(0, 16)}.bind`,
    'one.img.aside-20260131T081500Z',
    'one.img.aside-20260131T081500Z.bind',
  ])
    writeFileSync(join(at, name), '');
  expect(findSets(at)).toEqual([join(at, 'one.img'), join(at, 'two')]);
  expect(basesOf(join(at, 'one.img'))).toEqual(['0123456789abcdef', 'fedcba9876543210']);
  expect(listSetFiles(join(at, 'one.img')).length).toBe(7);
  expect(listSetFiles(join(directory, 'nowhere/x'))).toEqual([]);
  expect(readdirSync(at).length).toBe(10);
});

describe('candidates', () => {
  test('what isn’t a regular file is never opened', () => {
    symlinkSync('/etc/passwd', join(directory, 'link'));
    mkdirSync(join(directory, 'folder'));
    expect(inspectCandidate(join(directory, 'link'))).toMatchObject({ kind: 'link' });
    expect(inspectCandidate(join(directory, 'folder'))).toMatchObject({ kind: 'directory' });
    expect(inspectCandidate('/dev/null')).toMatchObject({ kind: 'special' });
    expect(inspectCandidate(join(directory, 'none'))).toMatchObject({ kind: 'missing' });
    writeFileSync(join(directory, 'empty'), '');
    expect(inspectCandidate(join(directory, 'empty'))).toMatchObject({ kind: 'file', start: { kind: 'not-a-cow' } });
  });

  test.each([
    ['2\n', 2],
    ['3', 3],
    ['', 0],
    ['many', 999],
    ['99999\n', 99_999],
    ['9'.repeat(40), 999],
    ['2\n\0\0\0', 999],
  ])('tries %j', (text, count) => {
    const file = join(directory, 'x.tries');
    writeFileSync(file, text);
    expect(readTries(file)).toBe(count);
  });
});
