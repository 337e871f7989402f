// Reading an image from a registry: what is asked for and with which credentials, what is done when something goes wrong,
// and that nothing unchecked gets through.

import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../../../src/image/digest.ts';
import { openLayout } from '../../../../src/image/layout.ts';
import type { Compression } from '../../../../src/image/mediatypes.ts';
import type { Credentials } from '../../../../src/image/registry/credentials.ts';
import { openRegistryImage } from '../../../../src/image/registry/image.ts';
import type { RegistryOptions } from '../../../../src/image/registry/session.ts';
import { machinePlatform, type Platform } from '../../../../src/image/selection.ts';
import { HoldfastError } from '../../../../src/system/errors.ts';
import { temporaryDirectory, writeLayers } from '../fixture.ts';
import { file } from '../tarball.ts';
import { type Behaviour, blobFile, breakOff, refuse, sendBytes, serve, serveLayout } from './local-registry.ts';

const HERE = machinePlatform();
const OTHER = HERE.architecture === 'amd64' ? 'arm64' : 'amd64';

let layout: string;
beforeEach(() => {
  layout = `${temporaryDirectory()}/layout`;
});

const quick = { delayMs: 1, credentials: async () => undefined } satisfies RegistryOptions;
const open = (name: string, options: RegistryOptions = {}, platform: Platform = HERE) =>
  openRegistryImage(name, platform, { ...quick, ...options });

/** The digest of all of an image: the tar streams of its layers. */
async function readAll(image: Awaited<ReturnType<typeof open>>, signal?: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  for (const layer of image.layers) for await (const chunk of image.readLayer(layer, { signal })) chunks.push(chunk);
  return digestOf(Buffer.concat(chunks));
}

/** One image with a layer of a few hundred kilobytes that can't be packed. */
async function writeOne(packing: Compression = 'gzip') {
  const tag = 'v1';
  await writeLayers(layout, tag, [[file('a', randomBytes(300_000))], [file('b', 'b')]], packing);
  const image = await openLayout(layout, { tag });
  const [first] = image.layers;
  if (first === undefined) throw new Error('no layer');
  return { image, bytes: readFileSync(blobFile(layout, first.digest)), path: `/v2/os/base/blobs/${first.digest}` };
}

