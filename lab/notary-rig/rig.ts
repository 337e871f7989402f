// A Notary v1 server on 127.0.0.1, Debian's package notary, with the client that signs on it: what images are signed with in
// tests. It keeps everything in memory, makes its timestamp keys itself, and ends with the process that started it.

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { HoldfastError } from '../../src/system/errors.ts';
import { run, runChecked, tailOf } from '../../src/system/process.ts';

export interface RigOptions {
  /** Plain HTTP, which verifiers take for this machine only; default is TLS with an authority of its own. */
  plain?: boolean;
  /** Who wants to read needs a token; default: everybody may do everything. */
  token?: {
    realm: string;
    service: string;
    issuer: string;
    /** File in PEM: of the key that signs tokens. */
    certificate: string;
  };
}

export interface NotaryRig {
  /** `https://localhost:PORT`. */
  url: string;
  port: number;
  /** The authority of its certificate, in PEM; also there without TLS. */
  caFile: string;
  /** What was asked so far. */
  requests: () => { method: string; path: string; status: number }[];
  /** Runs Debian's client, which keeps its keys in the rig's directory; what it printed. */
  client: (args: readonly string[], options?: { input?: string; env?: NodeJS.ProcessEnv }) => Promise<string>;
  /** Ends the server; what it knew is gone. */
  close: () => Promise<void>;
}

const START_MS = 30_000;
const ATTEMPTS = 5;

/** The client asks for one on its terminal where it finds none. */
const PASSPHRASES = {
  NOTARY_ROOT_PASSPHRASE: 'of the root key',
  NOTARY_TARGETS_PASSPHRASE: 'of the targets key',
  NOTARY_SNAPSHOT_PASSPHRASE: 'of the snapshot key',
  NOTARY_DELEGATION_PASSPHRASE: 'of the other keys',
};

/** Starts a server on a free port; certificates, configuration and the client's keys are in the directory. */
export async function startNotary(directory: string, options: RigOptions = {}): Promise<NotaryRig> {
  mkdirSync(join(directory, 'home'), { recursive: true });
  await makeCertificates(directory);
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const started = await start(directory, port, options);
    if (typeof started !== 'string') return { ...started, client: client(directory, started.url) };
    // Between finding a port and taking it, somebody else may take it.
    if (attempt === ATTEMPTS || !/address already in use/i.test(started)) {
      throw new HoldfastError('HF-COMMAND', 'the Notary server does not start', { outputTail: tailOf(started) });
    }
  }
}

/** The running server, or what it said when it ended. */
async function start(
  directory: string,
  port: number,
  { plain = false, token }: RigOptions,
): Promise<Omit<NotaryRig, 'client'> | string> {
  const file = join(directory, 'notary-server.json');
  const tls = { tls_cert_file: join(directory, 'server.crt'), tls_key_file: join(directory, 'server.key') };
  writeFileSync(
    file,
    JSON.stringify({
      server: { http_addr: `127.0.0.1:${port}`, ...(plain ? {} : tls) },
      // Keys in memory, without the second server that would keep them.
      trust_service: { type: 'local' },
      storage: { backend: 'memory' },
      logging: { level: 'info' },
      ...(token && {
        auth: {
          type: 'token',
          options: {
            realm: token.realm,
            service: token.service,
            issuer: token.issuer,
            rootcertbundle: token.certificate,
          },
        },
      }),
    }),
  );
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'notary-server', `-config=${file}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      hasEnded = true;
      resolve();
    };
    child.once('exit', end);
    child.once('error', (error) => {
      log += error.message;
      end();
    });
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
  }
  const deadline = Date.now() + START_MS;
  const url = `${plain ? 'http' : 'https'}://localhost:${port}`;
  const caFile = join(directory, 'ca.crt');
  while (!(await answers(`${url}/_notary_server/health`, caFile))) {
    if (hasEnded) return log;
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      await ended;
      return `${log}\nit does not answer`;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    port,
    caFile,
    requests: () => parseRequests(log),
    close: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function answers(url: string, caFile: string): Promise<boolean> {
  const argv = ['curl', '--silent', '--fail', '--noproxy', '*', '--max-time', '2', '--cacert', caFile, url] as const;
  return (await run(argv)).status === 0;
}

function client(directory: string, url: string): NotaryRig['client'] {
  return (args, { input = '', env = {} } = {}) =>
    runChecked(
      ['notary', '-s', url, '--tlscacert', join(directory, 'ca.crt'), '-d', join(directory, 'trust'), ...args],
      { input, env: { ...process.env, ...PASSPHRASES, HOME: join(directory, 'home'), ...env } },
    );
}

/** One line of its log is one JSON object; those of requests have their fields under dotted names. */
function parseRequests(log: string): { method: string; path: string; status: number }[] {
  return log.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return [];
    const entry: Record<string, unknown> = JSON.parse(line);
    const method = entry['http.request.method'];
    const path = entry['http.request.uri'];
    const status = entry['http.response.status'];
    if (typeof method !== 'string' || typeof path !== 'string' || path.startsWith('/_notary_server/')) return [];
    return typeof status === 'number' ? [{ method, path, status }] : [];
  });
}

async function makeCertificates(directory: string): Promise<void> {
  const at = (name: string) => join(directory, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const;
  await runChecked([
    ...(['openssl', 'req', '-x509', ...key, '-days', '30', '-subj', '/CN=throw-away authority'] as const),
    ...['-keyout', at('ca.key'), '-out', at('ca.crt')],
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  ]);
  await runChecked([
    ...(['openssl', 'req', ...key, '-subj', '/CN=localhost'] as const),
    ...['-keyout', at('server.key'), '-out', at('server.csr')],
  ]);
  writeFileSync(
    at('server.ext'),
    'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n',
  );
  await runChecked([
    ...(['openssl', 'x509', '-req', '-in', at('server.csr'), '-CA', at('ca.crt'), '-CAkey', at('ca.key')] as const),
    ...['-set_serial', '2', '-days', '30', '-extfile', at('server.ext'), '-out', at('server.crt')],
  ]);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
