// The access to one repository of one registry: answers its challenges, and keeps what came of it. Credentials go to the
// registry itself and to the token service that it names, over TLS unless the registry is one of those without.

import { HoldfastError } from '../../system/errors.ts';
import { withoutSecrets } from '../../system/http.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import type { RegistryName } from './name.ts';
import { mayBePlain } from './plain-http.ts';
import { type AskTokenService, basicAuthorization, parseRealm, readToken, tokenRequest } from './token-request.ts';

export interface AccessOptions {
  name: Pick<RegistryName, 'host' | 'repository'>;
  insecure: readonly string[];
  /** Asked at most once, when the registry wants to know. */
  credentials: () => Promise<Credentials | undefined>;
}

export class RegistryAccess {
  readonly #options: AccessOptions;
  #credentials: Promise<Credentials | undefined> | undefined;
  #authorization: string | undefined;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** The headers that requests to the registry itself carry; empty until it asked. */
  get headers(): Readonly<Record<string, string>> {
    return this.#authorization === undefined ? {} : { authorization: this.#authorization };
  }

  /**
   * Answers a challenge, so that the same request may be tried once more.
   * @param header the value of WWW-Authenticate.
   * @param ask how a token service is reached.
   * @throws HoldfastError HF-NETWORK when the registry can't be satisfied; otherwise as {@link findCredentials}.
   */
  async answer(header: string | null, ask: AskTokenService): Promise<void> {
    const challenges = parseChallenges(header ?? '');
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
    const credentials = await this.#ask();
    if (credentials?.kind === 'registry-token') this.#authorization = `Bearer ${credentials.token}`;
    else if (bearer !== undefined) this.#authorization = `Bearer ${await this.#fetchToken(bearer, credentials, ask)}`;
    else if (!challenges.some(({ scheme }) => scheme === 'basic'))
      throw this.#refused('in a way that is not known here');
    else if (credentials?.kind === 'password') this.#authorization = basicAuthorization(credentials);
    else throw this.#refused('for a user and a password');
  }

  /** The error for a registry that isn't satisfied with what it got. */
  denied(detail: string): HoldfastError {
    const { host, repository } = this.#options.name;
    return new HoldfastError('HF-NETWORK', `${host} does not give access to ${repository}${detail}`, {
      hint: `check the name; for a private image log in first: docker login ${host}`,
    });
  }

  #ask(): Promise<Credentials | undefined> {
    this.#credentials ??= this.#options.credentials();
    return this.#credentials;
  }

  #refused(what: string): HoldfastError {
    const { host } = this.#options.name;
    return new HoldfastError('HF-NETWORK', `${host} asks ${what}, and there are none for it`, {
      hint: `log in first: docker login ${host} (it writes config.json in ~/.docker or $DOCKER_CONFIG)`,
    });
  }

  async #fetchToken(
    { parameters }: Challenge,
    credentials: Credentials | undefined,
    ask: AskTokenService,
  ): Promise<string> {
    const { name } = this.#options;
    const realm = this.#realm(parameters.get('realm') ?? '');
    const scope = parameters.get('scope') ?? `repository:${name.repository}:pull`;
    const scopes = scope.split(' ').filter((part) => part !== '');
    const asked = tokenRequest(realm, { service: parameters.get('service'), scopes }, credentials);
    const answer = await ask(realm.href, asked);
    if (answer.status === 401 || answer.status === 403) {
      throw this.denied(
        credentials === undefined ? ' without credentials' : ': its token service refuses the credentials',
      );
    }
    const token = answer.status === 200 ? readToken(answer.text) : undefined;
    if (token !== undefined) return token;
    throw new HoldfastError(
      'HF-NETWORK',
      `the token service ${withoutSecrets(realm.href)} gave no token (status ${answer.status})`,
    );
  }

  #realm(text: string): URL {
    const { name, insecure } = this.#options;
    const realm = parseRealm(text, ({ host }) => mayBePlain(host, insecure));
    if (realm !== undefined) return realm;
    throw new HoldfastError('HF-NETWORK', `${name.host} names a token service that is not reached over TLS`, {
      hint: 'nothing was sent to it',
    });
  }
}
