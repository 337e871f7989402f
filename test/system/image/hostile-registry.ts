// What a registry, or somebody on the way to it, may do to whoever pulls an image: one behaviour each, and what must come
// of it. Whatever it is, nothing but the image itself is ever taken for it.

import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import {
  type Behaviour,
  blobFile,
  breakOff,
  refuse,
  type Served,
  sendBytes,
} from '../../unit/image/registry/local-registry.ts';

/** What the image is made of. */
export interface Parts {
  layout: string;
  manifest: string;
  config: string;
  layer: string;
}

export interface HostileCase {
  name: string;
  behave: (parts: Parts) => Behaviour;
  /** `ok`: the image itself; otherwise the code of the error. */
  expected: 'ok' | 'HF-NETWORK' | 'HF-DIGEST' | 'HF-IMAGE';
}

type Answer = (request: Served, response: ServerResponse, bytes: Buffer, count: number) => void;

/** Answers the requests for one blob or manifest; everything else is served as it should be. */
const only =
  (part: 'layer' | 'config' | 'manifest', answer: Answer) =>
  (parts: Parts): Behaviour =>
  (request, response, count) => {
    const digest = parts[part];
    const isMeant =
      part === 'manifest' ? request.path.includes('/manifests/') : request.path.endsWith(`/blobs/${digest}`);
    if (!isMeant) return false;
    answer(request, response, readFileSync(blobFile(parts.layout, digest)), count);
    return true;
  };

/** Answers everything. */
const always =
  (answer: (request: Served, response: ServerResponse, count: number) => void) =>
  (): Behaviour =>
  (request, response, count) => {
    answer(request, response, count);
    return true;
  };

const startOf = ({ headers }: Served) => Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);

/** The same length, other bytes. */
function changed(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
  return copy;
}

function endlessly(response: ServerResponse, byte: string, status = 200): void {
  response.writeHead(status);
  const more = () => {
    while (!response.destroyed && response.write(Buffer.alloc(1 << 16, byte)));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}

/** So that what was sent has arrived when the reader gives up. */
function fallSilent(response: ServerResponse, bytes: Buffer): void {
  response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 100_000));
}

function byteByByte(response: ServerResponse, bytes: Buffer): void {
  response.writeHead(200, { 'content-length': bytes.length });
  let at = 0;
  const timer = setInterval(() => response.write(bytes.subarray(at, ++at)), 30);
  response.on('close', () => clearInterval(timer));
}

const bearer = (request: Served, path = '/token') => ({
  'www-authenticate': `Bearer realm="http://${request.headers.host}${path}",service="x"`,
});