describe('an image', () => {
  test('is what its layout has, named with its digest', async () => {
    const { image: local } = await writeOne();
    const server = await serveLayout(layout);
    const image = await open(`${server.host}/os/base:v1`);
    const { digest, config, layers } = local;
    expect(image).toMatchObject({ kind: 'oci', origin: 'registry', digest, config, layers });
    expect(image.source).toBe(`docker:${server.host}/os/base:v1@${digest}`);
    expect(await readAll(image)).toEqual(await readAll(local));
    expect(server.paths()).toEqual([
      '/v2/os/base/manifests/v1',
      expect.stringMatching(/^\/v2\/os\/base\/blobs\/sha256:/),
      ...layers.map((layer) => `/v2/os/base/blobs/${layer.digest}`),
    ]);
    const [first] = server.requests;
    expect(first?.headers.accept).toContain('application/vnd.oci.image.index.v1+json');
    expect(first?.headers.accept).toContain('application/vnd.docker.distribution.manifest.v2+json');
    expect(server.requests.map(({ headers }) => headers['accept-encoding'])).toEqual(Array(4).fill('identity'));
  });

  test('with a digest is asked for by it, whatever the tag says now', async () => {
    const { image } = await writeOne();
    const server = await serveLayout(layout);
    const found = await open(`${server.host}/os/base:gone@${image.digest}`);
    expect(found.source).toBe(`docker:${server.host}/os/base:gone@${image.digest}`);
    expect(server.paths()[0]).toBe(`/v2/os/base/manifests/${image.digest}`);
  });

  test('progress is told in bytes that came', async () => {
    const { image: local } = await writeOne();
    const server = await serveLayout(layout);
    const image = await open(`${server.host}/os/base:v1`);
    let count = 0;
    const onBytes = (bytes: number) => {
      count += bytes;
    };
    for (const layer of image.layers) for await (const _ of image.readLayer(layer, { onBytes }));
    expect(count).toBe(local.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  });
});

describe('of several platforms', () => {
  /** An index over images for platforms, put beside them under the tag `all`. */
  async function writeIndex(
    platforms: (Platform & { os?: string })[],
    mediaType = 'application/vnd.oci.image.index.v1+json',
  ) {
    const manifests: unknown[] = [];
    for (const [at, { os = 'linux', architecture, variant }] of platforms.entries()) {
      const built = architecture === OTHER ? OTHER : HERE.architecture;
      const written = await writeLayers(layout, `t${at}`, [[file('id', `${at}`)]], 'gzip', built as 'amd64' | 'arm64');
      const { digest } = written;
      const size = readFileSync(blobFile(layout, digest)).length;
      const mediaType = 'application/vnd.oci.image.manifest.v1+json';
      manifests.push({ mediaType, digest, size, platform: { os, architecture, ...(variant && { variant }) } });
    }
    const text = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
    writeFileSync(blobFile(layout, digestOf(text)), text);
    const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
    index.manifests.push({
      mediaType,
      digest: digestOf(text),
      size: text.length,
      annotations: { 'org.opencontainers.image.ref.name': 'all' },
    });
    writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
    return manifests as { digest: string }[];
  }

  const mine = { architecture: HERE.architecture };
  const other = { architecture: OTHER };
  test.each([
    [[other, mine], mine, 1],
    [[other, mine], other, 0],
    [[{ ...mine, variant: 'v5' }, mine], mine, 1],
    [[{ ...mine, variant: 'v5' }, mine], { ...mine, variant: 'v5' }, 0],
    [[{ ...mine, variant: 'v5' }, other], mine, 0],
    [[{ os: 'unknown', architecture: 'unknown' }, other, mine], mine, 2],
  ] satisfies [(Platform & { os?: string })[], Platform, number][])(
    '%j for %j is number %i',
    async (platforms, wanted, at) => {
      const manifests = await writeIndex(platforms);
      const server = await serveLayout(layout);
      expect((await open(`${server.host}/os:all`, {}, wanted)).digest).toBe(manifests[at]?.digest);
    },
  );

  test("docker's list is one too, and what it lacks is said", async () => {
    await writeIndex(
      [other, { ...mine, variant: 'v5' }, mine],
      'application/vnd.docker.distribution.manifest.list.v2+json',
    );
    const server = await serveLayout(layout);
    await expect(open(`${server.host}/os:all`, {}, { architecture: 'riscv64' })).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: expect.stringContaining('has no image for linux/riscv64'),
      hint: expect.stringContaining(`linux/${HERE.architecture}/v5`),
    });
    await expect(open(`${server.host}/os:all`, {}, { ...mine, variant: 'v7' })).rejects.toMatchObject({
      message: expect.stringContaining(`has no image for linux/${HERE.architecture}/v7`),
    });
  });
});

