// Permission to read a repository's metadata: docker's token protocol, or a plain login. The scope is always our own, since
// a server may ask for another (notary-server does on /v2/); a password goes to the token service over TLS only.

import { type Challenge, parseChallenges } from '../../image/registry/challenge.ts';
import type { Credentials } from '../../image/registry/credentials.ts';
import {
  type AskTokenService,
  basicAuthorization,
  parseRealm,
  readToken,
  tokenRequest,
} from '../../image/registry/token-request.ts';
import { withoutSecrets } from '../../system/http.ts';
import { TrustError } from '../trust-error.ts';
import { isLoopback } from './server.ts';

export interface AccessOptions {
  gun: string;
  /** Address of the Notary server. */
  server: string;
  /** Those for the registry's host; asked at most once, when the server wants to know. */
  credentials: () => Promise<Credentials | undefined>;
  ask: AskTokenService;
}

export class NotaryAccess {
  readonly #options: AccessOptions;
  #credentials: Promise<Credentials | undefined> | undefined;
  #authorization: string | undefined;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** For requests to the Notary server itself; empty until it asked. */
  get headers(): Readonly<Record<string, string>> {
    return this.#authorization === undefined ? {} : { authorization: this.#authorization };
  }

  /**
   * Answers a 401, so that the same request may be made once more.
   * @param header the value of WWW-Authenticate.
   * @throws TrustError auth-failed
   */
  async answer(header: string | null): Promise<void> {
    this.#credentials ??= this.#options.credentials();
    const credentials = await this.#credentials;
    const challenges = parseChallenges(header ?? '');
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
    if (bearer !== undefined) this.#authorization = `Bearer ${await this.#fetchToken(bearer, credentials)}`;
    else if (credentials?.kind === 'password' && challenges.some(({ scheme }) => scheme === 'basic')) {
      this.#authorization = basicAuthorization(credentials);
    } else throw await this.refused('it asks for a login, and there is none for it');
  }

  /** The error for a server that isn't satisfied, which says as whom it was asked. */
  async refused(why: string): Promise<TrustError> {
    const { gun, server } = this.#options;
    const credentials = await this.#credentials;
    const who =
      credentials?.kind === 'password' ? `as ${credentials.username}` : credentials ? 'with a token' : 'anonymous';
    const host = gun.slice(0, gun.indexOf('/'));
    return new TrustError('auth-failed', `${server} does not show the signatures of ${gun} (${who}): ${why}`, {
      hint: `log in first: docker login ${host} (it writes config.json in ~/.docker or $DOCKER_CONFIG)`,
    });
  }

  async #fetchToken({ parameters }: Challenge, credentials: Credentials | undefined): Promise<string> {
    const realm = await this.#realm(parameters.get('realm') ?? '');
    const scopes = [`repository:${this.#options.gun}:pull`];
    const request = tokenRequest(realm, { service: parameters.get('service'), scopes }, credentials);
    const { status, text } = await this.#options.ask(realm.href, request);
    const token = status === 200 ? readToken(text) : undefined;
    if (token !== undefined) return token;
    throw await this.refused(`its token service ${withoutSecrets(realm.href)} gave no token (status ${status})`);
  }

  async #realm(text: string): Promise<URL> {
    const realm = parseRealm(text, ({ hostname }) => isLoopback(hostname));
    if (realm === undefined) throw await this.refused('it names a token service that is not reached over TLS');
    return realm;
  }
}
