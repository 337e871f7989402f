// Which COW is used for a base: the order, the one rule that nothing breaks (never over another base), and one test for each
// thing that can be wrong with an otherwise good file.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Binding } from '../../../src/overlay/binding.ts';
import type { Candidate } from '../../../src/overlay/candidate.ts';
import { chooseCow, type SetFacts } from '../../../src/overlay/choose.ts';
import { CHUNK_BYTES } from '../../../src/overlay/cow-geometry.ts';
import { type Fingerprint, parseFingerprint } from '../../../src/overlay/fingerprint.ts';
import { MIB } from '../../../src/overlay/sizes.ts';

type File = Extract<Candidate, { kind: 'file' }>;

function fingerprint(digit: string): Fingerprint {
  const parsed = parseFingerprint(digit.repeat(64));
  if (parsed === undefined) throw new Error(digit);
  return parsed;
}
const [RUNNING, OTHER] = [fingerprint('a'), fingerprint('b')];
const binding = (changes: Partial<Binding> = {}): Binding => ({
  fingerprint: RUNNING,
  baseSizeBytes: 3072 * MIB,
  created: '2026-01-02T03:04:05.000Z',
  state: 'ready',
  filesystem: 'ext4',
  ...changes,
});
const file = (changes: Partial<File> = {}): File => ({
  kind: 'file',
  file: '/o/p.img',
  sizeBytes: 300 * MIB,
  allocatedBytes: 300 * MIB,
  uid: 0,
  mode: 0o600,
  start: { kind: 'cow', valid: true, chunkSectors: 8 },
  binding: binding(),
  tries: 0,
  ...changes,
});
const missing = (name: string): Candidate => ({ kind: 'missing', file: name });
const facts = (changes: Partial<SetFacts> = {}): SetFacts => ({
  shown: '/dev/sdb:/p.img',
  fingerprint: RUNNING,
  own: missing('/o/p.img.aaaaaaaaaaaaaaaa'),
  seed: missing('/o/p.img'),
  others: [],
  freeBytes: 100 * MIB,
  ...changes,
});
const choose = (changes: Partial<SetFacts>, adopt = false) => chooseCow(facts(changes), { adopt });

describe('the order', () => {
  const own = file({ file: '/o/p.img.aaaaaaaaaaaaaaaa' });
  const blank = file({ start: { kind: 'blank' }, binding: undefined });
  test.each<[string, Partial<SetFacts>, object]>([
    ['the file of this base', { own, seed: blank }, { file: own.file, bind: 'already' }],
    ['the seed that is bound to it', { seed: file() }, { file: '/o/p.img', bind: 'already' }],
    ['a blank seed, which is bound now', { seed: blank }, { file: '/o/p.img', bind: 'blank' }],
    ['a blank file of this base without a sidecar', { own: { ...blank, file: own.file } }, { bind: 'blank' }],
  ])('%s', (_, changes, expected) => {
    expect(choose(changes)).toMatchObject({
      use: true,
      allocateBytes: 0,
      cutToBytes: undefined,
      warnings: [],
      ...expected,
    });
  });

  test('a bad file of this base is not passed over for the seed', () => {
    const bad = file({ file: own.file, binding: binding({ state: 'quarantined' }) });
    expect(choose({ own: bad, seed: blank })).toMatchObject({ use: false, reason: 'quarantined' });
  });

  test('a file of unknown origin is used on its owner’s word only', () => {
    const unknown = file({ binding: undefined });
    expect(choose({ seed: unknown })).toMatchObject({
      use: false,
      reason: 'unbound',
      hint: expect.stringContaining('adopt'),
    });
    expect(choose({ seed: unknown }, true)).toMatchObject({ use: true, bind: 'adopted' });
  });
});

