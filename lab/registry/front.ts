// A registry as publishers run it: one name with TLS, behind which a container registry and a Notary server answer. The
// certificate comes from an authority of its own, which a machine has to be told about.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface FrontOptions {
  /** What machines call it: `registry.lab`. */
  name: string;
  /** Where images are, without TLS: `127.0.0.1:PORT`. */
  registry: string;
  /** Where trust data are, without TLS too: `http://127.0.0.1:PORT`. */
  notary: string;
}

export interface Front {
  /** On 127.0.0.1. */
  port: number;
  /** The authority's certificate in PEM. */
  authority: string;
  /** Method and path of each request so far, and how many bytes of the body went out. */
  requests: readonly { method: string; path: string; status: number; bytes: number }[];
  close: () => Promise<void>;
}

/**
 * Starts it on a free port; keys and certificates are made in the directory.
 * @throws Error when openssl(1) can't make them.
 */
export async function startFront(directory: string, options: FrontOptions): Promise<Front> {
  const { key, certificate, authority } = makeCertificates(directory, options.name);
  const requests: Front['requests'][number][] = [];
  const server = createServer({ key, cert: certificate }, (incoming, outgoing) => {
    const path = incoming.url ?? '/';
    const target = new URL(path, path.includes('/_trust/') ? options.notary : `http://${options.registry}`);
    const answer = (upstream: IncomingMessage) => {
      const entry = { method: incoming.method ?? '', path, status: upstream.statusCode ?? 0, bytes: 0 };
      requests.push(entry);
      upstream.on('data', (chunk: Buffer) => {
        entry.bytes += chunk.length;
      });
      outgoing.writeHead(upstream.statusCode ?? 502, upstream.headers);
      upstream.pipe(outgoing);
    };
    const upstream = request(target, { method: incoming.method, headers: incoming.headers }, answer);
    upstream.on('error', (error) => refuse(outgoing, error));
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: portOf(server.address()),
    authority,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function makeCertificates(directory: string, name: string): { key: string; certificate: string; authority: string } {
  const at = (file: string) => join(directory, file);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    ...['req', '-x509', ...newKey, '-days', '30', '-subj', '/CN=Lab authority'],
    ...['-addext', 'keyUsage=critical,keyCertSign', '-keyout', at('ca.key'), '-out', at('ca.pem')],
  );
  openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', at('front.key'), '-out', at('front.csr'));
  writeFileSync(
    at('front.ext'),
    `subjectAltName=DNS:${name}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n`,
  );
  openssl(
    ...['x509', '-req', '-days', '30', '-in', at('front.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key')],
    ...['-CAcreateserial', '-extfile', at('front.ext'), '-out', at('front.pem')],
  );
  const read = (file: string) => readFileSync(at(file), 'utf8');
  return { key: read('front.key'), certificate: read('front.pem'), authority: read('ca.pem') };
}

function refuse(outgoing: ServerResponse, error: Error): void {
  if (!outgoing.headersSent) outgoing.writeHead(502, { 'content-type': 'text/plain' });
  outgoing.end(error.message);
}

function portOf(address: string | AddressInfo | null): number {
  if (address === null || typeof address === 'string') throw new Error('the front has no port');
  return address.port;
}
