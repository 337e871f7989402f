// Mirrors: what the file says, who is asked and in which order, and that a mirror that is broken, empty or wrong costs
// nothing but a sentence.

import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../../../src/image/digest.ts';
import { openLayout } from '../../../../src/image/layout.ts';
import type { OciImage } from '../../../../src/image/oci-image.ts';
import { openRegistryImage } from '../../../../src/image/registry/image.ts';
import { parseRegistries, readRegistries } from '../../../../src/image/registry/mirrors.ts';
import { machinePlatform } from '../../../../src/image/selection.ts';
import { temporaryDirectory, writeLayers } from '../fixture.ts';
import { file } from '../tarball.ts';
import { type Behaviour, blobFile, breakOff, refuse, sendBytes, serveLayout } from './local-registry.ts';

describe('the file', () => {
  const mirrors = (value: unknown, name: string) => {
    const [, host = '', repository = ''] = /^([^/]*)\/(.*)$/.exec(name) ?? [];
    return parseRegistries(value, 'r.yaml').mirrorsOf({ host, repository });
  };
  const ENDPOINTS = ['https://one.example:5000', 'http://10.0.0.1', 'https://two.example/v2'];
  test.each<[string, unknown, string, unknown]>([
    ['nothing', {}, 'docker.io/library/alpine', []],
    ['null', null, 'docker.io/library/alpine', []],
    [
      'endpoints in their order',
      { mirrors: { 'docker.io': { endpoint: ENDPOINTS } } },
      'docker.io/library/alpine',
      [
        { host: 'one.example:5000', plain: false, repository: 'library/alpine' },
        { host: '10.0.0.1', plain: true, repository: 'library/alpine' },
        { host: 'two.example', plain: false, repository: 'library/alpine' },
      ],
    ],
    ['none for another registry', { mirrors: { 'docker.io': { endpoint: ENDPOINTS } } }, 'quay.io/os', []],
    [
      'those for all others',
      { mirrors: { '*': { endpoint: ['http://m:5000'] }, 'docker.io': { endpoint: [] } } },
      'quay.io/os',
      [{ host: 'm:5000', plain: true, repository: 'os' }],
    ],
    [
      'but not for one with its own',
      { mirrors: { '*': { endpoint: ['http://m:5000'] }, 'docker.io': {} } },
      'docker.io/os',
      [],
    ],
    ['not the registry itself', { mirrors: { 'q.io': { endpoint: ['https://q.io'] } } }, 'q.io/os', []],
    [
      'rewritten, by the first that fits',
      {
        mirrors: {
          'q.io': { endpoint: ['https://m'], rewrite: { '^other': 'x', '^os/(.*)$': 'proxy/q/$1', '.*': 'y' } },
        },
      },
      'q.io/os/base',
      [{ host: 'm', plain: false, repository: 'proxy/q/base' }],
    ],
  ])('gives %s', (_, value, name, expected) => {
    expect(mirrors(value, name)).toEqual(expected);
  });

  test.each<[unknown, string]>([
    ['text', 'r.yaml: Invalid input'],
    [{ mirror: {} }, 'r.yaml: Unrecognized key: "mirror"'],
    [{ mirrors: { 'q.io': { endpoint: 'https://m' } } }, 'r.yaml at mirrors.q.io.endpoint: '],
    [{ mirrors: { 'q.io': { endpoint: ['m:5000'] } } }, 'has an endpoint that is none: "m:5000"'],
    [{ mirrors: { 'q.io': { endpoint: ['https://m/proxy'] } } }, 'has an endpoint that is none: "https://m/proxy"'],
    [{ mirrors: { 'q.io': { endpoint: ['https://u:p@m'] } } }, 'has an endpoint that is none'],
    [{ mirrors: { 'q.io': { rewrite: { '(': 'x' } } } }, 'has a rewrite that is no expression: ('],
    [{ configs: { 'q.io': { tls: { insecure_skip_verify: true } } } }, 'TLS is always verified'],
    [
      { configs: { 'q.io': { auth: { auth: Buffer.from('x').toString('base64') } } } },
      'configs.q.io has no usable "auth"',
    ],
  ])('%j is refused', (value, message) => {
    expect(() => parseRegistries(value, 'r.yaml')).toThrow(
      expect.objectContaining({ code: 'HF-CONFIG', message: expect.stringContaining(message) }),
    );
  });

  test.each([
    'https://user:s3cret@m',
    'https://m/?token=s3cret',

    'user:s3cret@m',
    'https://u:s3cret@[',
  ])('the password of %s is not printed', (endpoint) => {
    let error: unknown;
    try {
      parseRegistries({ mirrors: { 'q.io': { endpoint: [endpoint] } } }, 'r.yaml');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({
      code: 'HF-CONFIG',
      message: expect.stringContaining('mirrors.q.io has an endpoint'),
    });
    expect(`${error}`).not.toContain('s3cret');
  });

  test('a rewrite to what is no name is refused', () => {
    const value = { mirrors: { 'q.io': { endpoint: ['https://m'], rewrite: { '.*': '../UP' } } } };
    expect(() => mirrors(value, 'q.io/os')).toThrow(expect.objectContaining({ code: 'HF-CONFIG' }));
  });

  test('has logins', () => {
    const auth = (value: unknown) =>
      parseRegistries({ configs: { 'q.io': { auth: value } } }, 'r.yaml').credentials('q.io');
    const expected = { kind: 'password', username: 'u', password: 'p:q' };
    expect(auth({ username: 'u', password: 'p:q' })).toEqual(expected);
    expect(auth({ auth: Buffer.from('u:p:q').toString('base64') })).toEqual(expected);
    expect(auth({ identity_token: 't' })).toEqual({ kind: 'identity-token', token: 't' });
    expect(auth(null)).toBeUndefined();
  });

  test('is read from its place, which may be empty', async () => {
    const path = `${temporaryDirectory()}/registries.yaml`;
    const name = { host: 'q.io', repository: 'os' };
    expect((await readRegistries(path)).mirrorsOf(name)).toEqual([]);
    for (const text of ['', '# nothing\n', 'mirrors:\n']) {
      writeFileSync(path, text);
      expect((await readRegistries(path)).mirrorsOf(name)).toEqual([]);
    }
    writeFileSync(path, 'mirrors:\n  q.io:\n    endpoint:\n      - "https://m.example"\n');
    expect((await readRegistries(path)).mirrorsOf(name)).toEqual([
      { host: 'm.example', plain: false, repository: 'os' },
    ]);
    writeFileSync(path, 'mirrors: [\n');
    await expect(readRegistries(path)).rejects.toMatchObject({
      code: 'HF-CONFIG',
      message: expect.stringContaining(path),
    });
  });
});

describe('a mirror', () => {
  let layout: string;
  let local: OciImage;
  let notices: string[];
  beforeEach(async () => {
    layout = `${temporaryDirectory()}/layout`;
    await writeLayers(layout, 'v1', [[file('a', randomBytes(300_000))], [file('b', 'b')]], 'none');
    local = await openLayout(layout);
    notices = [];
  });

  async function readAll(image: OciImage): Promise<string[]> {
    const digests: string[] = [];
    for (const layer of image.layers) {
      const chunks: Buffer[] = [];
      for await (const chunk of image.readLayer(layer)) chunks.push(chunk);
      digests.push(digestOf(Buffer.concat(chunks)));
    }
    return digests;
  }

  /** Pulls from a registry with one mirror, each behaving in its own way. */
  async function pull(mirror: Behaviour, origin: Behaviour = () => false) {
    const [theirs, own] = [await serveLayout(layout, mirror), await serveLayout(layout, origin)];
    const registries = parseRegistries(
      { mirrors: { [own.host]: { endpoint: [`http://${theirs.host}`], rewrite: { '^os/(.*)': 'proxy/$1' } } } },
      'r.yaml',
    );
    const open = () =>
      openRegistryImage(`${own.host}/os/base:v1`, machinePlatform(), {
        registries,
        notice: (text) => notices.push(text),
        delayMs: 1,
        stallMs: 300,
        credentials: async () => undefined,
      });
    return { theirs, own, open, read: async () => readAll(await open()) };
  }
  const isBlob = (path: string) => path.endsWith(local.layers[0]?.digest ?? '-');
  const bytes = () => readFileSync(blobFile(layout, local.layers[0]?.digest ?? ''));

  test('that has everything leaves nothing for the registry', async () => {
    const { theirs, own, read } = await pull(() => false);
    expect(await read()).toEqual(local.config.diffIds);
    expect(own.requests).toEqual([]);
    expect(theirs.paths().every((path) => path.startsWith('/v2/proxy/base/'))).toBe(true);
    expect(notices).toEqual([]);
  });

  test.each<[string, (response: ServerResponse) => void, RegExp | undefined]>([
    ['has nothing', (response) => refuse(response, 404, 'X', 'x'), undefined],
    ['fails', (response) => refuse(response, 503, 'X', 'x'), /^mirror .* answered with status 503/],
    [
      'wants a login',
      (response) => refuse(response, 401, 'X', 'x', { 'www-authenticate': 'Basic realm="x"' }),
      /asks for a user and a password/,
    ],
    ['hangs up', (response) => response.destroy(), /can't be read from/],
    ['says nothing', () => {}, /nothing came for 0.3 seconds/],
  ])('that %s is passed over', async (_, answer, notice) => {
    const { read, own } = await pull((_request, response) => {
      answer(response);
      return true;
    });
    expect(await read()).toEqual(local.config.diffIds);
    expect(own.requests.length).toBeGreaterThan(0);
    expect(notices.some((text) => notice?.test(text))).toBe(notice !== undefined);
    // Each reason once.
    expect(new Set(notices).size).toBe(notices.length);
  });

  test('that answers with pages for people is not taken for one that has nothing', async () => {
    const { read } = await pull((_request, response) => {
      response.writeHead(200).end('<html>');
      return true;
    });
    await expect(read()).rejects.toMatchObject({ code: 'HF-IMAGE' });
  });

  test('that breaks off in the middle of a layer is continued by the registry', async () => {
    const { read, own } = await pull((request, response) => {
      if (!isBlob(request.path)) return false;
      if (request.headers.range !== undefined) refuse(response, 500, 'X', 'x');
      else breakOff(response, bytes(), 120_000);
      return true;
    });
    expect(await read()).toEqual(local.config.diffIds);
    const [asked] = own.requests.filter(({ path }) => isBlob(path));
    expect(Number(/\d+/.exec(asked?.headers.range ?? '')?.[0])).toBeGreaterThan(0);
  });

  test('that gives wrong bytes is not asked for them again', async () => {
    const wrong = Buffer.concat([bytes().subarray(0, -1), Buffer.from([(bytes().at(-1) ?? 0) ^ 1])]);
    const { theirs, own, open } = await pull((request, response) => {
      if (!isBlob(request.path)) return false;
      sendBytes(response, request, wrong);
      return true;
    });
    const image = await open();
    await expect(readAll(image)).rejects.toMatchObject({ code: 'HF-DIGEST' });
    expect(own.requests).toEqual([]);
    expect(await readAll(image)).toEqual(local.config.diffIds);
    expect(theirs.requests.filter(({ path }) => isBlob(path))).toHaveLength(1);
    expect(own.requests.filter(({ path }) => isBlob(path))).toHaveLength(1);
  });
});
