// The codec of GRUB's environment block, and how a block file is written.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  BLOCK_SIZE,
  parseGrubEnvironment,
  readGrubEnvironment,
  serialiseGrubEnvironment,
  writeGrubEnvironment,
} from '../../../src/boot/grub-environment.ts';

const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,10}$/);
const value = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => Buffer.from(text).toString());
const variables = fc.array(fc.tuple(name, value), { maxLength: 8 }).map((entries) => new Map(entries));

test('an empty block is the signature and padding', () => {
  const block = serialiseGrubEnvironment(new Map());
  expect(block.length).toBe(1024);
  expect(block.toString()).toBe(`# GRUB Environment Block\n${'#'.repeat(999)}`);
});

test('backslashes and line ends are protected', () => {
  const block = serialiseGrubEnvironment(new Map([['a', 'x\\y\nz']]));
  expect(block.toString()).toContain('\na=x\\\\y\\\nz\n#');
});

test('whatever is written is read back', () => {
  fc.assert(
    fc.property(variables, (all) => {
      const block = serialiseGrubEnvironment(all);
      expect(block.length).toBe(BLOCK_SIZE);
      expect(parseGrubEnvironment(block)).toEqual(all);
    }),
  );
});

test('comments between variables are skipped', () => {
  const text = '# GRUB Environment Block\n# WARNING: hands off\na=1\n# more\nb=2\n####';
  expect(Object.fromEntries(parseGrubEnvironment(Buffer.from(text)))).toEqual({ a: '1', b: '2' });
});

test('no bytes after the signature break the reader', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 999 }), (bytes) => {
      const block = Buffer.concat([Buffer.from('# GRUB Environment Block\n'), bytes]);
      expect(() => parseGrubEnvironment(block)).not.toThrow();
    }),
  );
});

test.each([
  ['too many bytes', new Map([['a', 'x'.repeat(997)]]), 'the variables need 1025 bytes'],
  ['a name with =', new Map([['a=b', 'x']]), '"a=b" can\'t be the name'],
  ['an empty name', new Map([['', 'x']]), '"" can\'t be the name'],
])('%s are refused', (_, all, message) => {
  expect(() => serialiseGrubEnvironment(all)).toThrow(message);
});

test('a full block is no error', () => {
  expect(serialiseGrubEnvironment(new Map([['a', 'x'.repeat(996)]])).at(-1)).toBe(0x0a);
});

describe('a block file', () => {
  let directory = '';
  let file = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-grubenv-'));
    file = join(directory, 'grubenv');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('is made, then changed in its place', () => {
    expect(readGrubEnvironment(file)).toEqual(new Map());
    writeGrubEnvironment(file, { next_entry: 'fallback', saved_entry: 'cos' });
    const { ino } = statSync(file);
    writeGrubEnvironment(file, { next_entry: undefined, timeout: '1' });
    expect(Object.fromEntries(readGrubEnvironment(file))).toEqual({ saved_entry: 'cos', timeout: '1' });
    expect(statSync(file)).toMatchObject({ ino, size: 1024 });
  });

  test('that doesn’t fit stays as it was', () => {
    writeGrubEnvironment(file, { a: '1' });
    const before = readFileSync(file);
    expect(() => writeGrubEnvironment(file, { b: 'x'.repeat(1000) })).toThrow(/1024/);
    expect(readFileSync(file)).toEqual(before);
  });

  test('of another size gets GRUB’s size', () => {
    writeFileSync(file, '# GRUB Environment Block\na=1\n');
    writeGrubEnvironment(file, { b: '2' });
    expect(Object.fromEntries(readGrubEnvironment(file))).toEqual({ a: '1', b: '2' });
    expect(statSync(file).size).toBe(1024);
  });

  test('that a crash left empty is filled', () => {
    writeFileSync(file, '');
    writeGrubEnvironment(file, { a: '1' });
    expect(Object.fromEntries(readGrubEnvironment(file))).toEqual({ a: '1' });
  });

  test('that is something else is not overwritten', () => {
    writeFileSync(file, 'precious');
    expect(() => writeGrubEnvironment(file, { a: '1' })).toThrow(/no GRUB environment block/);
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });
});
