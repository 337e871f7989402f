// What `holdfast trust` prints and does: in a directory with one repository, with a damaged record, with nothing.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import { TrustStore } from '../../../src/trust/notary/trust-store.ts';
import { verifyNotary } from '../../../src/trust/notary/verify.ts';
import { filesOf, GUN, goodRepository, question } from '../trust/notary/repository.ts';

const scratch = mkdtempSync(join(tmpdir(), 'holdfast-trust-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

let directory: string;
let keyId: string;
beforeEach(async () => {
  directory = join(mkdtempSync(join(scratch, 'oem-')), 'trust');
  const repository = goodRepository();
  keyId = repository.root.keys[0]?.id ?? '';
  await verifyNotary(question(filesOf(repository), { store: new TrustStore(directory) }));
});

async function trust(...args: string[]): Promise<{ status: number; text: string }> {
  let text = '';
  const take = (chunk: unknown) => {
    text += String(chunk);
    return true;
  };
  vi.spyOn(process.stderr, 'write').mockImplementation(take);
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  vi.spyOn(process, 'getuid').mockReturnValue(0);
  const status = await runCli(['trust', ...args, '--trust-state', directory]);
  return { status, text };
}

test('the list names each repository', async () => {
  expect(await trust('list')).toEqual({
    status: 0,
    text: `${GUN}
  server     https://registry.example:5000
  trusted    since 2026-11-21, at first use; verified last on 2026-11-21
`,
  });
});

test('one repository is shown with all that counts', async () => {
  const [entry] = new TrustStore(directory).of(GUN);
  expect(await trust('show', GUN)).toEqual({
    status: 0,
    text: `${GUN}
  server     https://registry.example:5000
  began      2026-11-21T12:00:00.000Z, at first use
             ${keyId}
  root       version 3, valid until 2030-01-01
             ${keyId}
             for "${GUN}", until 2036-01-01
  not below  timestamp 3, snapshot 3, targets 3
  last       2026-11-21T12:00:00.000Z
  file       ${entry?.file}
`,
  });
});

test('as JSON it is the same', async () => {
  const { text } = await trust('show', `${GUN}:v1`, '--json');
  expect(JSON.parse(text)).toMatchObject({
    type: 'result',
    gun: GUN,
    trust: [{ gun: GUN, versions: { targets: 3 }, root: { version: 3, keys: [{ id: keyId, names: [GUN] }] } }],
    problems: [],
  });
});

describe('forgetting', () => {
  test('is shown first with --dry-run', async () => {
    const { status, text } = await trust('forget', GUN, '--dry-run');
    expect({ status, text }).toEqual({ status: 0, text: expect.stringMatching(`^Would forget ${GUN}: the next`) });
    expect(new TrustStore(directory).of(GUN)).toHaveLength(1);
  });

  test('needs somebody to ask, or --yes', async () => {
    const { status, text } = await trust('forget', GUN);
    expect({ status, text }).toEqual({ status: 1, text: expect.stringContaining('add --yes') });
    expect(new TrustStore(directory).of(GUN)).toHaveLength(1);
    expect(await trust('forget', GUN, '--yes')).toEqual({
      status: 0,
      text: expect.stringMatching(`^Forgotten: ${GUN}\\. Now the next verification`),
    });
    expect(existsSync(directory)).toBe(true);
    expect(await trust('list')).toEqual({ status: 0, text: `Nothing is remembered in ${directory}.\n` });
  });
});

test('a damaged record is told, and can be forgotten', async () => {
  const [entry] = new TrustStore(directory).of(GUN);
  writeFileSync(entry?.file ?? '', '{');
  for (const args of [['list'], ['show', GUN]]) {
    expect(await trust(...args)).toEqual({ status: 1, text: expect.stringMatching(/^Damaged: .*it is not JSON/) });
  }
  expect(await trust('forget', GUN, '--yes')).toMatchObject({ status: 0 });
});

test.each([
  [['look'], 1, '"look" is none of list, show, forget'],
  [['list', GUN], 1, '"trust list" takes no name'],
  [['show'], 1, '"trust show" needs the name of a repository'],
  [['forget', GUN, 'quay.io/os'], 1, 'one repository at a time'],
  [['show', 'quay.io/os'], 89, 'nothing is remembered of quay.io/os'],
  [['show', 'Quay.io/OS'], 98, 'is no name of an image'],
])('holdfast trust %j is refused', async (args, status, said) => {
  expect(await trust(...args)).toEqual({ status, text: expect.stringContaining(said) });
});

test('a refusal has its name in JSON', async () => {
  const { text } = await trust('show', 'Quay.io/OS', '--json');
  expect(JSON.parse(text)).toMatchObject({
    type: 'error',
    code: 'HF-TRUST',
    reason: 'invalid-reference',
    exitStatus: 98,
  });
});
