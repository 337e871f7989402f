// A repository as delta, trust and the index use it: parts of blobs, referrers with and without the registry's help, and
// what is stored, checked by what the server was asked for.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf, hexOf } from '../../../../src/image/digest.ts';
import { LayoutRepository } from '../../../../src/image/layout-repository.ts';
import { INDEX_TYPE, MANIFEST_TYPE } from '../../../../src/image/mediatypes.ts';
import { parseImageSource } from '../../../../src/image/reference.ts';
import { openRepository, type Repository } from '../../../../src/image/repository.ts';
import { temporaryDirectory, writeLayers } from '../fixture.ts';
import { file } from '../tarball.ts';
import { type Behaviour, blobFile, refuse, type Served, sendBytes, serve, serveLayout } from './local-registry.ts';

const open = (host: string, repository = 'os/base') =>
  openRepository(parseImageSource(`docker:${host}/${repository}`), {
    delayMs: 1,
    attempts: 3,
    stallMs: 2000,
    credentials: async () => undefined,
  });

let layout: string;
beforeEach(() => {
  layout = `${temporaryDirectory()}/layout`;
});

const content = randomBytes(300_000);

async function withLayer() {
  const written = await writeLayers(layout, 'v1', [[file('a', content)]], 'none');
  const [layer] = written.layers;
  if (layer === undefined) throw new Error('no layer');
  const digest = digestOf(readFileSync(blobFile(layout, layer.digest)));
  const descriptor = { mediaType: layer.mediaType, digest, sizeBytes: layer.size };
  return { descriptor, bytes: readFileSync(blobFile(layout, digest)), image: written.digest };
}

async function collect(pieces: AsyncIterable<{ start: number; data: Buffer }>) {
  const got: { start: number; data: Buffer }[] = [];
  for await (const piece of pieces) {
    const last = got.at(-1);
    if (last !== undefined && last.start + last.data.length === piece.start)
      last.data = Buffer.concat([last.data, piece.data]);
    else got.push({ ...piece });
  }
  return got;
}

const RANGES = [
  { start: 200_000, end: 230_000 },
  { start: 0, end: 1 },
  { start: 5, end: 5 },
  { start: 100, end: 120_000 },
  { start: 301_000, end: 301_056 },
];

describe.each(['registry', 'layout'] as const)('a %s', (kind) => {
  let repository: Repository;
  let found: Awaited<ReturnType<typeof withLayer>>;
  beforeEach(async () => {
    found = await withLayer();
    repository = kind === 'layout' ? new LayoutRepository(layout) : await open((await serveLayout(layout)).host);
  });

  test('gives parts of a blob in the order asked for', async () => {
    let counted = 0;
    const ranges = repository.ranges(found.descriptor, RANGES, { onBytes: (count) => (counted += count) });
    const wanted = RANGES.filter(({ start, end }) => end > start);
    expect(await collect(ranges)).toEqual(
      wanted.map(({ start, end }) => ({ start, data: found.bytes.subarray(start, end) })),
    );
    expect(counted).toBe(wanted.reduce((sum, { start, end }) => sum + end - start, 0));
  });

  test('gives the end of a blob', async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of repository.blob(found.descriptor, { from: 123_456 })) chunks.push(chunk);
    expect(Buffer.concat(chunks)).toEqual(found.bytes.subarray(123_456));
  });

  test('gives manifests with their bytes, by tag and by digest, or none', async () => {
    const { image } = found;
    const bytes = readFileSync(blobFile(layout, image));
    const expected = { mediaType: MANIFEST_TYPE, digest: image, sizeBytes: bytes.length, bytes };
    expect(await repository.manifest('v1')).toEqual(expected);
    expect(await repository.manifest(image)).toEqual(expected);
    expect(await repository.manifest('v2')).toBeUndefined();
    expect(await repository.manifest(digestOf('other'))).toBeUndefined();
  });

  test('gives small blobs within a limit', async () => {
    const { descriptor, bytes } = found;
    expect(await repository.document(descriptor, 'it')).toEqual(bytes);
    await expect(repository.document(descriptor, 'it', 1000)).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: expect.stringMatching(/^it is too large/),
    });
  });
});

