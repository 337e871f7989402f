// An image pulled from a real registry, Debian's docker-registry, filled by skopeo, unpacks to the tree that its layout
// unpacks to, under both runtimes; with and without a login, over TLS. Takes about fifteen seconds.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bunProgram } from '../../../lab/executable.ts';
import { type LabRegistry, pushImage, startRegistry } from '../../../lab/registry/registry.ts';
import { openRegistryImage } from '../../../src/image/registry/image.ts';
import { machinePlatform } from '../../../src/image/selection.ts';
import { unpackLayers } from '../../../src/image/unpack.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { writeLayers } from '../../unit/image/fixture.ts';
import { dir, file, hardlink, type Member, symlink, whiteout } from '../../unit/image/tarball.ts';
import { fullSnapshot, ourTree } from './umoci.ts';

const USERS = 'user:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n';

const LAYERS: Member[][] = [
  [
    dir('.', { mtime: 1_400_000_000 }),
    dir('etc'),
    file('etc/passwd', 'root:x:0:0\n'),
    file('etc/removed', 'x'),
    dir('usr'),
    file('usr/large', Buffer.alloc(5 << 20, 'large')),
    file('usr/su', 'su', { mode: 0o4755, pax: { 'SCHILY.xattr.user.from': 'base' } }),
    hardlink('usr/su2', 'usr/su'),
    symlink('link', '/etc/passwd'),
  ],
  [
    whiteout('etc/.wh.removed'),
    file('etc/passwd', 'root:x:0:0\nuser:x:1:1\n'),
    file('new', 'n', { uid: 1000, gid: 7 }),
  ],
];

