// Where trust is kept: private files by encoded names, replaced as a whole, one run at a time; what can't be used is refused.

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
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UndoStack } from '../../../../src/system/plan.ts';
import { whyForgotten } from '../../../../src/trust/notary/lasting-place.ts';
import { formatStoredTrust, parseStoredTrust, type StoredTrust } from '../../../../src/trust/notary/stored-trust.ts';
import { copyTrust, directoryName, TRUST_DIRECTORY, TrustStore } from '../../../../src/trust/notary/trust-store.ts';
import { verifyNotary } from '../../../../src/trust/notary/verify.ts';
import { filesOf, GUN, goodRepository, question, SERVER, serve } from './repository.ts';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'holdfast-trust-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const place = () => join(mkdtempSync(join(scratch, 'oem-')), 'holdfast/trust');
const mode = (path: string) => statSync(path).mode & 0o777;

async function filled(directory = place()): Promise<{ directory: string; file: string }> {
  await verifyNotary(question(filesOf(goodRepository()), { store: new TrustStore(directory) }));
  const [entry] = new TrustStore(directory).of(GUN);
  if (entry === undefined) throw new TypeError('nothing was stored');
  return { directory, file: entry.file };
}

test('a record is private, whole, and the only thing that is left', async () => {
  const { directory, file } = await filled();
  expect([directory, dirname(file), file].map(mode)).toEqual([0o700, 0o700, 0o600]);
  expect(readdirSync(directory)).toEqual(['registry.example%3A5000%2Fos%2Fbase']);
  expect(readdirSync(dirname(file))).toEqual([expect.stringMatching(/^[0-9a-f]{16}\.json$/)]);
  const stored = parseStoredTrust(readFileSync(file, 'utf8'), file);
  expect(stored).toMatchObject({ gun: GUN, server: SERVER, versions: { timestamp: 3, snapshot: 3, targets: 3 } });
  expect(parseStoredTrust(formatStoredTrust(stored), file)).toEqual(stored);
});

test('servers are told apart', async () => {
  const { directory } = await filled();
  const store = new TrustStore(directory);
  await verifyNotary(question(filesOf(goodRepository()), { store, server: 'https://mirror.example' }));
  const listed = store.of(GUN).flatMap((entry) => ('stored' in entry ? [entry.stored.server] : []));
  expect(listed.sort()).toEqual(['https://mirror.example', SERVER]);
});

