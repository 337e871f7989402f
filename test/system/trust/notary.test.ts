// Debian's notary-server, signed to by Debian's client: what a publisher does in the life of a repository, and what this
// verifier says to it at each step, over TLS and with tokens, under both runtimes. Takes about five seconds.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bunProgram } from '../../../lab/executable.ts';
import { delegateReleases, publish, rotate, sign } from '../../../lab/notary-rig/publisher.ts';
import { type NotaryRig, startNotary } from '../../../lab/notary-rig/rig.ts';
import { startTokenService, type TokenService } from '../../../lab/notary-rig/token-service.ts';
import type { Credentials } from '../../../src/image/registry/credentials.ts';
import { runChecked } from '../../../src/system/process.ts';
import type { NotaryHttp } from '../../../src/trust/notary/client.ts';
import { TrustStore } from '../../../src/trust/notary/trust-store.ts';
import { type NotaryAnswer, type NotaryQuestion, verifyNotary } from '../../../src/trust/notary/verify.ts';
import { TrustError } from '../../../src/trust/trust-error.ts';

const CONTENT = { hex: '11'.repeat(32), sizeBytes: 401 };
const OTHER = { hex: '22'.repeat(32), sizeBytes: 402 };
const digestOf = ({ hex }: typeof CONTENT) => `sha256:${hex}`;

let directory: string;
let rig: NotaryRig;
let stores = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-notary-'));
  rig = await startNotary(join(directory, 'rig'));
});
afterAll(async () => {
  await rig?.close();
  rmSync(directory, { recursive: true, force: true });
});

const newStore = () => {
  stores += 1;
  return new TrustStore(join(directory, `store-${stores}`));
};

async function ask(
  gun: string,
  tag: string,
  { http = {}, ...change }: Partial<Omit<NotaryQuestion, 'http'>> & { http?: NotaryHttp } = {},
): Promise<NotaryAnswer | TrustError> {
  try {
    return await verifyNotary({
      gun,
      tag,
      now: new Date(),
      server: rig.url,
      store: newStore(),
      ...change,
      http: { caFile: rig.caFile, credentials: async () => undefined, attempts: 1, ...http },
    });
  } catch (error) {
    if (error instanceof TrustError) return error;
    throw error;
  }
}