let directory: string;
let open: LabRegistry;
let closed: LabRegistry;
let expected: Awaited<ReturnType<typeof ourTree>>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-registry-'));
  open = await startRegistry(join(directory, 'open'));
  closed = await startRegistry(join(directory, 'closed'), { users: USERS });
  for (const packing of ['gzip', 'zstd'] as const) await writeLayers(`${directory}/layout`, packing, LAYERS, packing);
  expected = await ourTree(`${directory}/layout`, 'gzip', `${directory}/expected`);
});
afterAll(async () => {
  await open?.close();
  await closed?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Pulls and unpacks with this runtime, into a directory of its own. */
async function pull(name: string, target: string, options = {}): Promise<Awaited<ReturnType<typeof ourTree>>> {
  const image = await openRegistryImage(name, machinePlatform(), { credentials: async () => undefined, ...options });
  mkdirSync(join(directory, target));
  await unpackLayers(image, image.layers, join(directory, target));
  return fullSnapshot(join(directory, target));
}

/** Pulls and unpacks with the runtime of the executable. */
function pullWithBun(name: string, target: string, env: NodeJS.ProcessEnv = {}) {
  mkdirSync(join(directory, target));
  const program = fileURLToPath(new URL('pull-program.ts', import.meta.url));
  return run([bunProgram(), program, name, join(directory, target)], {
    env: { ...process.env, DOCKER_CONFIG: '/nowhere', ...env },
  });
}

describe('the tree is the one of the layout', () => {
  test.each(['gzip', 'zstd'])('layers packed with %s', async (packing) => {
    await pushImage(`${directory}/layout`, packing, `${open.host}/os/base:${packing}`);
    expect(await pull(`${open.host}/os/base:${packing}`, `node-${packing}`)).toEqual(expected);
    expect(await pullWithBun(`${open.host}/os/base:${packing}`, `bun-${packing}`)).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect(fullSnapshot(join(directory, `bun-${packing}`))).toEqual(expected);
  });

  test("an image in docker's own format", async () => {
    const target = `${open.host}/os/docker:v1`;
    await runChecked([
      ...(['skopeo', '--insecure-policy', 'copy', '--quiet', '--format', 'v2s2', '--dest-tls-verify=false'] as const),
      `oci:${directory}/layout:gzip`,
      `docker://${target}`,
    ]);
    const image = await openRegistryImage(target, machinePlatform());
    expect(image.layers.map(({ mediaType }) => mediaType)).toEqual(
      image.layers.map(() => 'application/vnd.docker.image.rootfs.diff.tar.gzip'),
    );
    expect(await pull(target, 'docker')).toEqual(expected);
  });

  test('an image that is named by its digest', async () => {
    await pushImage(`${directory}/layout`, 'gzip', `${open.host}/os/pinned:v1`);
    const { digest, source } = await openRegistryImage(`${open.host}/os/pinned:v1`, machinePlatform());
    expect(source).toBe(`docker:${open.host}/os/pinned:v1@${digest}`);
    expect(await pull(`${open.host}/os/pinned@${digest}`, 'pinned')).toEqual(expected);
  });
});

test('an image for another machine is refused, one that is not there is named', async () => {
  await pushImage(`${directory}/layout`, 'gzip', `${open.host}/os/here:v1`);
  await expect(openRegistryImage(`${open.host}/os/here:v1`, { architecture: 'riscv64' })).rejects.toMatchObject({
    code: 'HF-IMAGE',
  });
  await expect(openRegistryImage(`${open.host}/os/here:v9`, machinePlatform())).rejects.toMatchObject({
    code: 'HF-NO-SOURCE',
    message: `${open.host} does not have the tag v9 (manifest unknown)`,
  });
});

describe('a registry that wants a login', () => {
  beforeAll(() => pushImage(`${directory}/layout`, 'gzip', `${closed.host}/os/base:v1`, { user: 'user:secret' }));

  test('gets it from what `docker login` has written', async () => {
    const auth = Buffer.from('user:secret').toString('base64');
    writeFileSync(join(directory, 'config.json'), JSON.stringify({ auths: { [closed.host]: { auth } } }));
    const result = await pullWithBun(`${closed.host}/os/base:v1`, 'login', { DOCKER_CONFIG: directory });
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(fullSnapshot(join(directory, 'login'))).toEqual(expected);
  });

  test('is not satisfied without, or with a wrong one', async () => {
    await expect(pull(`${closed.host}/os/base:v1`, 'anonymous')).rejects.toMatchObject({
      code: 'HF-NETWORK',
      hint: expect.stringContaining(`docker login ${closed.host}`),
    });
    const wrong = async () => ({ kind: 'password', username: 'user', password: 'other' });
    await expect(pull(`${closed.host}/os/base:v1`, 'wrong', { credentials: wrong })).rejects.toMatchObject({
      code: 'HF-NETWORK',
      message: expect.stringContaining('does not give access to os/base'),
    });
  });
});

describe('TLS', () => {
  let secured: LabRegistry;
  /** This machine by a name that nobody takes for it: loopback is reached without TLS. */
  const nameOf = ({ port }: LabRegistry) => `0x7f.1:${port}`;
  beforeAll(async () => {
    const at = (name: string) => join(directory, name);
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
        ...['-subj', '/CN=lab', '-addext', 'subjectAltName=IP:127.0.0.1'],
        ...['-keyout', at('key.pem'), '-out', at('certificate.pem')],
      ],
      { stdio: 'pipe' },
    );
    secured = await startRegistry(join(directory, 'open'), {
      tls: { certificate: at('certificate.pem'), key: at('key.pem') },
    });
    await pushImage(`${directory}/layout`, 'gzip', `${open.host}/os/secured:v1`);
  });
  afterAll(() => secured?.close());

  test('a certificate that the machine trusts is fine', async () => {
    const env = { SSL_CERT_FILE: join(directory, 'certificate.pem') };
    const result = await pullWithBun(`${nameOf(secured)}/os/secured:v1`, 'trusted', env);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(fullSnapshot(join(directory, 'trusted'))).toEqual(expected);
  });

  test('another one is refused at once, under both runtimes', async () => {
    const name = `${nameOf(secured)}/os/secured:v1`;
    await expect(pull(name, 'untrusted', { delayMs: 100_000 })).rejects.toMatchObject({
      code: 'HF-NETWORK',
      message: expect.stringMatching(/can't be read from 0x7f\.1:\d+: .*certificate/i),
      hint: expect.stringContaining('this machine must trust its certificate'),
    });
    const result = await pullWithBun(name, 'untrusted-bun');
    expect(result.status).not.toBe(0);
    expect(result.stdout).toMatch(/^HF-NETWORK .*certificate/i);
  });

  test('a registry without TLS is not spoken to unless it is named', async () => {
    const name = `${nameOf(open)}/os/secured:v1`;
    await expect(pull(name, 'plain', { attempts: 1 })).rejects.toMatchObject({
      code: 'HF-NETWORK',
      hint: expect.stringContaining('--insecure-registry'),
    });
    expect(await pull(name, 'insecure', { insecure: ['0x7f.1'] })).toEqual(expected);
  });
});

test('the runtime of the executable needs little more memory for large layers than for small ones', async () => {
  // Nothing that could be packed, or little would come over the network.
  const large = ['a', 'b', 'c', 'd'].map((name) => [file(name, Buffer.alloc(50 << 20, randomBytes(1 << 20)))]);
  await writeLayers(`${directory}/layout`, 'large', large, 'none');
  await pushImage(`${directory}/layout`, 'large', `${open.host}/os/large:v1`);
  const peak = async (name: string, target: string) => Number((await pullWithBun(name, target)).stdout.split(' ')[1]);
  const difference =
    (await peak(`${open.host}/os/large:v1`, 'large')) - (await peak(`${open.host}/os/base:gzip`, 'small'));
  expect(difference).toBeLessThan(80 << 20);
});