describe('a record that can’t be used is refused and left alone', () => {
  const damage: [string, (stored: StoredTrust) => string][] = [
    ['cut off', (stored) => formatStoredTrust(stored).slice(0, 200)],
    ['empty', () => ''],
    ['of a format that is not known', (stored) => JSON.stringify({ ...stored, format: 2 })],
    ['with a version that is none', (stored) => JSON.stringify({ ...stored, versions: { targets: -1 } })],
    ['with something unknown in it', (stored) => JSON.stringify({ ...stored, more: 1 })],
    ['without a root', (stored) => JSON.stringify({ ...stored, root: '' })],
    ['of another repository', (stored) => JSON.stringify({ ...stored, gun: 'quay.io/os' })],
    ['of another server', (stored) => JSON.stringify({ ...stored, server: 'https://evil.example' })],
  ];
  test.each(damage)('%s', async (_, change) => {
    const { directory, file } = await filled();
    const text = change(parseStoredTrust(readFileSync(file, 'utf8'), file));
    writeFileSync(file, text);
    const asked: string[] = [];
    const http = { exchange: serve(new Map(), asked) };
    await expect(verifyNotary(question(new Map(), { store: new TrustStore(directory), http }))).rejects.toMatchObject({
      reason: 'state-corrupt',
      message: expect.stringContaining(file),
    });
    expect(asked).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  test('a directory in its place', async () => {
    const { directory, file } = await filled();
    rmSync(file);
    mkdirSync(file);
    const asked = verifyNotary(question(new Map(), { store: new TrustStore(directory) }));
    await expect(asked).rejects.toMatchObject({ reason: 'state-corrupt' });
  });
});

test('a place that can’t be made is refused without a pin', async () => {
  const file = join(mkdtempSync(join(scratch, 'oem-')), 'file');
  writeFileSync(file, '');
  await expect(
    verifyNotary(question(filesOf(goodRepository()), { store: new TrustStore(join(file, 'trust')) })),
  ).rejects.toMatchObject({ reason: 'state-not-writable', message: expect.stringContaining(file) });
});

test('two runs of one repository wait for each other', async () => {
  const directory = place();
  const repository = goodRepository();
  const store = new TrustStore(directory);
  const order: string[] = [];
  const slow = (name: string) => {
    const fetch = serve(filesOf(repository));
    return {
      credentials: async () => undefined,
      exchange: async (url: string) => {
        order.push(name);
        return fetch(url);
      },
    };
  };
  await Promise.all(['a', 'b'].map((name) => verifyNotary(question(new Map(), { store, http: slow(name) }))));
  expect(['aaaabbbb', 'bbbbaaaa']).toContain(order.join(''));
});

test('forgetting takes away one repository and leaves the others', async () => {
  const { directory } = await filled();
  const store = new TrustStore(directory);
  const undo = new UndoStack();
  expect(await store.forget('quay.io/os', undo)).toBe(false);
  expect(await store.forget(GUN, undo)).toBe(true);
  expect(await undo.unwind(false)).toEqual([]);
  expect(store.list()).toEqual([]);
});

test('an installation takes it along, and does not replace what is there', async () => {
  const { directory, file } = await filled();
  const target = place();
  expect(copyTrust(directory, target)).toEqual([GUN]);
  const [copied] = new TrustStore(target).of(GUN);
  expect(readFileSync(copied?.file ?? '', 'utf8')).toBe(readFileSync(file, 'utf8'));
  expect(mode(target)).toBe(0o700);
  expect(copyTrust(directory, target)).toEqual([]);
  expect(copyTrust(join(scratch, 'nothing'), target)).toEqual([]);
});

test('a damaged record is listed with what is wrong', async () => {
  const { directory, file } = await filled();
  writeFileSync(file, '{');
  expect(new TrustStore(directory).list()).toEqual([{ file, problem: expect.stringContaining('it is not JSON') }]);
});

test('names become file names that differ and stay in their directory', () => {
  const part = fc.stringMatching(/^[a-z0-9.:_/-]{1,300}$/);
  fc.assert(
    fc.property(part, part, (a, b) => {
      const name = directoryName(a);
      expect(name).toMatch(/^[^./][^/]{0,199}$/);
      if (a !== b) expect(name).not.toBe(directoryName(b));
    }),
  );
  expect(directoryName('..')).toBe('%2E.');
});

describe('a place that the next boot forgets', () => {
  const forgetful = (directory: string) => new TrustStore(directory, async () => 'no partition is mounted at /oem');
  const pin = { certs: { [GUN]: ['f'.repeat(64)] } };

  test('is refused at first use, and nothing is made there', async () => {
    const directory = place();
    await expect(
      verifyNotary(question(filesOf(goodRepository()), { store: forgetful(directory) })),
    ).rejects.toMatchObject({
      reason: 'state-not-writable',
      message: expect.stringContaining('no partition is mounted at /oem'),
      hint: expect.stringContaining('mount the OEM partition'),
    });
    expect(existsSync(directory)).toBe(false);
  });

  test('leaves a pin to decide', async () => {
    const verified = verifyNotary(question(filesOf(goodRepository()), { store: forgetful(place()), pins: pin }));
    // It comes as far as the pin, which is of another key.
    await expect(verified).rejects.toMatchObject({ reason: 'pin-mismatch' });
  });

  test.each<[string, string, boolean, boolean, boolean]>([
    ['an installed system whose OEM is not mounted', TRUST_DIRECTORY, false, true, true],
    ['an installed system with OEM', TRUST_DIRECTORY, true, true, false],
    ['a live medium', TRUST_DIRECTORY, false, false, false],
    ['another directory', '/var/lib/trust', false, true, false],
    ['another directory with a name like it', '/oem2/trust', false, true, false],
    ['one that leads there', '/var/../oem/mine', false, true, true],
  ])('%s', async (_name, directory, oemIsMounted, isInstalled, isForgotten) => {
    const machine = {
      isMounted: (at: string) => at === '/oem' && oemIsMounted,
      isInstalled: async () => isInstalled,
    };
    const why = await whyForgotten(directory, machine);
    expect(why).toEqual(isForgotten ? expect.stringContaining('forgotten at the next boot') : undefined);
  });
});
