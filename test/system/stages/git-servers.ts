// Real servers for repositories: git's own program behind HTTP with a password, and OpenSSH with a key. Both listen on
// 127.0.0.1 and end with the test.

import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const sh = (script: string, cwd: string) =>
  execFileSync('sh', ['-ec', script], {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: cwd, GIT_CONFIG_GLOBAL: '/dev/null' },
  }).trim();

/** A repository `origin.git` in a directory, with a working copy beside it to change it with. */
export class Origin {
  readonly path: string;
  readonly #copy: string;

  constructor(directory: string) {
    this.path = join(directory, 'origin.git');
    this.#copy = join(directory, 'copy');
    sh('git init -q --bare -b main origin.git; git clone -q origin.git copy 2>/dev/null', directory);
    this.do('git symbolic-ref HEAD refs/heads/main; git config user.name t; git config user.email t@t');
  }

  /** Runs a script in the working copy. */
  do(script: string): string {
    return sh(script, this.#copy);
  }

  /** Commits files and sends the branch; returns the commit. */
  commit(files: Readonly<Record<string, string>>, branch = 'main'): string {
    this.do(`git checkout -q ${branch} 2>/dev/null || git checkout -q -b ${branch}`);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(this.#copy, name), content);
    return this.do(`git add -A; git commit -q -m x; git push -q -f origin ${branch}; git rev-parse HEAD`);
  }
}

export interface HttpRequestSeen {
  path: string;
  authorization: string | undefined;
}

/** git-http-backend(1) behind HTTP; with a login, requests without it get 401. */
export async function serveHttp(
  directory: string,
  login?: { username: string; password: string },
  redirects: Readonly<Record<string, string>> = {},
): Promise<{ url: string; seen: HttpRequestSeen[] }> {
  const wanted = login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
  const seen: HttpRequestSeen[] = [];
  const server = createServer((request, response) => {
    const { authorization } = request.headers;
    seen.push({ path: request.url ?? '', authorization });
    const target = Object.entries(redirects).find(([from]) => request.url?.startsWith(from));
    if (target !== undefined) {
      response.writeHead(302, { location: target[1] + (request.url ?? '').slice(target[0].length) }).end();
    } else if (wanted !== undefined && authorization !== wanted) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
    } else runBackend(directory, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** RFC 3875: headers as variables, the body on standard input, the answer's head before an empty line. */
function runBackend(directory: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://host');
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: directory,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: pathname,
      QUERY_STRING: searchParams.toString(),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  request.pipe(child.stdin);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('close', () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf('\r\n\r\n');
    const headers = answer
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => line.split(': ', 2));
    const status = Number.parseInt(headers.find(([name]) => name === 'Status')?.[1] ?? '200', 10);
    for (const [name = '', value = ''] of headers) if (name !== 'Status') response.setHeader(name, value);
    response.writeHead(status).end(answer.subarray(end + 4));
  });
}

export interface SshServer {
  port: number;
  /** The server's public key. */
  hostKey: string;
  /** The private key that it lets in. */
  privateKey: string;
  /** Another key, which it doesn't. */
  foreignKey: string;
}

/** sshd(8) that lets the user who runs the test in with one key. */
export async function serveSsh(directory: string): Promise<SshServer> {
  for (const name of ['host', 'user', 'foreign']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, name)]);
  }
  const port = await freePort();
  const config = join(directory, 'sshd_config');
  chmodSync(directory, 0o755);
  writeFileSync(
    config,
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${join(directory, 'host')}
AuthorizedKeysFile ${join(directory, 'user.pub')}
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
`,
  );
  // Compiled into Debian's sshd, whose unit makes it.
  const privileges = '/run/sshd';
  const made = !existsSync(privileges) && mkdirSync(privileges, { recursive: true }) !== undefined;
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  onTestFinished(async () => {
    child.kill();
    await ended;
    if (made) rmdirSync(privileges);
  });
  await untilListening(port, () => (child.exitCode === null ? undefined : log));
  const read = (name: string) => readFileSync(join(directory, name), 'utf8');
  return { port, hostKey: read('host.pub'), privateKey: read('user'), foreignKey: read('foreign') };
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

async function untilListening(port: number, failure: () => string | undefined): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    const why = failure();
    if (why !== undefined || attempt > 200) throw new Error(`sshd doesn't listen: ${why ?? 'no answer'}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
