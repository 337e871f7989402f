// A registry on this machine that serves a layout and misbehaves on request: it asks for tokens, redirects, breaks off,
// stays silent. A real server behind real sockets, since that is where the difficulties are.

import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface Served {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
  bytes: Buffer;
}

/** Answers a request, or returns false to leave it to the layout. */
export type Behaviour = (request: Served, response: ServerResponse, count: number) => boolean | undefined;

export interface LocalServer {
  host: string;
  /** `METHOD PATH`, in order, each with what else is worth knowing. */
  requests: Served[];
  /** The paths alone. */
  paths: () => string[];
}

/** Starts a server that ends with the test. */
export async function serve(answer: (request: Served, response: ServerResponse) => void): Promise<LocalServer> {
  const requests: Served[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const served = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: bytes.toString(),
        bytes,
      };
      requests.push(served);
      answer(served, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { host: `127.0.0.1:${port}`, requests, paths: () => requests.map(({ path }) => path) };
}

/** A registry that has the images of a layout below any repository, by digest, and by tag as its index says. */
export function serveLayout(layout: string, behave: Behaviour = () => false): Promise<LocalServer> {
  const counts = new Map<string, number>();
  return serve((request, response) => {
    const count = (counts.get(request.path) ?? 0) + 1;
    counts.set(request.path, count);
    if (behave(request, response, count)) return;
    const [, kind, reference = ''] = /^\/v2\/.+\/(manifests|blobs)\/([^/?]+)$/.exec(request.path) ?? [];
    const entry = kind === 'manifests' ? tagged(layout, reference) : undefined;
    const file = blobFile(layout, entry?.digest ?? reference);
    if (kind === undefined || !existsSync(file)) {
      refuse(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
      return;
    }
    const bytes = readFileSync(file);
    const type = kind === 'manifests' ? manifestType(bytes, entry?.mediaType) : 'application/octet-stream';
    sendBytes(response, request, bytes, type);
  });
}

export function blobFile(layout: string, digest: string): string {
  return join(layout, 'blobs/sha256', digest.replace('sha256:', ''));
}

/** Sends all of it, or the range that was asked for. */
export function sendBytes(response: ServerResponse, { headers }: Served, bytes: Buffer, type = 'x/y'): void {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
  const from = Number(first ?? 0);
  const part = bytes.subarray(from, last ? Number(last) + 1 : bytes.length);
  const isPart = first !== undefined;
  response.writeHead(isPart ? 206 : 200, {
    'content-type': type,
    'content-length': part.length,
    ...(isPart && { 'content-range': `bytes ${from}-${from + part.length - 1}/${bytes.length}` }),
  });
  response.end(part);
}

/** Promises all of it, sends the first bytes and hangs up. */
export function breakOff(response: ServerResponse, bytes: Buffer, sent: number): void {
  response.writeHead(200, { 'content-length': bytes.length });
  response.write(bytes.subarray(0, sent), () => setImmediate(() => response.destroy()));
}

export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

function tagged(layout: string, tag: string): { digest: string; mediaType: string } | undefined {
  const index: { manifests: { digest: string; mediaType: string; annotations?: Record<string, string> }[] } =
    JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  return index.manifests.find(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag);
}

function manifestType(bytes: Buffer, known: string | undefined): string {
  const { mediaType }: { mediaType?: string } = JSON.parse(bytes.toString());
  return known ?? mediaType ?? 'application/json';
}
