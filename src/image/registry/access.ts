// The access to one repository of one registry: answers its challenges, and keeps what came of it. Credentials go to the
// registry itself and to the token service that it names, over TLS unless the registry is one of those without.

import { z } from 'zod';
import { HoldfastError } from '../../system/errors.ts';
import { withoutSecrets } from '../../system/http.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import type { RegistryName } from './name.ts';
import { mayBePlain } from './plain-http.ts';

/** One request to a token service, with its retries. */
export type TokenRequest = (
  url: string,
  request: { method: 'GET' | 'POST'; headers: Record<string, string>; body?: string },
) => Promise<{ status: number; text: string }>;

export interface AccessOptions {
  name: Pick<RegistryName, 'host' | 'repository'>;
  insecure: readonly string[];
  /** Asked at most once, when the registry wants to know. */
  credentials: () => Promise<Credentials | undefined>;
}

/** Docker's token specification: either name, the first one counts. */
const tokenSchema = z
  .object({ token: z.string().optional(), access_token: z.string().optional() })
  .transform(({ token, access_token }) => token || access_token || '');

/** RFC 6750: what may stand in a header. */
const TOKEN = /^[\x21-\x7e]{1,65536}$/;

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
   * @param request how a token service is reached.
   * @throws HoldfastError HF-NETWORK when the registry can't be satisfied; otherwise as {@link findCredentials}.
   */
  async answer(header: string | null, request: TokenRequest): Promise<void> {
    const challenges = parseChallenges(header ?? '');
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
    const credentials = await this.#ask();
    if (credentials?.kind === 'registry-token') this.#authorization = `Bearer ${credentials.token}`;
    else if (bearer !== undefined)
      this.#authorization = `Bearer ${await this.#fetchToken(bearer, credentials, request)}`;
    else if (!challenges.some(({ scheme }) => scheme === 'basic'))
      throw this.#refused('in a way that is not known here');
    else if (credentials?.kind === 'password') this.#authorization = basic(credentials);
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
    request: TokenRequest,
  ): Promise<string> {
    const { name } = this.#options;
    const realm = this.#realm(parameters.get('realm') ?? '');
    const fields = new URLSearchParams();
    const service = parameters.get('service');
    if (service !== undefined) fields.set('service', service);
    for (const scope of (parameters.get('scope') ?? `repository:${name.repository}:pull`).split(' ')) {
      if (scope !== '') fields.append('scope', scope);
    }
    const headers: Record<string, string> = { accept: 'application/json' };
    let answer: { status: number; text: string };
    if (credentials?.kind === 'identity-token') {
      fields.set('grant_type', 'refresh_token');
      fields.set('client_id', 'holdfast');
      fields.set('refresh_token', credentials.token);
      headers['content-type'] = 'application/x-www-form-urlencoded';
      answer = await request(realm.href, { method: 'POST', headers, body: fields.toString() });
    } else {
      if (credentials?.kind === 'password') {
        fields.set('account', credentials.username);
        headers['authorization'] = basic(credentials);
      }
      for (const [key, value] of fields) realm.searchParams.append(key, value);
      answer = await request(realm.href, { method: 'GET', headers });
    }
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
    const realm = URL.canParse(text) ? new URL(text) : undefined;
    const isPlain = realm?.protocol === 'http:';
    const isAllowed = isPlain ? mayBePlain(realm.host, insecure) : realm?.protocol === 'https:';
    if (realm === undefined || !isAllowed) {
      throw new HoldfastError('HF-NETWORK', `${name.host} names a token service that is not reached over TLS`, {
        hint: 'nothing was sent to it',
      });
    }
    // A user and password in the address would be sent along.
    realm.username = '';
    realm.password = '';
    realm.hash = '';
    return realm;
  }
}

function readToken(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = tokenSchema.safeParse(value);
  return data !== undefined && TOKEN.test(data) ? data : undefined;
}

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}
