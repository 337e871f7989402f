// Ledgers as text: what is written comes back, and whatever a disk gives is either a ledger or an error.

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Cause, Ledger, LedgerEntry, StepCause } from '../../../src/ledger/entry.ts';
import { parseLedger, readLedger, renderLedger, writeLedger } from '../../../src/ledger/ledger-file.ts';
import type { TreeObject } from '../../../src/overlay/rebase/tree-object.ts';
import { HoldfastError } from '../../../src/system/errors.ts';

const UUID = '0b7f2ad0-6c11-4c0e-9f57-3f9f3b1ac1d2';
const step: StepCause = {
  stage: 'after-upgrade-chroot',
  file: '/oem/90_mine.yaml',
  line: 4,
  name: 'Install vim',
  definition: `sha256:${'a'.repeat(64)}`,
  at: '2026-11-20T10:00:00.000Z',
};
const object: TreeObject = {
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  sizeBytes: 3,
  mtimeNs: 1_700_000_000_123_456_789n,
  ctimeNs: 0n,
  inode: 0n,
  links: 1,
  device: 0n,
  storedBytes: 3,
  isSparse: false,
  linkTarget: '',
  xattrs: new Map([['user.x', Buffer.from([0, 255])]]),
  flags: 'i',
  digest: `sha256:${'b'.repeat(64)}`,
};
const entry: LedgerEntry = {
  path: 'etc/\xff name',
  kind: 'changed',
  before: object,
  after: { ...object, mode: 0o4755 },
  fields: ['mode', 'xattr:user.x'],
  cause: { by: 'step', step },
  earlier: [{ ...step, line: 9 }],
  package: { name: 'vim', version: '2:9.1' },
};
const ledger: Ledger = {
  origin: { uuid: UUID, source: 'docker:os:v1', action: 'upgrade', command: 'holdfast upgrade', at: step.at },
  basis: 'pristine',
  entries: [entry],
  omitted: 0,
};

let state: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'ledger-'));
  mkdirSync(join(state, 'cOS'));
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

test('a ledger that was written is read as it was, and nobody but root may read it', () => {
  writeLedger(state, ledger);
  expect(readLedger(state, UUID)).toEqual(ledger);
  expect(statSync(join(state, `cOS/ledger-${UUID}.ndjson.gz`)).mode & 0o777).toBe(0o600);
});

test('a slot without one has none, and a name that leads elsewhere is refused', () => {
  expect(readLedger(state, UUID)).toBeUndefined();
  expect(() => readLedger(state, '../../etc/passwd')).toThrow('is no UUID');
});

const damaged: readonly [string, Uint8Array | string, RegExp][] = [
  ['no gzip', 'plain text', /incorrect header|Z_DATA_ERROR|zlib/i],
  ['another version', gzipSync('{"ledger":2}\n'), /none that is known/],
  [
    'another slot’s',
    gzipSync(renderLedger({ ...ledger, origin: { ...ledger.origin, uuid: 'other' } })),
    /another slot/,
  ],
  ['cut off in a line', gzipSync(renderLedger(ledger).slice(0, -40)), /line 2 is damaged/],
];
test.each(damaged)('%s is an error that says so', (_, bytes, message) => {
  writeFileSync(join(state, `cOS/ledger-${UUID}.ndjson.gz`), bytes);
  expect(() => readLedger(state, UUID)).toThrow(HoldfastError);
  expect(() => readLedger(state, UUID)).toThrow(message);
});

const wrong: readonly [string, object][] = [
  ['a path that climbs out', { path: '/etc/../../x', pathBytes: undefined }],
  ['a kind that there isn’t', { kind: 'moved' }],
  ['an added path that was there', { kind: 'added' }],
  ['a cause that isn’t in the list', { by: 7 }],
  ['a field that there isn’t', { fields: ['colour'] }],
  ['a mode that is none', { after: { type: 'file', mode: '999', uid: 0, gid: 0, mtimeNs: '0' } }],
];
test.each(wrong)('%s makes a line damaged', (_, change) => {
  const [head = '', line = ''] = renderLedger(ledger).split('\n');
  const changed = JSON.stringify({ ...JSON.parse(line), ...change });
  expect(() => parseLedger(`${head}\n${changed}\n`)).toThrow('line 2 is damaged');
});

const causes: fc.Arbitrary<Cause> = fc.oneof(
  fc.constant<Cause>({ by: 'holdfast' }),
  fc.constant<Cause>({ by: 'unknown' }),
  fc.record({ by: fc.constant('hook' as const), stage: fc.string() }),
  fc.record({ line: fc.nat(), name: fc.string() }).map((one): Cause => ({ by: 'step', step: { ...step, ...one } })),
);
const names = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map((bytes) => Buffer.from(bytes).toString('latin1').replace(/[/\0]/g, 'x'))
  .filter((name) => name !== '.' && name !== '..');

test('any paths, causes and packages come back', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(names, names, causes, fc.string())), (all) => {
      const entries = all.map(([directory, name, cause, version]): LedgerEntry => {
        const path = `${directory}/${name}`;
        return { path, kind: 'added', after: object, fields: [], cause, earlier: [], package: { name: 'p', version } };
      });
      expect(parseLedger(renderLedger({ ...ledger, entries })).entries).toEqual(entries);
    }),
  );
});

test('whatever the text is, it is a ledger or an error', () => {
  const [head = '', line = ''] = renderLedger(ledger).split('\n');
  fc.assert(
    fc.property(fc.constantFrom(head, line), fc.nat(2000), fc.string(), (part, at, text) => {
      const broken = `${part.slice(0, at % part.length)}${text}${part.slice(at % part.length)}`;
      const whole = part === head ? `${broken}\n${line}\n` : `${head}\n${broken}\n`;
      try {
        expect(parseLedger(whole).entries.every(({ path }) => !path.split('/').includes('..'))).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
  );
});
