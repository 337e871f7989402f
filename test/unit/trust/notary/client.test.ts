// The Notary server as a stranger: bodies without end, silence, errors, redirects, logins. Real HTTP on loopback; a good
// repository is served, and one thing is in the way.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import type { Credentials } from '../../../../src/image/registry/credentials.ts';
import { BrokenExchange } from '../../../../src/system/exchange.ts';
import type { NotaryHttp } from '../../../../src/trust/notary/client.ts';
import { type NotaryAnswer, verifyNotary } from '../../../../src/trust/notary/verify.ts';
import { TrustError } from '../../../../src/trust/trust-error.ts';
import { DIGEST, filesOf, GUN, goodRepository, question } from './repository.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, name: string) => void;

const FILES = filesOf(goodRepository());
const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handle);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
}

const good: Handler = (_, response, name) => {
  const bytes = FILES.get(name);
  if (bytes === undefined) response.writeHead(404).end('{"errors":[]}');
  else response.end(bytes);
};

/** Serves the repository below `/v2/GUN/_trust/tuf/`, with `handle` in the way. */
function notary(handle: Handler): Promise<string> {
  const base = `/v2/${GUN}/_trust/tuf/`;
  return listen((request, response) => handle(request, response, (request.url ?? '').replace(base, '')));
}

async function ask(server: string, http: NotaryHttp = {}): Promise<NotaryAnswer | TrustError> {
  const options = { credentials: async () => undefined, attempts: 1, delayMs: 1, stallMs: 2000, ...http };
  try {
    return await verifyNotary(question(new Map(), { server, http: options }));
  } catch (error) {
    if (error instanceof TrustError) return error;
    throw error;
  }
}

describe('bodies', () => {
  /** Writes until the reader has gone. */
  const endless = (response: ServerResponse, sent: { bytes: number }) => {
    const chunk = Buffer.alloc(64 << 10, ' ');
    const more = () => {
      while (!response.destroyed) {
        sent.bytes += chunk.length;
        if (!response.write(chunk)) {
          response.once('drain', more);
          return;
        }
      }
    };
    more();
  };

  test.each([
    ['root.json', 'bad-metadata', 'is larger than 1048576 bytes'],
    ['timestamp.json', 'bad-metadata', 'is larger than 1048576 bytes'],
    ['snapshot', 'hash-mismatch', 'its hash or length differs'],
    ['targets', 'hash-mismatch', 'its hash or length differs'],
  ])('%s without end', async (file, reason, message) => {
    const sent = { bytes: 0 };
    const server = await notary((request, response, name) => {
      if (name.startsWith(file)) endless(response, sent);
      else good(request, response, name);
    });
    expect(await ask(server)).toMatchObject({ reason, message: expect.stringContaining(message) });
    // What lies in buffers on the way is a few megabytes, and no more.
    expect(sent.bytes).toBeLessThan(32 << 20);
  });

  test('that are cut off are tried again', async () => {
    let cut = 0;
    const server = await notary((request, response, name) => {
      const bytes = FILES.get(name);
      if (name !== 'timestamp.json' || bytes === undefined || cut > 0) return good(request, response, name);
      cut += 1;
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 10), () => response.destroy());
    });
    expect(await ask(server, { attempts: 2 })).toMatchObject({ digest: DIGEST });
    expect(cut).toBe(1);
  });

  test('that come as HTML are no metadata', async () => {
    const server = await notary((_, response) => response.end('<html>welcome</html>'));
    expect(await ask(server)).toMatchObject({
      reason: 'bad-metadata',
      message: expect.stringContaining(`root.json of ${GUN}`),
      hint: expect.stringContaining('is this a Notary server?'),
    });
  });
});