describe('credentials', () => {
  const USER: Credentials = { kind: 'password', username: 'user', password: 'secret' };
  const BASIC = `Basic ${Buffer.from('user:secret').toString('base64')}`;

  /** A registry that wants a token from a service of its own, and what that service was asked. */
  async function withTokens(token: (url: URL, body: string, authorization: string | undefined) => string | undefined) {
    await writeOne();
    const service = await serve((request, response) => {
      const answer = token(new URL(request.path, 'http://x'), request.body, request.headers.authorization);
      if (answer === undefined) refuse(response, 401, 'UNAUTHORIZED', 'incorrect username or password');
      else response.end(JSON.stringify(answer === '' ? {} : { token: answer, expires_in: 60 }));
    });
    const registry = await serveLayout(layout, (request, response) => {
      if (request.headers.authorization === 'Bearer good') return false;
      const scope = 'repository:os/base:pull';
      refuse(response, 401, 'UNAUTHORIZED', 'authentication required', {
        'www-authenticate': `Bearer realm="http://${service.host}/token?x=1",service="the registry",scope="${scope}"`,
      });
      return true;
    });
    return { service, registry };
  }

  test('a token is fetched once, without a user where there is none', async () => {
    const { service, registry } = await withTokens(() => 'good');
    await readAll(await open(`${registry.host}/os/base:v1`));
    expect(service.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /token?x=1&service=the+registry&scope=repository%3Aos%2Fbase%3Apull',
    ]);
    expect(service.requests[0]?.headers.authorization).toBeUndefined();
    expect(registry.requests.filter(({ headers }) => headers.authorization === undefined)).toHaveLength(1);
  });

  test('the token service gets user and password, the registry does not', async () => {
    const { service, registry } = await withTokens((_, __, authorization) =>
      authorization === BASIC ? 'good' : undefined,
    );
    await readAll(await open(`${registry.host}/os/base:v1`, { credentials: async () => USER }));
    expect(service.requests).toHaveLength(1);
    expect(service.paths()[0]).toContain('account=user');
    expect(registry.requests.map(({ headers }) => headers.authorization)).not.toContain(BASIC);
  });

  test('an identity token is exchanged', async () => {
    const { service, registry } = await withTokens((_, body) =>
      new URLSearchParams(body).get('refresh_token') === 'id' ? 'good' : undefined,
    );
    await open(`${registry.host}/os/base:v1`, { credentials: async () => ({ kind: 'identity-token', token: 'id' }) });
    expect(service.requests.map(({ method, body }) => [method, Object.fromEntries(new URLSearchParams(body))])).toEqual(
      [
        [
          'POST',
          {
            grant_type: 'refresh_token',
            client_id: 'holdfast',
            refresh_token: 'id',
            service: 'the registry',
            scope: 'repository:os/base:pull',
          },
        ],
      ],
    );
  });

  test('a registry token is used as it is', async () => {
    const { service, registry } = await withTokens(() => undefined);
    await open(`${registry.host}/os/base:v1`, { credentials: async () => ({ kind: 'registry-token', token: 'good' }) });
    expect(service.requests).toEqual([]);
  });

  test('a token that ran out is replaced, also in the middle of a layer', async () => {
    const { bytes, path } = await writeOne();
    let valid = 'one';
    let issued = 0;
    const registry = await serveLayout(layout, (request, response, count) => {
      if (request.path.startsWith('/token')) {
        valid = ['one', 'two', 'three'][issued++] ?? '';
        response.end(JSON.stringify({ access_token: valid }));
        return true;
      }
      if (request.headers.authorization !== `Bearer ${valid}`) {
        refuse(response, 401, 'UNAUTHORIZED', 'x', {
          'www-authenticate': `Bearer realm="http://${request.headers.host}/token"`,
        });
        return true;
      }
      if (request.path !== path || count > 1) return false;
      valid = 'changed';
      breakOff(response, bytes, 100_000);
      return true;
    });
    const image = await open(`${registry.host}/os/base:v1`);
    expect(await readAll(image)).toEqual(await readAll(await openLayout(layout, { tag: 'v1' })));
    expect(issued).toBe(2);
  });

  const basicRegistry = () =>
    serveLayout(layout, (request, response) => {
      if (request.headers.authorization === BASIC) return false;
      refuse(response, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': 'Basic realm="x"' });
      return true;
    });

  test('a registry without tokens gets user and password itself', async () => {
    await writeOne();
    const registry = await basicRegistry();
    let asked = 0;
    const credentials = async (host: string) => {
      asked += 1;
      expect(host).toBe(registry.host);
      return USER;
    };
    await readAll(await open(`${registry.host}/os/base:v1`, { credentials }));
    expect(asked).toBe(1);
  });

  test.each([
    [undefined, 'asks for a user and a password, and there are none for it', 'docker login 127.0.0.1:'],
    [{ ...USER, password: 'wrong' }, 'does not give access to os/base (authentication required)', 'check the name'],
  ] as const)('%j do not help', async (given, message, hint) => {
    await writeOne();
    const registry = await basicRegistry();
    const error: unknown = await open(`${registry.host}/os/base:v1`, { credentials: async () => given }).catch(
      (e) => e,
    );
    expect(error).toMatchObject({
      code: 'HF-NETWORK',
      message: `${registry.host} ${message}`,
      hint: expect.stringContaining(hint),
    });
    expect(registry.requests.length).toBe(given === undefined ? 1 : 2);
  });

  test('a token service that refuses is not asked again, and a useless answer is one', async () => {
    const refusing = await withTokens(() => undefined);
    await expect(open(`${refusing.registry.host}/os/base:v1`)).rejects.toMatchObject({
      message: `${refusing.registry.host} does not give access to os/base without credentials`,
    });
    await expect(open(`${refusing.registry.host}/os/base:v1`, { credentials: async () => USER })).rejects.toMatchObject(
      {
        message: expect.stringContaining('its token service refuses the credentials'),
      },
    );
    expect(refusing.service.requests).toHaveLength(2);
    const empty = await withTokens(() => '');
    await expect(open(`${empty.registry.host}/os/base:v1`)).rejects.toMatchObject({
      code: 'HF-NETWORK',
      message: expect.stringMatching(/^the token service http:\/\/.*\/token\?… gave no token \(status 200\)$/),
    });
  });

  test.each(['http://tokens.example/', 'file:///etc/passwd', 'nonsense', ''])(
    'nothing is sent to %s',
    async (realm) => {
      await writeOne();
      const registry = await serveLayout(layout, (_, response) => {
        refuse(response, 401, 'X', 'x', { 'www-authenticate': `Bearer realm="${realm}"` });
        return true;
      });
      await expect(open(`${registry.host}/os/base:v1`, { credentials: async () => USER })).rejects.toMatchObject({
        code: 'HF-NETWORK',
        message: `${registry.host} names a token service that is not reached over TLS`,
      });
      expect(registry.requests).toHaveLength(1);
    },
  );

  test('redirects to another host go without them, those on the same host with them', async () => {
    await writeOne();
    const store = await serveLayout(layout);
    const registry = await serveLayout(layout, (request, response) => {
      if (request.headers.authorization !== BASIC) {
        refuse(response, 401, 'X', 'x', { 'www-authenticate': 'Basic realm="x"' });
        return true;
      }
      const [, repository, blob] = /^\/v2\/os\/(base|inner)\/blobs\/(.*)$/.exec(request.path) ?? [];
      if (repository === undefined) return false;
      const location = repository === 'base' ? `/v2/os/inner/blobs/${blob}` : `http://${store.host}/v2/x/blobs/${blob}`;
      response.writeHead(307, { location }).end();
      return true;
    });
    const image = await open(`${registry.host}/os/base:v1`, { credentials: async () => USER });
    expect(await readAll(image)).toEqual(await readAll(await openLayout(layout, { tag: 'v1' })));
    expect(registry.paths().filter((path) => path.includes('/inner/')).length).toBeGreaterThan(0);
    expect(store.requests.map(({ headers }) => headers.authorization)).toEqual(store.requests.map(() => undefined));
  });
});

