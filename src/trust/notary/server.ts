// Which Notary server speaks for a repository, as docker decides it. The repository's name doesn't depend on the server: a
// mirror of the metadata can be named without changing what is signed.

import { TrustError } from '../trust-error.ts';
import { hostOfGun } from '../trust-name.ts';

/** Docker's own, for images without a registry in their name; announced to be switched off in December 2026. */
export const DOCKER_NOTARY = 'https://notary.docker.io';

/**
 * The address of the server, without a slash at its end.
 * @param gun the repository's full name, as parseTrustName gives it.
 * @param configured DOCKER_CONTENT_TRUST_SERVER or the setting: one server for all repositories.
 * @throws TrustError invalid-trust-server for what is not https, but for `http` on this machine itself.
 */
export function notaryServer(gun: string, configured?: string): string {
  if (configured !== undefined && configured !== '') return checkServer(configured);
  const host = hostOfGun(gun);
  return host === 'docker.io' ? DOCKER_NOTARY : `https://${host}`;
}

function checkServer(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlainHere = url?.protocol === 'http:' && isLoopback(url.hostname);
  if (url === undefined || (url.protocol !== 'https:' && !isPlainHere)) {
    throw new TrustError('invalid-trust-server', `${shown(text)} is no address of a Notary server`, {
      hint: 'write https://HOST[:PORT]; http:// is taken for this machine itself only',
    });
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new TrustError(
      'invalid-trust-server',
      `${url.host}: a Notary server's address is https://HOST[:PORT][/PATH] only`,
      {
        hint: `credentials come from docker's configuration: docker login ${url.host}`,
      },
    );
  }
  return (url.origin + url.pathname).replace(/\/+$/, '');
}

/** @param hostname as URL gives it: IPv6 addresses in brackets. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

function shown(text: string): string {
  return JSON.stringify(text.replace(/\/\/[^/@]*@/, '//***@').slice(0, 200));
}