describe('a server that does not answer', () => {
  test('because nothing is there', async () => {
    const url = await listen(() => {});
    const [server] = open.splice(0);
    await new Promise<void>((resolve) => server?.close(() => resolve()));
    expect(await ask(url)).toMatchObject({
      reason: 'server-unreachable',
      message: expect.stringMatching(`the signatures of ${GUN} can't be read from ${url}: `),
      hint: expect.stringMatching(/DOCKER_CONTENT_TRUST_SERVER.*--cosign.*--no-verify/),
    });
  });

  test('because it is silent', async () => {
    const server = await notary(() => {});
    expect(await ask(server, { stallMs: 100 })).toMatchObject({
      reason: 'server-unreachable',
      message: expect.stringContaining('nothing came'),
    });
  });

  test.each([408, 429, 500, 502, 503, 504])('but with status %i, again and again', async (status) => {
    let count = 0;
    const server = await notary((_, response) => {
      count += 1;
      response.writeHead(status).end();
    });
    expect(await ask(server, { attempts: 3 })).toMatchObject({
      reason: 'server-unreachable',
      message: expect.stringContaining(`status ${status}`),
    });
    expect(count).toBe(3);
  });

  test('but for a moment', async () => {
    let count = 0;
    const server = await notary((request, response, name) => {
      count += 1;
      if (count === 1) response.writeHead(503).end();
      else good(request, response, name);
    });
    expect(await ask(server, { attempts: 2 })).toMatchObject({ digest: DIGEST });
  });

  test.each([400, 410, 418, 501])('but with status %i, once', async (status) => {
    let count = 0;
    const server = await notary((_, response) => {
      count += 1;
      response.writeHead(status).end();
    });
    expect(await ask(server, { attempts: 3 })).toMatchObject({ reason: 'server-unreachable' });
    expect(count).toBe(1);
  });

  test('of docker itself: all ways out are named', async () => {
    const exchange = async () => {
      throw new BrokenExchange('the name of the host is not known', true, undefined);
    };
    expect(await ask('https://notary.docker.io', { exchange })).toMatchObject({
      reason: 'server-unreachable',
      hint: expect.stringMatching(/switched off.*DOCKER_CONTENT_TRUST_SERVER.*--cosign.*--no-verify/),
    });
  });
});

describe('redirects', () => {
  test('are followed, without the login to another host', async () => {
    const seen: (string | undefined)[] = [];
    const mirror = await notary((request, response, name) => {
      seen.push(request.headers.authorization);
      good(request, response, name);
    });
    const server = await notary((request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="here"' }).end();
      } else response.writeHead(307, { location: mirror + request.url }).end();
    });
    const credentials = async (): Promise<Credentials> => ({ kind: 'password', username: 'u', password: 'p' });
    expect(await ask(server, { credentials })).toMatchObject({ digest: DIGEST });
    expect(seen).toEqual([undefined, undefined, undefined, undefined]);
  });

  test.each(['https://127.0.0.1:1/x', 'file:///etc/passwd', 'https://user:secret@evil.example/x'])(
    'do not change the scheme: %s',
    async (location) => {
      const server = await notary((_, response) => response.writeHead(302, { location }).end());
      const got = await ask(server);
      expect(got).toMatchObject({ reason: 'server-unreachable', message: expect.stringContaining('not followed') });
      expect(String(got)).not.toContain('secret');
    },
  );

  test('end after five', async () => {
    let count = 0;
    const server = await notary((request, response) => {
      count += 1;
      response.writeHead(302, { location: `${request.url}x` }).end();
    });
    expect(await ask(server)).toMatchObject({ message: expect.stringContaining('in circles') });
    expect(count).toBe(6);
  });
});

