// A Notary server that answers from a directory, in the test's own process: what it was asked is noted, and a test may put
// another answer in a file's place.

import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';

export interface FileServer {
  url: string;
  /** Requests so far, as `METHOD path`. */
  requests: string[];
  close: () => Promise<void>;
}

/** What is answered for one file; undefined: as the directory has it. */
export type Answer = (name: string, request: IncomingMessage, response: ServerResponse) => Buffer | 'done' | undefined;

const NOT_FOUND = JSON.stringify({ errors: [{ code: 'METADATA_NOT_FOUND', message: 'not found', detail: {} }] });

/** Serves `directory` for every repository. */
export async function serveDirectory(directory: string, answer: Answer = () => undefined): Promise<FileServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const [, name = ''] = /\/_trust\/tuf\/(.*)$/.exec(decodeURIComponent(request.url ?? '')) ?? [];
    const own = answer(name, request, response);
    if (own === 'done') return;
    const file = join(directory, name);
    const body = own ?? (name !== '' && existsSync(file) ? readFileSync(file) : undefined);
    if (body === undefined) response.writeHead(404, { 'content-type': 'application/json' }).end(NOT_FOUND);
    else response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('not listening on a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