describe('what is temporary', () => {
  test.each([408, 429, 500, 502, 503, 504])('status %i is tried again', async (status) => {
    await writeOne();
    const server = await serveLayout(layout, (_, response, count) => {
      if (count === 2) return false;
      refuse(response, status, 'X', 'x', { 'retry-after': '0' });
      return true;
    });
    // Every first time fails, every second one doesn't.
    await readAll(await open(`${server.host}/os/base:v1`));
    expect(server.requests).toHaveLength(8);
  });

  test('a server may ask for a pause', async () => {
    await writeOne();
    let refusedAt = 0;
    const server = await serveLayout(layout, (_, response) => {
      if (refusedAt !== 0) return false;
      refusedAt = Date.now();
      refuse(response, 429, 'TOOMANYREQUESTS', 'slow down', { 'retry-after': '1' });
      return true;
    });
    await open(`${server.host}/os/base:v1`);
    expect(Date.now() - refusedAt).toBeGreaterThanOrEqual(990);
  });

  test('it ends, with what the registry said', async () => {
    await writeOne();
    const server = await serveLayout(layout, (_, response) => {
      refuse(response, 503, 'UNAVAILABLE', 'back\u001b[31m soon');
      return true;
    });
    await expect(open(`${server.host}/os/base:v1`, { attempts: 3 })).rejects.toMatchObject({
      code: 'HF-NETWORK',
      message: `${server.host} answered with status 503 to a request for the tag v1 (back [31m soon)`,
    });
    expect(server.requests).toHaveLength(3);
  });

  test('a connection that breaks again and again is continued where it broke', async () => {
    const { image: local, bytes, path } = await writeOne();
    const server = await serveLayout(layout, (request, response, count) => {
      if (request.path !== path || count > 6) return false;
      const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
      const rest = bytes.subarray(from);
      response.writeHead(from > 0 ? 206 : 200, {
        'content-length': rest.length,
        ...(from > 0 && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
      });
      response.write(rest.subarray(0, 40_000), () => setImmediate(() => response.destroy()));
      return true;
    });
    const image = await open(`${server.host}/os/base:v1`, { attempts: 3 });
    expect(await readAll(image)).toEqual(await readAll(local));
    const ranges = server.requests.filter((request) => request.path === path).map(({ headers }) => headers.range);
    const starts = ranges.map((range) => Number(/\d+/.exec(range ?? '')?.[0] ?? 0));
    expect(starts[0]).toBe(0);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(starts.at(-1)).toBeGreaterThan(100_000);
  });

  test('a server that knows no ranges sends what is there already once more', async () => {
    const { image: local, bytes, path } = await writeOne();
    const server = await serveLayout(layout, (request, response, count) => {
      if (request.path !== path) return false;
      if (count === 1) breakOff(response, bytes, 150_000);
      else response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      return true;
    });
    expect(await readAll(await open(`${server.host}/os/base:v1`))).toEqual(await readAll(local));
  });

  test('a server that ends too early without saying so is asked for the rest', async () => {
    const { image: local, bytes, path } = await writeOne();
    const server = await serveLayout(layout, (request, response, count) => {
      if (request.path !== path || count > 1) return false;
      response.writeHead(200, { 'transfer-encoding': 'chunked' });
      response.end(bytes.subarray(0, 1000));
      return true;
    });
    expect(await readAll(await open(`${server.host}/os/base:v1`))).toEqual(await readAll(local));
  });

  test('a manifest that breaks off is read again', async () => {
    const { image } = await writeOne();
    const bytes = readFileSync(blobFile(layout, image.digest));
    const server = await serveLayout(layout, (request, response, count) => {
      if (!request.path.includes('/manifests/') || count > 1) return false;
      breakOff(response, bytes, 10);
      return true;
    });
    expect((await open(`${server.host}/os/base:v1`)).digest).toBe(image.digest);
  });

  test('silence is given up, before the head and in the body', async () => {
    const { image: local, bytes, path } = await writeOne();
    const server = await serveLayout(layout, (request, response, count) => {
      if (count > 1) return false;
      if (request.path === path) {
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, 100_000));
        return true;
      }
      return request.path.endsWith('/v1');
    });
    expect(await readAll(await open(`${server.host}/os/base:v1`, { stallMs: 100 }))).toEqual(await readAll(local));
    expect(server.paths().filter((at) => at === path)).toHaveLength(2);
  });

  test('nobody there is told with the reason', async () => {
    const server = await serveLayout(layout);
    const error = await open(`localhost:1/os/base:v1`, { attempts: 2 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'HF-NETWORK',
      message: expect.stringMatching(/^the tag v1 can't be read from localhost:1: .+/),
    });
    expect(server.requests).toEqual([]);
  });
});