describe('a part', () => {
  const part: Behaviour = (request, response) => {
    if (!request.path.includes('/blobs/')) return false;
    sendBytes(response, request, content);
    return true;
  };
  const descriptor = { mediaType: 'x/y', digest: digestOf(content), sizeBytes: content.length };
  const range = { start: 1000, end: 250_000 };
  const read = async (behave: Behaviour) => {
    const server = await serveLayout(layout, behave);
    const repository = await open(server.host);
    return { server, reading: collect(repository.ranges(descriptor, [range])) };
  };

  test('that breaks off is continued', async () => {
    const { server, reading } = await read((request, response, count) => {
      if (count > 2) return part(request, response, count);
      const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0]);
      response.writeHead(206, { 'content-range': `bytes ${from}-${range.end - 1}/${content.length}` });
      response.write(content.subarray(from, from + 50_000), () => setImmediate(() => response.destroy()));
      return true;
    });
    expect(await reading).toEqual([{ start: 1000, data: content.subarray(1000, 250_000) }]);
    expect(server.requests).toHaveLength(3);
  });

  test.each<[string, (request: Served, response: ServerResponse) => void, string]>([
    ['all of it', (_, response) => void response.writeHead(200).end(content), 'HF-UNSUPPORTED'],
    ['nothing, since it takes no ranges', (_, response) => void response.writeHead(416).end(), 'HF-NETWORK'],
    [
      'another part',
      (_, response) => void response.writeHead(206, { 'content-range': 'bytes 0-9/300000' }).end('0123456789'),
      'HF-NETWORK',
    ],
    [
      'more than was asked for',
      (_, response) =>
        void response.writeHead(206, { 'content-range': 'bytes 1000-299999/300000' }).end(content.subarray(1000)),
      'HF-NETWORK',
    ],
    [
      'more than it says',
      (_, response) =>
        void response.writeHead(206, { 'content-range': 'bytes 1000-249999/300000' }).end(content.subarray(1000)),
      'HF-NETWORK',
    ],
    ['a part without a range', (_, response) => void response.writeHead(206).end(content), 'HF-NETWORK'],
    [
      'several parts in one',
      (_, response) => void response.writeHead(206, { 'content-type': 'multipart/byteranges; boundary=x' }).end('--x'),
      'HF-NETWORK',
    ],
  ])('of which the registry sends %s', async (_, answer, code) => {
    const { reading } = await read((request, response) => {
      answer(request, response);
      return true;
    });
    await expect(reading).rejects.toMatchObject({ code });
  });

  test('beyond the end is not asked for', async () => {
    const server = await serveLayout(layout, part);
    const repository = await open(server.host);
    await expect(collect(repository.ranges(descriptor, [{ start: 0, end: 300_001 }]))).rejects.toMatchObject({
      code: 'HF-IMAGE',
    });
    expect(server.requests).toEqual([]);
  });
});

describe('referrers', () => {
  const subject = digestOf('image');
  const entry = (artifactType: string, text: string) => ({
    mediaType: MANIFEST_TYPE,
    digest: digestOf(text),
    size: 7,
    artifactType,
    annotations: { note: text },
  });
  const index = (...manifests: unknown[]) => JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests });
  const list = (response: ServerResponse, text: string, headers: Record<string, string> = {}) =>
    void response.writeHead(200, { 'content-type': INDEX_TYPE, ...headers }).end(text);

  test('come from the registry, in several parts, of the kind that was asked for', async () => {
    const server = await serve((request, response) => {
      const url = new URL(request.path, 'http://x');
      if (url.searchParams.has('page')) list(response, index(entry('a', 'three'), entry('b', 'four')));
      else
        list(response, index(entry('a', 'one'), entry('b', 'two'), { digest: 'nonsense' }), {
          link: `</v2/os/base/referrers/${subject}?page=2>; rel="next"`,
        });
    });
    const repository = await open(server.host);
    expect(await repository.referrers(subject, 'a')).toEqual([
      {
        mediaType: MANIFEST_TYPE,
        digest: digestOf('one'),
        sizeBytes: 7,
        artifactType: 'a',
        annotations: { note: 'one' },
      },
      {
        mediaType: MANIFEST_TYPE,
        digest: digestOf('three'),
        sizeBytes: 7,
        artifactType: 'a',
        annotations: { note: 'three' },
      },
    ]);
    expect(server.paths()).toEqual([
      `/v2/os/base/referrers/${subject}?artifactType=a`,
      `/v2/os/base/referrers/${subject}?page=2`,
    ]);
    expect(await repository.referrers(subject)).toHaveLength(4);
  });

  test.each([
    ['another host', 'http://evil.example/v2/os/base/referrers/x'],
    ['another repository', '/v2/other/referrers/x'],
    ['nowhere', 'http://['],
  ])('a next part at %s is not fetched', async (_, next) => {
    const server = await serve((_request, response) => {
      list(response, index(entry('a', 'one')), { link: `<${next}>; rel="next"` });
    });
    expect(await (await open(server.host)).referrers(subject)).toHaveLength(1);
    expect(server.requests).toHaveLength(1);
  });

  test('without end are cut off', async () => {
    const server = await serve((request, response) => {
      list(response, index(...Array(100).fill(entry('a', 'one'))), { link: `<${request.path}>; rel="next"` });
    });
    expect(await (await open(server.host)).referrers(subject)).toHaveLength(1000);
    expect(server.requests).toHaveLength(10);
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['does not know the question', (response) => refuse(response, 404, 'X', 'page not found')],
    ['does not like the question', (response) => refuse(response, 405, 'X', 'x')],
    [
      'answers everything with a page',
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    ],
  ])('of a registry that %s come from the tag', async (_, answer) => {
    const server = await serve((request, response) => {
      if (request.path.includes('/referrers/')) answer(response);
      else list(response, index(entry('a', 'one'), entry('b', 'two')));
    });
    expect(await (await open(server.host)).referrers(subject, 'b')).toMatchObject([{ digest: digestOf('two') }]);
    expect(server.paths().at(-1)).toBe(`/v2/os/base/manifests/sha256-${hexOf(subject)}`);
  });

  test('are none where there is no list and no tag', async () => {
    const server = await serve((_, response) => refuse(response, 404, 'X', 'x'));
    expect(await (await open(server.host)).referrers(subject)).toEqual([]);
  });

  test('are not none where the registry fails', async () => {
    const server = await serve((request, response) =>
      refuse(response, request.path.includes('/referrers/') ? 404 : 500, 'X', 'x'),
    );
    await expect((await open(server.host)).referrers(subject)).rejects.toMatchObject({ code: 'HF-NETWORK' });
  });
});