/** The answers of the runtime of the executable. */
async function askWithBun(questions: readonly object[]): Promise<unknown[]> {
  const program = fileURLToPath(new URL('notary-program.ts', import.meta.url));
  const input = questions.map((question) => `${JSON.stringify(question)}\n`).join('');
  const output = await runChecked([bunProgram(), program], { input });
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('the life of a repository', async () => {
  const gun = 'localhost:5000/os/life';
  const store = newStore();
  expect(await ask(gun, 'v1', { store })).toMatchObject({ reason: 'no-trust-data' });

  await publish(rig, gun, { v1: CONTENT });
  expect(await ask(gun, 'v1', { store })).toMatchObject({
    digest: digestOf(CONTENT),
    sizeBytes: 401,
    role: 'targets',
    trust: { isNew: true },
  });
  expect(await ask(gun, 'v2', { store })).toMatchObject({ reason: 'tag-not-signed' });

  // As docker sets it up: the same tag, signed with another content by the delegation.
  await delegateReleases(rig, gun, directory);
  expect(await ask(gun, 'v1', { store })).toMatchObject({ digest: digestOf(CONTENT), role: 'targets' });
  await sign(rig, gun, 'v1', OTHER, true);
  expect(await ask(gun, 'v1', { store })).toMatchObject({
    digest: digestOf(OTHER),
    sizeBytes: 402,
    role: 'targets/releases',
  });
  // Docker's order of search, by the client itself.
  const list = await rig.client(['list', gun, '-r', 'targets/releases', '-r', 'targets']);
  expect(list).toMatch(new RegExp(`v1\\s+${OTHER.hex}\\s+402\\s+targets/releases`));

  // All keys are changed, the root's twice: who has followed goes on, and so does who comes new.
  for (const role of ['root', 'targets', 'root', 'snapshot', 'timestamp'] as const) await rotate(rig, gun, role);
  expect(await ask(gun, 'v1', { store })).toMatchObject({ digest: digestOf(OTHER), trust: { isNew: false } });
  expect(await ask(gun, 'v1')).toMatchObject({ digest: digestOf(OTHER), trust: { isNew: true } });
  const [entry] = store.of(gun);
  expect(entry).toMatchObject({ stored: { versions: { timestamp: expect.any(Number) }, server: rig.url } });
});

test('a publisher in another time zone', async () => {
  const gun = 'localhost:5000/os/india';
  await publish(rig, gun, { v1: CONTENT }, { TZ: 'Asia/Kolkata' });
  const root = await runChecked(['curl', '-s', '--cacert', rig.caFile, `${rig.url}/v2/${gun}/_trust/tuf/root.json`]);
  expect(root).toMatch(/"expires":"[^"]*\+05:30"/);
  expect(await ask(gun, 'v1')).toMatchObject({ digest: digestOf(CONTENT) });
});

test('another repository in the place of ours is refused by its certificate', async () => {
  const gun = 'localhost:5000/os/theirs';
  await publish(rig, gun, { v1: CONTENT });
  const exchange: NotaryHttp['exchange'] = async (url, options) => {
    const { exchange: reach } = await import('../../../src/system/exchange.ts');
    return reach(url.replace('/os/ours/', '/os/theirs/'), options);
  };
  expect(await ask('localhost:5000/os/ours', 'v1', { http: { exchange } })).toMatchObject({
    reason: 'root-cert-mismatch',
    message: expect.stringContaining('"localhost:5000/os/theirs"'),
  });
});

test('a server that lost everything, or is gone, is refused', async () => {
  const gun = 'localhost:5000/os/lost';
  const store = newStore();
  const second = await startNotary(join(directory, 'second'));
  const http = { caFile: second.caFile };
  try {
    await publish(second, gun, { v1: CONTENT });
    expect(await ask(gun, 'v1', { server: second.url, store, http })).toMatchObject({ digest: digestOf(CONTENT) });
  } finally {
    await second.close();
  }
  const before = store.of(gun);
  expect(await ask(gun, 'v1', { server: second.url, store, http })).toMatchObject({ reason: 'server-unreachable' });
  expect(store.of(gun)).toEqual(before);
});

describe('TLS', () => {
  const gun = 'localhost:5000/os/tls';
  beforeAll(() => publish(rig, gun, { v1: CONTENT }));

  test('by an authority that is not known', async () => {
    const got = await ask(gun, 'v1', { http: { caFile: '' } });
    expect(got).toMatchObject({
      reason: 'server-unreachable',
      message: expect.stringContaining('certificate'),
      hint: expect.stringContaining('--trust-ca FILE'),
    });
  });

  test("by files in docker's layout", async () => {
    const files = join(directory, 'tls', `localhost:${rig.port}`);
    mkdirSync(files, { recursive: true });
    writeFileSync(join(files, 'ca.crt'), readFileSync(rig.caFile));
    const http = { caFile: '', tlsDirectory: join(directory, 'tls') };
    expect(await ask(gun, 'v1', { http })).toMatchObject({ digest: digestOf(CONTENT) });
    writeFileSync(join(files, 'client.cert'), readFileSync(rig.caFile));
    await expect(ask(gun, 'v1', { http })).rejects.toMatchObject({ code: 'HF-CONFIG' });
  });

  test('by a server that wants to know who we are, under both runtimes', async () => {
    const files = join(directory, 'mutual');
    const rigFile = (name: string) => readFileSync(join(directory, 'rig', name));
    const seen: boolean[] = [];
    // In the place of the Notary server: it lets nobody in without a certificate of the same authority, and has nothing.
    const server = createServer(
      { key: rigFile('server.key'), cert: rigFile('server.crt'), ca: rigFile('ca.crt'), requestCert: true },
      (request, response) => {
        seen.push(request.socket instanceof TLSSocket && request.socket.authorized);
        response.writeHead(404).end();
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      const place = join(files, `localhost:${port}`);
      mkdirSync(place, { recursive: true });
      for (const [from, to] of [
        ['ca.crt', 'ca.crt'],
        ['server.crt', 'us.cert'],
        ['server.key', 'us.key'],
      ] as const) {
        writeFileSync(join(place, to), rigFile(from));
      }
      const url = `https://localhost:${port}`;
      const http = { caFile: '', tlsDirectory: files };
      expect(await ask(gun, 'v1', { server: url, http })).toMatchObject({ reason: 'no-trust-data' });
      const question = { gun, tag: 'v1', now: new Date(), server: url, store: newStore().directory, http };
      expect(await askWithBun([question])).toEqual([expect.objectContaining({ reason: 'no-trust-data' })]);
      expect(seen).toEqual([true, true]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('under the runtime of the executable', async () => {
    const question = { gun, tag: 'v1', now: new Date(), server: rig.url, store: newStore().directory };
    const answers = await askWithBun([
      { ...question, http: { caFile: rig.caFile } },
      { ...question, tag: 'v2', http: { caFile: rig.caFile } },
      { ...question, http: {} },
    ]);
    expect(answers).toEqual([
      { digest: digestOf(CONTENT), sizeBytes: 401, role: 'targets' },
      expect.objectContaining({ reason: 'tag-not-signed' }),
      expect.objectContaining({ reason: 'server-unreachable', hint: expect.stringContaining('--trust-ca FILE') }),
    ]);
  });
});

describe('tokens', () => {
  const gun = 'localhost:5000/os/guarded';
  let tokens: TokenService;
  let guarded: NotaryRig;
  beforeAll(async () => {
    const place = mkdtempSync(join(directory, 'tokens-'));
    tokens = await startTokenService(place, { user: 'user:secret', identity: 'identity' });
    guarded = await startNotary(join(place, 'rig'), { token: tokens });
    const login = Buffer.from('user:secret').toString('base64');
    await publish(guarded, gun, { v1: CONTENT }, { NOTARY_AUTH: login });
  });
  afterAll(async () => {
    await guarded?.close();
    await tokens?.close();
  });

  const as = (credentials: Credentials | undefined) =>
    ask(gun, 'v1', { server: guarded.url, http: { caFile: guarded.caFile, credentials: async () => credentials } });

  test.each<[Credentials, string]>([
    [{ kind: 'password', username: 'user', password: 'secret' }, 'GET'],
    [{ kind: 'identity-token', token: 'identity' }, 'POST'],
  ])('for $kind', async (credentials, method) => {
    expect(await as(credentials)).toMatchObject({ digest: digestOf(CONTENT) });
    const who = credentials.kind === 'password' ? 'user:secret' : 'identity';
    expect(tokens.requests.at(-1)).toBe(`${method} repository:${gun}:pull ${who}`);
    expect(guarded.requests().at(-1)).toMatchObject({ status: 200 });
  });

  test('for nobody and for the wrong password there are none', async () => {
    expect(await as(undefined)).toMatchObject({
      reason: 'auth-failed',
      message: expect.stringContaining('(anonymous)'),
    });
    expect(await as({ kind: 'password', username: 'user', password: 'wrong' })).toMatchObject({
      reason: 'auth-failed',
    });
    expect(guarded.requests().at(-1)).toMatchObject({ status: 401 });
  });
});