describe('what is wrong is refused at once', () => {
  test.each([
    [404, 'HF-NO-SOURCE', 'does not have the tag v1 (manifest unknown)'],
    [403, 'HF-NETWORK', 'does not give access to os/base (manifest unknown)'],
    [400, 'HF-NETWORK', 'answered with status 400 to a request for the tag v1 (manifest unknown)'],
    [204, 'HF-NETWORK', 'answered with status 204 to a request for the tag v1'],
  ])('status %i', async (status, code, message) => {
    const server = await serve((_, response) => refuse(response, status, 'MANIFEST_UNKNOWN', 'manifest unknown'));
    await expect(open(`${server.host}/os/base:v1`)).rejects.toMatchObject({
      code,
      message: `${server.host} ${message}`,
    });
    expect(server.requests).toHaveLength(1);
  });

  const behaving = async (behave: Behaviour) => {
    const one = await writeOne();
    const server = await serveLayout(layout, behave);
    return { ...one, server };
  };

  test.each<[string, Behaviour, string, string]>([
    [
      'a manifest that is not what its head promises',
      (request, response) => {
        if (!request.path.includes('/manifests/')) return false;
        response.writeHead(200, { 'docker-content-digest': `sha256:${'00'.repeat(32)}` }).end('{}');
        return true;
      },
      'HF-DIGEST',
      'the tag v1 has the digest sha256:44136fa3',
    ],
    [
      'a manifest without end',
      (request, response) => {
        if (!request.path.includes('/manifests/')) return false;
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(1 << 16, ' ')));
          response.once('drain', more);
        };
        more();
        return true;
      },
      'HF-IMAGE',
      'the tag v1 is too large',
    ],
    [
      'no manifest but a page for people',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Log in to the hotel</html>');
        return true;
      },
      'HF-IMAGE',
      'is not JSON',
    ],
    [
      "docker's old kind",
      (_, response) => {
        const type = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
        response.writeHead(200, { 'content-type': type }).end('{"schemaVersion": 1}');
        return true;
      },
      'HF-UNSUPPORTED',
      "is an image of docker's first kind (schema 1)",
    ],
    [
      'a configuration that is another one',
      (request, response) => {
        if (!request.path.includes('/blobs/')) return false;
        response.writeHead(200).end('{}');
        return true;
      },
      'HF-DIGEST',
      'the configuration of docker:',
    ],
    [
      'redirects in circles',
      (request, response) => {
        response.writeHead(302, { location: request.path }).end();
        return true;
      },
      'HF-NETWORK',
      'redirects in circles',
    ],
    [
      'a redirect to a file',
      (_, response) => {
        response.writeHead(302, { location: 'file:///etc/shadow' }).end();
        return true;
      },
      'HF-NETWORK',
      'redirects to where nothing may be read from',
    ],
  ])('%s', async (_, behave, code, message) => {
    const { server } = await behaving(behave);
    await expect(open(`${server.host}/os/base:v1`)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  test('a manifest asked for by digest that is another one', async () => {
    const { image, server } = await behaving((request, response) => {
      if (!request.path.includes('/manifests/')) return false;
      sendBytes(response, request, Buffer.from('{}'));
      return true;
    });
    await expect(open(`${server.host}/os/base@${image.digest}`)).rejects.toMatchObject({ code: 'HF-DIGEST' });
  });

  test.each([
    ['changed', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([(bytes.at(-1) ?? 0) ^ 1])])],
    ['too long', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(1000)])],
    ['endless', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(50 << 20)])],
  ])('a layer that is %s', async (_, change) => {
    // Not packed: unpacking might complain first.
    const { bytes, path } = await writeOne('none');
    const server = await serveLayout(layout, (request, response) => {
      if (request.path !== path) return false;
      response.writeHead(200).end(change(bytes));
      return true;
    });
    const image = await open(`${server.host}/os/base:v1`);
    await expect(readAll(image)).rejects.toMatchObject({ code: 'HF-DIGEST' });
  });

  test('a part that was not asked for', async () => {
    const { bytes, path } = await writeOne();
    const server = await serveLayout(layout, (request, response) => {
      if (request.path !== path) return false;
      response.writeHead(206, { 'content-range': `bytes 10-99/${bytes.length}` }).end(bytes.subarray(10, 100));
      return true;
    });
    await expect(readAll(await open(`${server.host}/os/base:v1`))).rejects.toMatchObject({ code: 'HF-NETWORK' });
  });
});