describe('storing', () => {
  const artifact = (subject: string, text = 'x') =>
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MANIFEST_TYPE,
        artifactType: 'application/x',
        config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 },
        layers: [],
        subject: { mediaType: MANIFEST_TYPE, digest: subject, size: 10 },
        annotations: { text },
      }),
    );

  /** Takes uploads; knows of subjects if told so. */
  async function registry(
    options: {
      subjects?: boolean;
      losesPart?: number;
      fail?: (request: Served, response: ServerResponse) => boolean;
    } = {},
  ) {
    const stored = new Map<string, Buffer>();
    let upload = Buffer.alloc(0);
    let parts = 0;
    const server = await serve((request, response) => {
      if (options.fail?.(request, response)) return;
      const { method, path } = request;
      const [, name = ''] = /^\/v2\/os\/base\/(?:blobs|manifests)\/([^/?]+)$/.exec(path) ?? [];
      if (method === 'POST') response.writeHead(202, { location: '/v2/os/base/blobs/uploads/1?state=a%2Bb' }).end();
      else if (method === 'PATCH') {
        parts += 1;
        if (Number.parseInt(request.headers['content-range'] ?? '', 10) !== upload.length) {
          response.writeHead(416).end();
          return;
        }
        upload = Buffer.concat([upload, request.bytes]);
        if (parts === options.losesPart) {
          response.destroy();
          return;
        }
        response
          .writeHead(202, { location: '/v2/os/base/blobs/uploads/1?state=c', range: `0-${upload.length - 1}` })
          .end();
      } else if (method === 'PUT' && path.includes('/uploads/')) {
        upload = Buffer.concat([upload, request.bytes]);
        stored.set(new URL(path, 'http://x').searchParams.get('digest') ?? '', upload);
        upload = Buffer.alloc(0);
        response.writeHead(201).end();
      } else if (method === 'PUT') {
        stored.set(name, request.bytes);
        response.writeHead(201, options.subjects ? { 'oci-subject': 'x' } : {}).end();
      } else if (path.includes('/uploads/')) {
        response
          .writeHead(204, { range: `0-${upload.length - 1}`, location: '/v2/os/base/blobs/uploads/1?state=d' })
          .end();
      } else {
        const bytes = stored.get(name);
        if (bytes === undefined) refuse(response, 404, 'X', 'x');
        else
          response
            .writeHead(200, {
              'content-type': path.includes('/manifests/') ? INDEX_TYPE : 'x/y',
              'content-length': bytes.length,
            })
            .end(method === 'HEAD' ? undefined : bytes);
      }
    });
    return { server, stored, repository: await open(server.host) };
  }

  async function* inPieces(bytes: Buffer, size: number) {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }

  test.each([0, 10, 4 << 20, (9 << 20) + 5])('%i bytes in parts', async (size) => {
    const bytes = randomBytes(size);
    const descriptor = { mediaType: 'x/y', digest: digestOf(bytes), sizeBytes: size };
    const { stored, repository, server } = await registry();
    await repository.putBlob(descriptor, inPieces(bytes, 100_000));
    expect(stored.get(descriptor.digest)?.equals(bytes)).toBe(true);
    const { length } = server.requests;
    await repository.putBlob(descriptor, bytes);
    expect(server.requests.slice(length).map(({ method }) => method)).toEqual(['HEAD']);
  });

  test('a part whose answer was lost is not sent as another one', async () => {
    const bytes = randomBytes(10 << 20);
    const descriptor = { mediaType: 'x/y', digest: digestOf(bytes), sizeBytes: bytes.length };
    const { stored, repository, server } = await registry({ losesPart: 2 });
    await repository.putBlob(descriptor, bytes);
    expect(stored.get(descriptor.digest)?.equals(bytes)).toBe(true);
    expect(server.requests.map(({ method }) => method)).toEqual([
      'HEAD',
      'POST',
      'PATCH',
      'PATCH',
      'PATCH',
      'GET',
      'PUT',
    ]);
  });

  test('other bytes than were announced are not stored', async () => {
    const bytes = randomBytes(5 << 20);
    const descriptor = { mediaType: 'x/y', digest: digestOf('other'), sizeBytes: bytes.length };
    const { stored, repository } = await registry();
    await expect(repository.putBlob(descriptor, bytes)).rejects.toMatchObject({ code: 'HF-DIGEST' });
    expect(stored.size).toBe(0);
  });

  test('a manifest with a subject joins the list of its referrers, once', async () => {
    const subject = digestOf('image');
    const { stored, repository } = await registry();
    await repository.putManifest(artifact(subject, 'one'), MANIFEST_TYPE);
    await repository.putManifest(artifact(subject, 'two'), MANIFEST_TYPE);
    await repository.putManifest(artifact(subject, 'two'), MANIFEST_TYPE);
    const list = JSON.parse(stored.get(`sha256-${hexOf(subject)}`)?.toString() ?? '');
    expect(
      list.manifests.map(({ annotations, artifactType }: { annotations: { text: string }; artifactType: string }) => [
        annotations.text,
        artifactType,
      ]),
    ).toEqual([
      ['one', 'application/x'],
      ['two', 'application/x'],
    ]);
    expect((await repository.referrers(subject)).map(({ annotations }) => annotations?.['text'])).toEqual([
      'one',
      'two',
    ]);
  });

  test('the list is left to a registry that keeps it', async () => {
    const { stored, repository } = await registry({ subjects: true });
    const descriptor = await repository.putManifest(artifact(digestOf('image')), MANIFEST_TYPE, 'tag');
    expect([...stored.keys()]).toEqual(['tag']);
    expect(descriptor.digest).toBe(digestOf(artifact(digestOf('image'))));
  });

  test.each(['https', 'file'])('an upload does not go on at a place of another kind (%s)', async (kind) => {
    const { repository } = await registry({
      fail: ({ method }, response) => {
        if (method !== 'POST') return false;
        response.writeHead(202, kind === 'file' ? { location: 'file:///etc/passwd' } : {}).end();
        return true;
      },
    });
    const bytes = Buffer.from('x');
    const descriptor = { mediaType: 'x/y', digest: digestOf(bytes), sizeBytes: 1 };
    await expect(repository.putBlob(descriptor, bytes)).rejects.toMatchObject({ code: 'HF-NETWORK' });
  });

  test('in a layout: blobs, tags and referrers are found again', async () => {
    await withLayer();
    const repository = new LayoutRepository(layout);
    const bytes = randomBytes(100_000);
    const descriptor = { mediaType: 'x/y', digest: digestOf(bytes), sizeBytes: bytes.length };
    await expect(repository.putBlob({ ...descriptor, digest: digestOf('other') }, bytes)).rejects.toMatchObject({
      code: 'HF-DIGEST',
    });
    await expect(repository.putBlob({ ...descriptor, sizeBytes: 99_999 }, inPieces(bytes, 1000))).rejects.toMatchObject(
      { code: 'HF-DIGEST' },
    );
    await repository.putBlob(descriptor, inPieces(bytes, 1000));
    expect(await repository.document(descriptor, 'it')).toEqual(bytes);
    const subject = (await repository.manifest('v1'))?.digest;
    if (subject === undefined) throw new Error('no image');
    const put = await repository.putManifest(artifact(subject), MANIFEST_TYPE);
    await repository.putManifest(artifact(subject), MANIFEST_TYPE, 'named');
    expect(await repository.referrers(subject)).toMatchObject([{ digest: put.digest, artifactType: 'application/x' }]);
    expect(await repository.referrers(subject, 'other')).toEqual([]);
    expect((await repository.manifest('named'))?.digest).toBe(put.digest);
    expect((await repository.manifest('v1'))?.digest).toBe(subject);
    // The image is still the only one that could be meant.
    const { openLayout } = await import('../../../../src/image/layout.ts');
    expect((await openLayout(layout)).digest).toBe(subject);
  });
});