export const HOSTILE: readonly HostileCase[] = [
  // Truncation
  {
    name: 'a layer that breaks off once',
    behave: only('layer', (request, response, bytes, count) =>
      count === 1 ? breakOff(response, bytes, 100_000) : sendBytes(response, request, bytes),
    ),
    expected: 'ok',
  },
  {
    name: 'a layer that always breaks off at the same place',
    behave: only('layer', (_, response, bytes) => breakOff(response, bytes, 100_000)),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a layer that ends early and says nothing',
    behave: only('layer', (_, response, bytes) => void response.writeHead(200).end(bytes.subarray(0, 100_000))),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a layer of nothing',
    behave: only('layer', (_, response) => void response.writeHead(200).end()),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a manifest that is cut off',
    behave: only('manifest', (_, response, bytes) => void response.writeHead(200).end(bytes.subarray(0, 50))),
    expected: 'HF-DIGEST',
  },
  {
    name: 'a configuration that is cut off',
    behave: only('config', (_, response, bytes) => void response.writeHead(200).end(bytes.subarray(0, 50))),
    expected: 'HF-DIGEST',
  },
  // Wrong digests
  {
    name: 'another manifest',
    behave: only('manifest', (_, response, bytes) => void response.writeHead(200).end(changed(bytes))),
    expected: 'HF-DIGEST',
  },
  {
    name: 'another configuration',
    behave: only('config', (_, response, bytes) => void response.writeHead(200).end(changed(bytes))),
    expected: 'HF-DIGEST',
  },
  {
    name: 'another layer of the same length',
    behave: only('layer', (request, response, bytes) => sendBytes(response, request, changed(bytes))),
    expected: 'HF-DIGEST',
  },
  {
    name: 'a layer whose rest is another one after a break',
    behave: only('layer', (request, response, bytes, count) =>
      count === 1 ? fallSilent(response, bytes) : sendBytes(response, request, changed(bytes)),
    ),
    expected: 'HF-DIGEST',
  },
  {
    name: 'a layer that is longer',
    behave: only(
      'layer',
      (_, response, bytes) => void response.writeHead(200).end(Buffer.concat([bytes, Buffer.alloc(1000)])),
    ),
    expected: 'HF-DIGEST',
  },
  // Endless bodies
  {
    name: 'a manifest without end',
    behave: only('manifest', (_, response) => endlessly(response, ' ')),
    expected: 'HF-IMAGE',
  },
  {
    name: 'a configuration without end',
    behave: only('config', (_, response) => endlessly(response, ' ')),
    expected: 'HF-IMAGE',
  },
  {
    name: 'a layer without end',
    behave: only('layer', (_, response) => endlessly(response, '\0')),
    expected: 'HF-DIGEST',
  },
  {
    name: 'an error without end',
    behave: always((_, response) => endlessly(response, 'x', 400)),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a layer packed once more',
    behave: only(
      'layer',
      (_, response, bytes) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(bytes)),
    ),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a bomb in place of a layer',
    behave: only(
      'layer',
      (_, response) =>
        void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(200 << 20))),
    ),
    expected: 'HF-NETWORK',
  },
  // Slow bytes
  {
    name: 'a layer byte by byte',
    behave: only('layer', (_, response, bytes) => byteByByte(response, bytes)),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a manifest byte by byte',
    behave: only('manifest', (_, response, bytes) => byteByByte(response, bytes)),
    expected: 'HF-NETWORK',
  },
  { name: 'silence', behave: always(() => {}), expected: 'HF-NETWORK' },
  {
    name: 'silence in the middle of a layer',
    behave: only(
      'layer',
      (_, response, bytes) =>
        void response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 1000)),
    ),
    expected: 'HF-NETWORK',
  },
  {
    name: 'nobody who stays on the line',
    behave: always((_, response) => void response.destroy()),
    expected: 'HF-NETWORK',
  },
  // Redirects
  {
    name: 'redirects in circles',
    behave: always((request, response) => void response.writeHead(307, { location: request.path }).end()),
    expected: 'HF-NETWORK',
  },
  {
    name: 'redirects to ever new places',
    behave: always((request, response) => void response.writeHead(302, { location: `${request.path}x` }).end()),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a redirect to a file',
    behave: only('layer', (_, response) => void response.writeHead(302, { location: 'file:///etc/shadow' }).end()),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a redirect to nowhere',
    behave: only('layer', (_, response) => void response.writeHead(302, { location: 'http://[' }).end()),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a redirect without a place',
    behave: only('layer', (_, response) => void response.writeHead(302).end()),
    expected: 'HF-NETWORK',
  },
  // 401 loops
  {
    name: 'tokens that are never good',
    behave: always((request, response) =>
      request.path.startsWith('/token')
        ? void response.end('{"token":"t"}')
        : refuse(response, 401, 'X', 'x', bearer(request)),
    ),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a token service that wants a token',
    behave: always((request, response) => refuse(response, 401, 'X', 'x', bearer(request))),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a token service that sends elsewhere',
    behave: always((request, response) =>
      request.path.startsWith('/token')
        ? void response.writeHead(302, { location: '/token2' }).end('{"token":"t"}')
        : refuse(response, 401, 'X', 'x', bearer(request)),
    ),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a token service without end',
    behave: always((request, response) =>
      request.path.startsWith('/token') ? endlessly(response, ' ') : refuse(response, 401, 'X', 'x', bearer(request)),
    ),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a token that is a header of its own',
    behave: always((request, response) =>
      request.path.startsWith('/token')
        ? void response.end(JSON.stringify({ token: 'a\r\nX-Evil: 1' }))
        : refuse(response, 401, 'X', 'x', bearer(request)),
    ),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a login in the middle of a layer',
    behave: only('layer', (_, response, bytes, count) =>
      count === 1
        ? breakOff(response, bytes, 50_000)
        : refuse(response, 401, 'X', 'x', { 'www-authenticate': 'Basic realm="x"' }),
    ),
    expected: 'HF-NETWORK',
  },
  // Ranges
  {
    name: 'no ranges: all of it again',
    behave: only('layer', (_, response, bytes, count) =>
      count === 1 ? fallSilent(response, bytes) : void response.writeHead(200).end(bytes),
    ),
    expected: 'ok',
  },
  {
    name: 'ranges refused',
    behave: only('layer', (request, response, bytes, count) => {
      if (count === 1) fallSilent(response, bytes);
      else if (request.headers.range) refuse(response, 416, 'X', 'x');
      else response.writeHead(200).end(bytes);
    }),
    expected: 'ok',
  },
  {
    name: 'ranges refused, and all of it as well',
    behave: only('layer', (_, response, bytes, count) =>
      count === 1 ? fallSilent(response, bytes) : refuse(response, 416, 'X', 'x'),
    ),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a range that begins earlier',
    behave: only('layer', (request, response, bytes, count) => {
      if (count === 1) {
        fallSilent(response, bytes);
        return;
      }
      const from = Math.max(0, startOf(request) - 1000);
      response
        .writeHead(206, { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` })
        .end(bytes.subarray(from));
    }),
    expected: 'ok',
  },
  {
    name: 'a range that begins later',
    behave: only('layer', (request, response, bytes, count) => {
      if (count === 1) {
        fallSilent(response, bytes);
        return;
      }
      const from = startOf(request) + 1;
      response
        .writeHead(206, { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` })
        .end(bytes.subarray(from));
    }),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a range that says another place than it is from',
    behave: only('layer', (request, response, bytes, count) => {
      if (count === 1) {
        fallSilent(response, bytes);
        return;
      }
      const from = startOf(request);
      response
        .writeHead(206, { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` })
        .end(bytes.subarray(0, bytes.length - from));
    }),
    expected: 'HF-IMAGE',
  },
  {
    name: 'a range that nobody asked for',
    behave: only(
      'layer',
      (_, response, bytes) =>
        void response.writeHead(206, { 'content-range': `bytes 10-99/${bytes.length}` }).end(bytes.subarray(10, 100)),
    ),
    expected: 'HF-NETWORK',
  },
  {
    name: 'a range without a place',
    behave: only('layer', (_, response, bytes) => void response.writeHead(206).end(bytes)),
    expected: 'HF-NETWORK',
  },
  {
    name: 'ranges of one byte each',
    behave: only('layer', (request, response, bytes) => {
      const from = startOf(request);
      response
        .writeHead(206, { 'content-range': `bytes ${from}-${from}/${bytes.length}` })
        .end(bytes.subarray(from, from + 1));
    }),
    expected: 'HF-NETWORK',
  },
  // Statuses
  ...[500, 429].map(
    (status): HostileCase => ({
      name: `status ${status} for ever`,
      behave: always((_, response) => refuse(response, status, 'X', 'x', { 'retry-after': '0' })),
      expected: 'HF-NETWORK',
    }),
  ),
  {
    name: 'a status that means nothing',
    behave: always((_, response) => void response.writeHead(299).end()),
    expected: 'HF-NETWORK',
  },
];