describe('an interruption', () => {
  test.each([
    ['in silence', false],
    ['in the middle of a layer', true],
  ])('%s ends the reading', async (_, begun) => {
    const { bytes, path } = await writeOne();
    const abort = new AbortController();
    const server = await serveLayout(layout, (request, response) => {
      if (request.path !== path) return false;
      if (begun) {
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, 100_000));
      }
      setTimeout(() => abort.abort(), 50);
      return true;
    });
    const image = await open(`${server.host}/os/base:v1`);
    await expect(readAll(image, abort.signal)).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
  });

  test('while waiting for the next try', async () => {
    const abort = new AbortController();
    const server = await serve((_, response) => {
      setTimeout(() => abort.abort(), 50);
      refuse(response, 503, 'X', 'x', { 'retry-after': '50' });
    });
    await expect(open(`${server.host}/os/base:v1`, { signal: abort.signal })).rejects.toMatchObject({
      code: 'HF-INTERRUPTED',
    });
  });
});

test.each([
  ['registry.example/os:v1', [], 'https://registry.example/v2/os/manifests/v1'],
  ['alpine', [], 'https://registry-1.docker.io/v2/library/alpine/manifests/latest'],
  ['localhost:5000/os', [], 'http://localhost:5000/v2/os/manifests/latest'],
  ['127.0.0.1/os', [], 'http://127.0.0.1/v2/os/manifests/latest'],
  ['127.evil.example/os', [], 'https://127.evil.example/v2/os/manifests/latest'],
  ['localhost.example/os', [], 'https://localhost.example/v2/os/manifests/latest'],
  ['[::1]:5000/os', [], 'http://[::1]:5000/v2/os/manifests/latest'],
  ['registry.example/os', ['registry.example'], 'http://registry.example/v2/os/manifests/latest'],
  ['registry.example:5000/os', ['registry.example'], 'http://registry.example:5000/v2/os/manifests/latest'],
  ['registry.example/os', ['registry.example:5000'], 'https://registry.example/v2/os/manifests/latest'],
  ['Registry.Example/os', ['registry.example'], 'http://registry.example/v2/os/manifests/latest'],
])('%s with %j insecure is asked for at %s', async (name, insecure, url) => {
  const asked: string[] = [];
  const exchange: RegistryOptions['exchange'] = async (address) => {
    asked.push(new URL(address).href);
    throw new HoldfastError('HF-INTERRUPTED', 'far enough');
  };
  await expect(open(name, { insecure, exchange })).rejects.toThrow('far enough');
  expect(asked).toEqual([url]);
});

test('TLS is not left again for a redirect', async () => {
  const asked: string[] = [];
  const exchange: RegistryOptions['exchange'] = async (url) => {
    asked.push(url);
    const headers = new Headers({ location: 'http://registry.example/elsewhere' });
    return { url, status: 307, headers, body: (async function* () {})(), cancel: async () => {} };
  };
  await expect(open('registry.example/os', { exchange })).rejects.toMatchObject({
    message: 'registry.example redirects to where nothing may be read from',
    hint: expect.stringContaining('only TLS may follow TLS'),
  });
  expect(asked).toHaveLength(1);
});
