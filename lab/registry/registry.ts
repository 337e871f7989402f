// A container registry on 127.0.0.1, Debian's package docker-registry: what images are pulled from in tests. It ends with
// the process that started it, at the latest.

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../../src/system/errors.ts';
import { runChecked, tailOf } from '../../src/system/process.ts';

export interface RegistryOptions {
  /** Who may log in, as htpasswd(1) writes it with bcrypt; default: everybody may do everything. */
  users?: string;
  /** Files in PEM. */
  tls?: { certificate: string; key: string };
}

export interface LabRegistry {
  /** `127.0.0.1:PORT`. */
  host: string;
  port: number;
  /** What it has logged so far, with a line for each request. */
  log: () => string;
  close: () => Promise<void>;
}

const START_MS = 30_000;

/** Starts a registry on a free port; what it stores and its configuration are in the directory. */
export async function startRegistry(directory: string, options: RegistryOptions = {}): Promise<LabRegistry> {
  mkdirSync(join(directory, 'data'), { recursive: true });
  if (options.users !== undefined) writeFileSync(join(directory, 'htpasswd'), options.users);
  const configuration = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') } },
    http: {
      addr: '127.0.0.1:0',
      secret: 'lab',
      ...(options.tls && { tls: { certificate: options.tls.certificate, key: options.tls.key } }),
    },
    ...(options.users !== undefined && { auth: { htpasswd: { realm: 'lab', path: join(directory, 'htpasswd') } } }),
  };
  const file = join(directory, 'registry.yml');
  // JSON is YAML too.
  writeFileSync(file, JSON.stringify(configuration));
  const child = spawn('docker-registry', ['serve', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      log += error.message;
      resolve();
    });
  });
  const port = await new Promise<number>((resolve, reject) => {
    const fail = (why: string) =>
      reject(new HoldfastError('HF-COMMAND', `the registry ${why}`, { outputTail: tailOf(log) }));
    const timer = setTimeout(() => fail('does not start'), START_MS);
    const hear = (chunk: Buffer) => {
      log += chunk.toString();
      const found = /listening on 127\.0\.0\.1:(\d+)/.exec(log)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(Number(found));
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    void ended.then(() => {
      clearTimeout(timer);
      fail('ended at once');
    });
  });
  return {
    host: `127.0.0.1:${port}`,
    port,
    log: () => log,
    close: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Copies an image from a layout into a registry without TLS, with another tool than ours. */
export async function pushImage(
  layout: string,
  tag: string,
  target: string,
  options: { user?: string; all?: boolean } = {},
): Promise<void> {
  await runChecked([
    'skopeo',
    '--insecure-policy',
    'copy',
    '--quiet',
    '--dest-tls-verify=false',
    ...(options.user === undefined ? [] : ['--dest-creds', options.user]),
    ...(options.all ? ['--all'] : []),
    `oci:${layout}:${tag}`,
    `docker://${target}`,
  ]);
}