describe('tokens', () => {
  interface Asked {
    method: string | undefined;
    authorization: string | undefined;
    fields: Record<string, string>;
  }

  /** A server that wants a token, and the service that gives one. */
  async function guarded(
    grant: (asked: Asked, response: ServerResponse) => void = (_, response) => response.end('{"token":"good"}'),
    challenge: (realm: string) => string = (realm) =>
      `Bearer realm="${realm}",service="notary",scope="registry:catalog:*"`,
  ) {
    const asked: Asked[] = [];
    const realm = await listen((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        const query = request.method === 'POST' ? body : new URL(request.url ?? '', 'http://x').search;
        const entry = {
          method: request.method,
          authorization: request.headers.authorization,
          fields: Object.fromEntries(new URLSearchParams(query)),
        };
        asked.push(entry);
        grant(entry, response);
      });
    });
    let refusals = 0;
    const server = await notary((request, response, name) => {
      if (request.headers.authorization === 'Bearer good') return good(request, response, name);
      refusals += 1;
      response.writeHead(401, { 'www-authenticate': challenge(`${realm}/token`) }).end();
    });
    return { server, asked, refusals: () => refusals };
  }
  const as = (credentials: Credentials) => ({
    credentials: async (host: string) => (host === 'registry.example:5000' ? credentials : undefined),
  });
  const scope = `repository:${GUN}:pull`;

  test('are asked for without a name, for this repository, once', async () => {
    const { server, asked, refusals } = await guarded();
    expect(await ask(server)).toMatchObject({ digest: DIGEST });
    expect(asked).toEqual([{ method: 'GET', authorization: undefined, fields: { service: 'notary', scope } }]);
    expect(refusals()).toBe(1);
  });

  test('are asked for by name where there is one', async () => {
    const { server, asked } = await guarded();
    const user = as({ kind: 'password', username: 'user', password: 'sécret' });
    expect(await ask(server, user)).toMatchObject({ digest: DIGEST });
    expect(asked).toEqual([
      {
        method: 'GET',
        authorization: `Basic ${Buffer.from('user:sécret').toString('base64')}`,
        fields: { service: 'notary', scope, account: 'user' },
      },
    ]);
  });

  test('are had for an identity token', async () => {
    const { server, asked } = await guarded((_, response) => response.end('{"access_token":"good","expires_in":300}'));
    expect(await ask(server, as({ kind: 'identity-token', token: 'identity' }))).toMatchObject({ digest: DIGEST });
    const fields = {
      grant_type: 'refresh_token',
      refresh_token: 'identity',
      client_id: 'holdfast',
      service: 'notary',
      scope,
    };
    expect(asked).toEqual([{ method: 'POST', authorization: undefined, fields }]);
  });

  test('that have expired are had anew', async () => {
    let given = 0;
    const { server, asked } = await guarded((_, response) => {
      given += 1;
      response.end(JSON.stringify({ token: 'good' }));
    });
    let count = 0;
    const forgetful = await listen((request, response) => {
      count += 1;
      // The third request meets a server that has forgotten.
      const authorization = count === 3 ? undefined : request.headers.authorization;
      void fetch(server + request.url, { headers: authorization === undefined ? {} : { authorization } }).then(
        async (answer) => {
          const challenge = answer.headers.get('www-authenticate');
          response.writeHead(answer.status, challenge === null ? {} : { 'www-authenticate': challenge });
          response.end(Buffer.from(await answer.arrayBuffer()));
        },
      );
    });
    expect(await ask(forgetful)).toMatchObject({ digest: DIGEST });
    expect([given, asked.length]).toEqual([2, 2]);
  });

  test.each<[string, (asked: Asked, response: ServerResponse) => void]>([
    ['refuses', (_, response) => response.writeHead(401).end()],
    ['gives none', (_, response) => response.end('{}')],
    ['gives one that no header may have', (_, response) => response.end('{"token":"a\\nb"}')],
    ['gives no JSON', (_, response) => response.end('token')],
    ['gives one that is not good', (_, response) => response.end('{"token":"bad"}')],
    ['redirects', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['never ends', (_, response) => void response.write(Buffer.alloc(1 << 20, 'x'))],
  ])('are not had from a service that %s', async (_, grant) => {
    const { server, asked, refusals } = await guarded(grant);
    const got = await ask(server, as({ kind: 'password', username: 'user', password: 'secret' }));
    expect(got).toMatchObject({
      reason: 'auth-failed',
      message: expect.stringMatching(`${server} does not show the signatures of ${GUN} \\(as user\\): `),
      hint: expect.stringContaining('docker login registry.example:5000'),
    });
    expect(String(got)).not.toContain('secret');
    expect(asked).toHaveLength(1);
    expect(refusals()).toBeLessThan(3);
  });

  test.each([
    ['Bearer realm="http://token.example/",service="x"', 'not reached over TLS'],
    ['Bearer realm="nonsense"', 'not reached over TLS'],
    ['Basic realm="x"', 'asks for a login'],
    ['Negotiate', 'asks for a login'],
    ['', 'asks for a login'],
  ])('are not asked for where the challenge is %s', async (challenge, why) => {
    const { server, asked } = await guarded(undefined, () => challenge);
    expect(await ask(server)).toMatchObject({
      reason: 'auth-failed',
      message: expect.stringMatching(`anonymous.*${why}`),
    });
    expect(asked).toEqual([]);
  });

  test('403 is a refusal too', async () => {
    const server = await notary((_, response) => response.writeHead(403).end());
    expect(await ask(server)).toMatchObject({ reason: 'auth-failed', message: expect.stringContaining('status 403') });
  });
});
