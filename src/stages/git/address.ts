// Where a repository is, as git would read it, without the name and password that an address may carry: those must not
// reach a command line, which every user of the machine can read.

import { HoldfastError } from '../../system/errors.ts';

export interface RepositoryAddress {
  kind: 'http' | 'ssh' | 'git' | 'file';
  /** For git's command line; a path for `file`. */
  url: string;
  /** Given in the address itself. */
  username?: string;
  password?: string;
}

/**
 * @throws HoldfastError HF-CONFIG for anything but http, https, ssh, git, file, `user@host:path` and absolute paths.
 *   git knows transports that run programs (`ext::`); those are never meant here.
 */
export function parseAddress(text: string): RepositoryAddress {
  if (text.startsWith('/')) return { kind: 'file', url: text };
  // git: a colon before the first slash makes it ssh, unless it is "::".
  if (/^(?!-)[^/:\s]+:(?!:|\/\/)[^\s]+$/.test(text)) return { kind: 'ssh', url: text };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  switch (url?.protocol) {
    case 'http:':
    case 'https:':
      return withoutUser(url, 'http');
    case 'ssh:':
    case 'git+ssh:':
    case 'ssh+git:': {
      // The name is part of the address there, and no secret.
      const { username, ...rest } = withoutUser(url, 'ssh');
      return username === undefined ? rest : { ...rest, url: rest.url.replace('://', `://${url.username}@`) };
    }
    case 'git:':
      return { kind: 'git', url: text };
    case 'file:':
      return { kind: 'file', url: decodeURIComponent(url.pathname) };
  }
  throw new HoldfastError('HF-CONFIG', `${redacted(text)} is no address of a repository that can be used`, {
    hint: 'write https://…, ssh://…, user@host:path, git://…, file://… or an absolute path',
  });
}

/** Whether an address for ssh names the user already. */
export function namesUser({ kind, url }: RepositoryAddress): boolean {
  return kind === 'ssh' && /^(?:[\w+]+:\/\/)?[^/@:]+@/.test(url);
}

function withoutUser(url: URL, kind: RepositoryAddress['kind']): RepositoryAddress {
  const { username, password } = url;
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return {
    kind,
    url: bare.href,
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
  };
}

/** An address that can't be understood may still hold a password. */
function redacted(text: string): string {
  return text.replace(/[^/]*@/, '…@').replace(/[?#].*/, '?…');
}
