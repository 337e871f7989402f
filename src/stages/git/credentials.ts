// What git needs to be let in, as files in a directory that only root can enter and that goes away with the step. Names
// of files are all that git's arguments and environment hold. Passwords are given by a credential helper that belongs to
// the one address: an askpass program would answer any server that a redirect leads to, and needs a directory in which
// programs may run, which /run and /tmp often are not.

import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StepValues } from '../../cloudconfig/stepkeys.ts';
import { HoldfastError } from '../../system/errors.ts';
import { namesUser, type RepositoryAddress } from './address.ts';

export type GitAuth = NonNullable<NonNullable<StepValues['git']>['auth']>;

export interface Credentials {
  /** Settings for `git -c`. */
  settings: readonly string[];
  environment: Readonly<Record<string, string>>;
  /** Texts that must not be shown even if a program prints them. */
  secrets: readonly string[];
}

/** The name that the server's key is filed under, so that ports and aliases don't matter. */
const HOST_ALIAS = 'holdfast-repository';
/** A connection that is dead is noticed after about a minute; a boot must not wait for ever. */
const SSH_OPTIONS = [
  'BatchMode=yes',
  'LogLevel=ERROR',
  'ConnectTimeout=30',
  'ServerAliveInterval=15',
  'ServerAliveCountMax=4',
];

/** Gives `use` the credentials for an address; their files are gone when it ends. */
export async function withCredentials<T>(
  address: RepositoryAddress,
  auth: GitAuth,
  use: (credentials: Credentials) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(secretPlace(), 'holdfast-git-'));
  try {
    return await use(prepare(address, auth, directory));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Memory rather than a disk, where that is possible. */
function secretPlace(): string {
  try {
    accessSync('/run', constants.W_OK);
    return '/run';
  } catch {
    return tmpdir();
  }
}

function prepare(address: RepositoryAddress, auth: GitAuth, directory: string): Credentials {
  const put = (name: string, content: string) => {
    const file = join(directory, name);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  };
  const secrets = [auth.password, address.password].flatMap((text) => text || []);
  switch (address.kind) {
    case 'http':
      return { ...passwordLogin(address, auth, put), secrets };
    case 'ssh':
      return {
        settings: [],
        environment: { GIT_SSH_COMMAND: sshCommand(address, auth, put).map(shellQuote).join(' ') },
        secrets,
      };
    default:
      return { settings: [], environment: {}, secrets: [] };
  }
}

type Put = (name: string, content: string) => string;

function passwordLogin(address: RepositoryAddress, auth: GitAuth, put: Put): Omit<Credentials, 'secrets'> {
  const username = auth.username || address.username || '';
  const password = auth.password || address.password || '';
  const settings = auth.insecure ? ['http.sslVerify=false'] : [];
  if (username === '' && password === '') return { settings, environment: {} };
  if (/[\n\0]/.test(username + password)) {
    throw new HoldfastError('HF-CONFIG', 'a user name or password for git must be one line');
  }
  const file = put('credential', `username=${username}\npassword=${password}\n`);
  const { origin } = new URL(address.url);
  // git(1) appends the word get, store or erase.
  const helper = `!f() { test "$1" = get && cat ${shellQuote(file)}; }; f`;
  return { settings: [...settings, `credential.${origin}.helper=${helper}`], environment: {} };
}

function sshCommand(address: RepositoryAddress, auth: GitAuth, put: Put): string[] {
  const options = [...SSH_OPTIONS];
  const identity: string[] = [];
  if (auth.private_key) {
    // OpenSSH wants the last line to be ended.
    identity.push('-i', put('key', `${auth.private_key.trimEnd()}\n`));
    options.push('IdentitiesOnly=yes', 'IdentityAgent=none');
  }
  if (!namesUser(address) && (auth.private_key || auth.username)) options.push(`User=${auth.username || 'git'}`);
  if (auth.public_key) {
    const file = put('known_hosts', `${HOST_ALIAS} ${hostKey(auth.public_key)}\n`);
    options.push(`HostKeyAlias=${HOST_ALIAS}`, `UserKnownHostsFile=${file}`, 'GlobalKnownHostsFile=/dev/null');
    options.push('StrictHostKeyChecking=yes');
  } else if (auth.insecure) {
    options.push('UserKnownHostsFile=/dev/null', 'GlobalKnownHostsFile=/dev/null', 'StrictHostKeyChecking=no');
  } else {
    options.push('StrictHostKeyChecking=yes');
  }
  return ['ssh', ...identity, ...options.flatMap((option) => ['-o', option])];
}

/**
 * Type and blob of a server's key, from a `.pub` line or a known_hosts line.
 * @throws HoldfastError HF-CONFIG when it is neither.
 */
export function hostKey(text: string): string {
  const found = text.trim().match(/(?:^|\s)((?:ssh|ecdsa|sk)-[\w@.-]+) +([A-Za-z0-9+/]+={0,2})(?=\s|$)/);
  if (found !== null) return `${found[1]} ${found[2]}`;
  throw new HoldfastError('HF-CONFIG', 'public_key is no key of a server', {
    hint: 'it is the line that ssh-keyscan prints, for example "ssh-ed25519 AAAA…"',
  });
}

function shellQuote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
