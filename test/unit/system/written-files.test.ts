// The list of what stages wrote: read back as written, whatever the paths and whatever somebody put into it.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Root } from '../../../src/system/root.ts';
import {
  describePath,
  parseWrittenFiles,
  REMOVED,
  readWrittenFiles,
  renderWrittenFiles,
  WRITTEN_FILES,
} from '../../../src/system/written-files.ts';

let root: Root;
beforeEach(() => {
  root = new Root(mkdtempSync(join(tmpdir(), 'holdfast-written-')));
});
afterEach(() => rmSync(root.directory, { recursive: true, force: true }));

const DIGEST = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

it('any paths are read back', () => {
  const path = fc.string({ unit: 'binary' }).map((text) => `/${text}`);
  const digest = fc.constantFrom({ digest: DIGEST, attributes: '4755:0:1000' }, { digest: REMOVED, attributes: '-' });
  fc.assert(
    fc.property(fc.array(fc.tuple(path, digest)), (entries) => {
      const files = new Map(entries);
      expect(parseWrittenFiles(renderWrittenFiles(files))).toEqual(files);
    }),
  );
});

it('passes over lines that are none of ours', () => {
  const good = `${DIGEST} 644:0:0 "/etc/a"`;
  const text = [
    '# comment',
    `${DIGEST} /etc/b`,
    `${DIGEST} "relative"`,
    good,
    `${DIGEST} "/etc/c`,
    'removed - "/etc/d"',
    '',
  ];
  expect([...parseWrittenFiles(text.join('\n'))]).toEqual([
    ['/etc/a', { digest: DIGEST, attributes: '644:0:0' }],
    ['/etc/d', { digest: REMOVED, attributes: '-' }],
  ]);
});

it('a list that is no file, or is too large, is none', () => {
  mkdirSync(root.resolve(WRITTEN_FILES), { recursive: true });
  expect(readWrittenFiles(root).size).toBe(0);
  rmSync(root.resolve(WRITTEN_FILES), { recursive: true });
  writeFileSync(root.resolve(WRITTEN_FILES), `${DIGEST} - "/etc/a"\n`.padEnd((16 << 20) + 1, '\n'));
  expect(readWrittenFiles(root).size).toBe(0);
});

describe('what a path holds', () => {
  it.each([
    ['a file: its content', () => writeFileSync(join(root.directory, 'x'), 'abc'), DIGEST],
    ['a link: its target', () => symlinkSync('abc', join(root.directory, 'x')), DIGEST],
    ['nothing', () => {}, REMOVED],
    ['a directory has no place in the list', () => mkdirSync(join(root.directory, 'x')), undefined],
  ])('%s', (_, make, expected) => {
    make();
    expect(describePath(root, '/x')?.digest).toBe(expected);
  });
});