describe('what is wrong has one word and a sentence', () => {
  test.each<[string, Partial<SetFacts>, string, string]>([
    ['nothing there', {}, 'file-missing', 'does not exist'],
    ['only files of other bases', { others: ['cccccccccccccccc'] }, 'mismatch', 'cccccccccccccccc'],
    ['a link', { seed: { kind: 'link', file: '/o/p.img' } }, 'not-regular', 'a symbolic link'],
    ['a directory', { seed: { kind: 'directory', file: '/o/p.img' } }, 'not-regular', 'a directory'],
    ['a pipe', { own: { kind: 'special', file: '/o/p.img' } }, 'not-regular', 'no regular file'],
    ['another base', { seed: file({ binding: binding({ fingerprint: OTHER }) }) }, 'mismatch', 'rd.cos.debugrw'],
    ['a name that lies', { own: file({ binding: binding({ fingerprint: OTHER }) }) }, 'mismatch', 'disagree'],
    [
      'a sidecar of nonsense',
      { seed: file({ binding: { problem: 'it names no base' } }) },
      'unbound',
      'it names no base',
    ],
    ['work that was broken off', { own: file({ binding: binding({ state: 'building' }) }) }, 'quarantined', 'building'],
    [
      'a COW that was held back',
      { own: file({ binding: binding({ state: 'quarantined', note: 'fsck failed' }) }) },
      'quarantined',
      'fsck failed',
    ],
    ['three boots that failed', { own: file({ tries: 3 }) }, 'too-many-tries', '3 boots'],
    [
      'a file system',
      { seed: file({ binding: undefined, start: { kind: 'not-a-cow', message: 'it holds an ext file system' } }) },
      'not-a-cow',
      'ext file system',
    ],
    [
      'a damaged header',
      { own: file({ start: { kind: 'bad-header', message: 'version 7' } }) },
      'not-a-cow',
      'version 7',
    ],
    [
      'the invalid mark',
      { own: file({ start: { kind: 'cow', valid: false, chunkSectors: 8 } }) },
      'invalid',
      'ran full',
    ],
    ['next to nothing', { own: file({ sizeBytes: 4096, allocatedBytes: 4096 }) }, 'truncated', '4096 bytes'],
    ['holes and no room for them', { own: file({ allocatedBytes: 100 * MIB }) }, 'sparse', 'holes'],
  ])('%s', (_, changes, reason, words) => {
    expect(choose(changes)).toMatchObject({ use: false, reason, message: expect.stringContaining(words) });
  });
});

describe('what is mended', () => {
  test('holes are filled where there is room', () => {
    const choice = choose({ own: file({ allocatedBytes: 250 * MIB }) });
    expect(choice).toMatchObject({ use: true, allocateBytes: 50 * MIB, warnings: [expect.stringContaining('holes')] });
  });

  test('256 MiB are cut by one block', () => {
    const choice = choose({ own: file({ sizeBytes: 256 * MIB, allocatedBytes: 256 * MIB }) });
    expect(choice).toMatchObject({ use: true, cutToBytes: 256 * MIB - CHUNK_BYTES });
  });

  test('readers beside root are said', () => {
    expect(choose({ own: file({ mode: 0o644 }) })).toMatchObject({ warnings: [expect.stringContaining('mode 644')] });
    expect(choose({ own: file({ uid: 1000 }) })).toMatchObject({
      warnings: [expect.stringContaining('others than root')],
    });
  });

  test('two failed boots are no reason yet', () => {
    expect(choose({ own: file({ tries: 2 }) })).toMatchObject({ use: true });
  });
});

test('whatever is found, nothing is ever used over a base that it is not bound to', () => {
  const candidate = fc.oneof(
    fc.constantFrom<Candidate>(missing('/x'), { kind: 'link', file: '/x' }, { kind: 'directory', file: '/x' }),
    fc
      .record({
        sizeBytes: fc.nat(400 * MIB),
        allocatedBytes: fc.nat(400 * MIB),
        uid: fc.nat(2),
        mode: fc.nat(0o7777),
        tries: fc.nat(5),
        start: fc.constantFrom<File['start']>(
          { kind: 'blank' },
          { kind: 'cow', valid: true, chunkSectors: 8 },
          { kind: 'cow', valid: true, chunkSectors: 64 },
          { kind: 'cow', valid: false, chunkSectors: 8 },
          { kind: 'not-a-cow', message: 'm' },
          { kind: 'bad-header', message: 'm' },
        ),
        binding: fc.constantFrom<File['binding']>(
          undefined,
          { problem: 'p' },
          binding(),
          binding({ fingerprint: OTHER }),
          binding({ state: 'building' }),
          binding({ fingerprint: OTHER, state: 'quarantined' }),
        ),
      })
      .map((changes) => file(changes)),
  );
  fc.assert(
    fc.property(candidate, candidate, fc.boolean(), fc.nat(400 * MIB), (own, seed, adopt, freeBytes) => {
      const choice = choose({ own, seed, freeBytes }, adopt);
      if (!choice.use) return choice.message.length > 10 && choice.hint.length > 5;
      const used = own.kind === 'file' ? own : seed;
      if (used.kind !== 'file') return false;
      const { binding: bound, start } = used;
      if (start.kind === 'not-a-cow' || start.kind === 'bad-header') return false;
      if (start.kind === 'cow' && !start.valid) return false;
      if (choice.bind === 'already') {
        return bound !== undefined && 'state' in bound && bound.state === 'ready' && bound.fingerprint === RUNNING;
      }
      return bound === undefined && (choice.bind === 'blank' ? start.kind === 'blank' : adopt);
    }),
    { numRuns: 1000 },
  );
});
