// The part of Kubernetes' API that a node's own object is changed by, on this host's loopback, behind real TLS: an authority of
// its own, client certificates and bearer tokens. It keeps what was asked, so that tests can hold it against what was meant.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';

export interface SeenRequest {
  method: string;
  path: string;
  contentType: string | undefined;
  /** `cert:NAME`, `token`, or nobody. */
  by: string;
  body: string;
  status: number;
}

export interface ApiServer {
  port: number;
  /** PEM, and where the files are. */
  authority: string;
  token: string;
  clientCertificate: string;
  clientKey: string;
  requests: SeenRequest[];
  /** Of the only node that there is. */
  annotations: Record<string, string>;
  /** From now on every request is answered with this status. */
  refuseWith: (status: number | undefined) => void;
  close: () => Promise<void>;
}

/**
 * Starts it.
 * @param directory for keys and certificates.
 * @param options.addresses IP addresses that its certificate is for, beside 127.0.0.1.
 * @throws Error when openssl(1) can't make the certificates.
 */
export async function startApiServer(
  directory: string,
  { node, addresses = [] }: { node: string; addresses?: readonly string[] },
): Promise<ApiServer> {
  mkdirSync(directory, { recursive: true });
  const at = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-days',
    '30',
    '-subj',
    '/CN=cluster',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.crt'),
  );
  const issue = (name: string, subject: string, extensions: string) => {
    openssl('req', ...newKey, '-subj', subject, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`));
    writeFileSync(at(`${name}.ext`), extensions);
    openssl(
      ...['x509', '-req', '-days', '30', '-in', at(`${name}.csr`), '-CA', at('ca.crt'), '-CAkey', at('ca.key')],
      ...['-CAcreateserial', '-extfile', at(`${name}.ext`), '-out', at(`${name}.crt`)],
    );
  };
  const names = ['127.0.0.1', ...addresses].map((address) => `IP:${address}`).join(',');
  issue('server', '/CN=kube-apiserver', `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`);
  issue('client', `/O=system:nodes/CN=system:node:${node}`, 'extendedKeyUsage=clientAuth\n');

  const token = `token-${Buffer.from(readFileSync(at('ca.crt')))
    .toString('hex')
    .slice(200, 232)}`;
  const requests: SeenRequest[] = [];
  const annotations: Record<string, string> = {};
  let refusal: number | undefined;
  const server = createServer(
    {
      key: readFileSync(at('server.key')),
      cert: readFileSync(at('server.crt')),
      ca: readFileSync(at('ca.crt')),
      requestCert: true,
      rejectUnauthorized: false,
    },
    async (request, response) => {
      const body = await bodyOf(request);
      const by = requesterOf(request, token);
      const status = refusal ?? statusFor(request, by, node);
      const { method = '', url: path = '', headers } = request;
      requests.push({ method, path, contentType: headers['content-type'], by, body, status });
      if (status === 200) applyPatch(annotations, body);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: status === 200 ? 'Node' : 'Status', metadata: { annotations } }));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    port: address.port,
    authority: readFileSync(at('ca.crt'), 'utf8'),
    token,
    clientCertificate: readFileSync(at('client.crt'), 'utf8'),
    clientKey: readFileSync(at('client.key'), 'utf8'),
    requests,
    annotations,
    refuseWith: (status) => {
      refusal = status;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function requesterOf(request: IncomingMessage, token: string): string {
  const socket = request.socket as TLSSocket;
  // A resumed session counts as authorized, whoever it belongs to; without a certificate it is nobody's.
  const { subject } = socket.getPeerCertificate();
  const name = typeof subject?.CN === 'string' ? subject.CN : undefined;
  if (socket.authorized && name !== undefined) return `cert:${name}`;
  return request.headers.authorization === `Bearer ${token}` ? 'token' : 'nobody';
}

function statusFor(request: IncomingMessage, by: string, node: string): number {
  if (by === 'nobody') return 401;
  if (request.url !== `/api/v1/nodes/${node}`) return 404;
  return request.method === 'PATCH' && request.headers['content-type'] === 'application/merge-patch+json' ? 200 : 415;
}

/** RFC 7386, as far as annotations go. */
function applyPatch(annotations: Record<string, string>, body: string): void {
  const patch: { metadata: { annotations: Record<string, string | null> } } = JSON.parse(body);
  for (const [name, value] of Object.entries(patch.metadata.annotations)) {
    if (value === null) delete annotations[name];
    else annotations[name] = value;
  }
}
