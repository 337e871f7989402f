// Serves a directory over HTTP on 127.0.0.1, for guests: they reach it as 10.0.2.2 at the same port, or through a
// forward where they reach nothing else.

import { createReadStream, statSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { HoldfastError } from '../../src/system/errors.ts';
import type { PackageRepository } from './repository.ts';

export interface PackageServer {
  port: number;
  /** What was asked for, in order, as `STATUS PATH`. */
  requests: readonly string[];
  /** Ends open connections too. */
  close: () => Promise<void>;
}

/** Starts the server on a free port. */
export async function servePackages({ directory }: PackageRepository): Promise<PackageServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = normalize(`/${decodeURIComponent((request.url ?? '/').split('?')[0] ?? '/')}`);
    const file = join(directory, path);
    const stats = statSync(file, { throwIfNoEntry: false });
    const found = stats?.isFile() ?? false;
    requests.push(`${found ? 200 : 404} ${path}`);
    if (!found || stats === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Length': stats.size, 'Last-Modified': stats.mtime.toUTCString() });
    if (request.method === 'HEAD') response.end();
    else void send(file, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new HoldfastError('HF-IO', 'the package server has no port');
  return {
    port: address.port,
    requests,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function send(file: string, response: ServerResponse): Promise<void> {
  try {
    await pipeline(createReadStream(file), response);
  } catch {
    // The guest hung up; it was switched off or asks again.
    response.destroy();
  }
}
