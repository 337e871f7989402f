// A network of a test's own, in which the addresses and names of metadata services are this machine, and nothing else
// can be reached; the program under test runs inside of it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_DIRECTORY } from '../../../../lab/cache.ts';
import { bunProgram } from '../../../../lab/executable.ts';
import { type RunResult, run } from '../../../../src/system/process.ts';
import type { ServicePlan } from './main.ts';
import type { Request } from './service.ts';

/** The address behind the services that are found by name. */
const NAMED = '10.99.0.1';
const NAMES = ['metadata.google.internal', 'metaldata', 'metadata.platformequinix.com'];
const ADDRESSES = {
  aws: '169.254.169.254',
  openstack: '169.254.169.254',
  hetzner: '169.254.169.254',
  azure: '169.254.169.254',
  digitalocean: '169.254.169.254',
  vultr: '169.254.169.254',
  azureHost: '168.63.129.16',
  scaleway: '169.254.42.42',
  gcp: NAMED,
  metaldata: NAMED,
  packet: NAMED,
} as const;

type Services = ServicePlan['servers'][number]['services'];

export class MetadataNetwork {
  readonly #directory: string;
  readonly #child: ChildProcess;
  readonly #log: string;

  private constructor(directory: string, child: ChildProcess, log: string) {
    this.#directory = directory;
    this.#child = child;
    this.#log = log;
  }

  /** @param directory for the files that this needs. */
  static async start(directory: string, services: Services): Promise<MetadataNetwork> {
    const log = join(directory, 'requests');
    const hosts = join(directory, 'hosts');
    writeFileSync(log, '');
    writeFileSync(hosts, `127.0.0.1 localhost\n${NAMED} ${NAMES.join(' ')}\n`);
    const plan: ServicePlan = { log, servers: serversOf(services, directory) };
    const script = [
      'ip link set lo up',
      ...new Set(Object.values(ADDRESSES).map((address) => `ip addr add ${address}/32 dev lo`)),
      `mount --bind "$1" /etc/hosts`,
      `exec "$2" "$3" "$4"`,
    ].join(' && ');
    const main = join(import.meta.dirname, 'main.ts');
    const child = spawn(
      'unshare',
      [
        '--net',
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-c',
        script,
        'sh',
        hosts,
        bunProgram(),
        main,
        JSON.stringify(plan),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('ready')) resolve();
      });
      child.stderr.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
      child.on('error', reject);
      child.on('close', () => reject(new Error(`the services ended: ${output}`)));
    });
    return new MetadataNetwork(directory, child, log);
  }

  /** Runs the program from its sources, with a proxy in the environment that must not be asked. */
  holdfast(args: readonly string[], input: string): Promise<RunResult> {
    const program = [bunProgram(), join(PROJECT_DIRECTORY, 'src/main.ts'), ...args];
    const namespaces = ['net', 'mnt'].map(
      (name) => `--${name === 'mnt' ? 'mount' : name}=/proc/${this.#child.pid}/ns/${name}`,
    );
    return run(['nsenter', ...namespaces, '--', ...program], {
      input,
      env: {
        PATH: process.env.PATH,
        HOME: '/root',
        http_proxy: 'http://127.0.0.1:9',
        HTTP_PROXY: 'http://127.0.0.1:9',
        https_proxy: 'http://127.0.0.1:9',
        SSL_CERT_FILE: join(this.#directory, 'ca.pem'),
      },
    });
  }

  requests(): Request[] {
    return readFileSync(this.#log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

function serversOf(services: Services, directory: string): ServicePlan['servers'] {
  const addresses = new Set(services.map(({ name }) => `${name === 'packet'} ${ADDRESSES[name]}`));
  return [...addresses].map((place) => {
    const [tls, address = ''] = place.split(' ');
    const here = services.filter(({ name }) => `${name === 'packet'} ${ADDRESSES[name]}` === place);
    return { address, services: here, ...(tls === 'true' && { certificate: makeCertificate(directory) }) };
  });
}

/** An authority of the test's own, and a certificate from it. */
function makeCertificate(directory: string): { key: string; cert: string } {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test', '-days', '2');
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=metadata.platformequinix.com');
  writeFileSync(join(directory, 'san'), 'subjectAltName=DNS:metadata.platformequinix.com\n');
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'server.pem',
    '-days',
    '2',
    '-extfile',
    'san',
  );
  return { key: join(directory, 'server.key'), cert: join(directory, 'server.pem') };
}
