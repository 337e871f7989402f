// The token service of a registry, as docker's specification has it: whoever is known, or nobody in particular, gets a token
// for one repository, signed by a key that the Notary server trusts.

import { randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';

export interface TokenOptions {
  /** `user:password`; without it everybody may do everything. */
  user?: string;
  /** Given for the token that stands for a login. */
  identity?: string;
}

export interface TokenService {
  realm: string;
  service: string;
  issuer: string;
  certificate: string;
  /** What was asked for, as `METHOD scope who`. */
  requests: string[];
  close: () => Promise<void>;
}

const SERVICE = 'notary.rig';
const ISSUER = 'rig';
const LIFE_SECONDS = 300;

/** Starts the service on a free port of this machine; its key is made in the directory. */
export async function startTokenService(directory: string, options: TokenOptions = {}): Promise<TokenService> {
  const key = join(directory, 'token.key');
  const certificate = join(directory, 'token.crt');
  await runChecked([
    ...(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const),
    ...['-days', '30', '-subj', '/CN=token service', '-keyout', key, '-out', certificate],
  ]);
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    const fields = await fieldsOf(request);
    const scope = fields.get('scope') ?? '';
    const login = /^Basic (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    const who =
      login === undefined ? (fields.get('refresh_token') ?? 'nobody') : Buffer.from(login, 'base64').toString();
    requests.push(`${request.method} ${scope} ${who}`);
    const allowed = [options.user, options.identity].filter((known) => known !== undefined);
    const [, name, actions = ''] = /^repository:(.*):(pull|push,pull)$/.exec(scope) ?? [];
    if (name === undefined || (allowed.length > 0 && !allowed.includes(who))) {
      response.writeHead(401).end('{}');
      return;
    }
    response.end(
      JSON.stringify({ token: token(name, actions.split(','), key, certificate), expires_in: LIFE_SECONDS }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('not listening on a port');
  return {
    realm: `http://127.0.0.1:${address.port}/token`,
    service: SERVICE,
    issuer: ISSUER,
    certificate,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function fieldsOf(request: IncomingMessage): Promise<URLSearchParams> {
  if (request.method !== 'POST') return new URL(request.url ?? '', 'http://rig').searchParams;
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

/** A JSON web token (RFC 7519) that carries the certificate of the key that signs it. */
function token(repository: string, actions: readonly string[], keyFile: string, certificateFile: string): string {
  const pem = readFileSync(certificateFile, 'utf8');
  const der = pem.replace(/-----.*-----|\s/g, '');
  const now = Math.floor(Date.now() / 1000);
  const header = { typ: 'JWT', alg: 'ES256', x5c: [der] };
  const claims = {
    iss: ISSUER,
    sub: '',
    aud: SERVICE,
    iat: now,
    nbf: now - 10,
    exp: now + LIFE_SECONDS,
    jti: randomUUID(),
    access: [{ type: 'repository', name: repository, actions }],
  };
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const key = { key: readFileSync(keyFile, 'utf8'), dsaEncoding: 'ieee-p1363' as const };
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}
