// Requests to one repository of one registry (OCI distribution-spec): with the credentials it asks for, redirects that
// take none of them to other hosts, and patience with what is temporary.

import { HoldfastError } from '../../system/errors.ts';
import {
  BrokenExchange,
  type Exchange,
  type ExchangeOptions,
  type Exchanger,
  exchange,
} from '../../system/exchange.ts';
import { withoutSecrets } from '../../system/http.ts';
import { RegistryAccess } from './access.ts';
import { type Credentials, findCredentials } from './credentials.ts';
import type { Registries } from './mirrors.ts';
import { formatRegistryName, type RegistryName } from './name.ts';
import { Patience, type PatienceOptions } from './patience.ts';
import { mayBePlain } from './plain-http.ts';
import type { TokenRequest } from './token-request.ts';

export interface RegistryOptions extends PatienceOptions {
  /** Registries, with or without port, that are reached without TLS; this machine itself always is. */
  insecure?: readonly string[] | undefined;
  /** How long nothing may arrive before a transfer counts as broken; default 30 seconds. */
  stallMs?: number;
  signal?: AbortSignal | undefined;
  /** Default: docker's and podman's configuration. */
  credentials?: (host: string, repository: string) => Promise<Credentials | undefined>;
  /** Mirrors and logins; default: those of this machine. */
  registries?: Registries | undefined;
  /** Told which mirror doesn't help, and why. */
  notice?: ((text: string) => void) | undefined;
  /** How the network is reached. */
  exchange?: Exchanger;
}

export interface RegistryRequest extends Pick<ExchangeOptions, 'method' | 'headers' | 'body'> {
  /** Statuses that are no failures. */
  accepted: readonly number[];
}

const MAX_REDIRECTS = 5;
const MAX_ERROR_BYTES = 64 << 10;
const TEMPORARY: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export class RegistrySession {
  readonly name: RegistryName;
  readonly #options: RegistryOptions;
  readonly #base: string;
  readonly #access: RegistryAccess;
  readonly #exchange: Exchanger;

  constructor(name: RegistryName, options: RegistryOptions = {}, access?: RegistryAccess) {
    this.name = name;
    this.#options = options;
    const { signal, insecure = [] } = options;
    const { credentials = (host, repository) => findCredentials(host, { signal, repository }) } = options;
    // Docker's registry isn't where its name says.
    const server = name.host === 'docker.io' ? 'registry-1.docker.io' : name.host;
    this.#base = `${mayBePlain(name.host, insecure) ? 'http' : 'https'}://${server}/v2/${name.repository}`;
    this.#exchange = options.exchange ?? exchange;
    this.#access =
      access ?? new RegistryAccess({ name, insecure, credentials: () => credentials(name.host, name.repository) });
  }

  /** The same session, for work that something else interrupts. */
  with(signal: AbortSignal | undefined): RegistrySession {
    return new RegistrySession(this.name, { ...this.#options, signal }, this.#access);
  }

  /** How long to go on trying; one for each thing that is to be read. */
  patience(): Patience {
    return new Patience(this.#options);
  }

  /** What interrupts the work of this session. */
  get signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  /** The path below the repository that an address of this registry has; undefined for any other address. */
  pathOf(url: string): string | undefined {
    return url.startsWith(`${this.#base}/`) ? url.slice(this.#base.length + 1) : undefined;
  }

  /**
   * A GET below the repository that succeeded (200 or 206), its body unread.
   * @param path for example `manifests/v2`.
   * @param what for messages: what it is that is asked for.
   * @param accepted other statuses that are answers too.
   * @throws HoldfastError HF-NO-SOURCE when it isn't there, HF-NETWORK, HF-INTERRUPTED; otherwise as findCredentials.
   */
  get(
    path: string,
    what: string,
    headers: Readonly<Record<string, string>> = {},
    patience = this.patience(),
    accepted: readonly number[] = [],
  ): Promise<Exchange> {
    return this.request(path, what, { headers, accepted: [200, 206, ...accepted] }, patience);
  }

  /**
   * A request whose answer has one of the statuses that are accepted, its body unread.
   * @param target a path below the repository, or an address that the registry gave, which may be relative to it.
   */
  async request(
    target: string,
    what: string,
    { accepted, ...request }: RegistryRequest,
    patience = this.patience(),
  ): Promise<Exchange> {
    const url = /^[a-z][a-z0-9+.-]*:|^\//i.test(target) ? new URL(target, this.#base).href : `${this.#base}/${target}`;
    let isAnswered = false;
    for (;;) {
      const answer = await this.#persist(patience, what, () => this.#follow(url, request));
      if (accepted.includes(answer.status)) return answer;
      if (answer.status === 401 && !isAnswered) {
        isAnswered = true;
        await answer.cancel();
        await this.#access.answer(answer.headers.get('www-authenticate'), (url, request) =>
          this.#requestToken(url, request),
        );
        continue;
      }
      throw await this.#failure(answer, what);
    }
  }

  /** Tries until there is an answer that trying again wouldn't change. */
  async #persist(patience: Patience, what: string, attempt: () => Promise<Exchange>): Promise<Exchange> {
    for (;;) {
      let failure: HoldfastError;
      let retryAfter: string | null = null;
      try {
        const answer = await attempt();
        if (!TEMPORARY.has(answer.status)) return answer;
        retryAfter = answer.headers.get('retry-after');
        failure = await this.#failure(answer, what);
      } catch (error) {
        if (!(error instanceof BrokenExchange)) throw error;
        failure = this.broken(error, what);
        if (!error.temporary) throw failure;
      }
      if (!(await patience.wait(retryAfter))) throw failure;
    }
  }

  /** One request and the redirects that it leads to. Whatever leaves the registry goes without its credentials. */
  async #follow(start: string, { headers = {}, ...request }: ExchangeOptions): Promise<Exchange> {
    const { origin } = new URL(this.#base);
    let url = this.#allowed(start, this.#base);
    for (let hop = 0; ; hop += 1) {
      const own = url.origin === origin ? this.#access.headers : {};
      const answer = await this.#send(url.href, { ...request, headers: { ...headers, ...own } });
      const location = REDIRECTS.has(answer.status) ? answer.headers.get('location') : null;
      if (location === null) return answer;
      await answer.cancel();
      if (hop === MAX_REDIRECTS) throw new HoldfastError('HF-NETWORK', `${this.name.host} redirects in circles`);
      url = this.#allowed(location, url.href);
    }
  }

  /** An address that the registry gave. */
  #allowed(location: string, from: string): URL {
    const next = URL.canParse(location, from) ? new URL(location, from) : undefined;
    const isDowngrade = from.startsWith('https:') && next?.protocol !== 'https:';
    if (next !== undefined && /^https?:$/.test(next.protocol) && !isDowngrade) return next;
    throw new HoldfastError('HF-NETWORK', `${this.name.host} redirects to where nothing may be read from`, {
      hint: `${withoutSecrets(next?.href ?? 'it is no address')}: only TLS may follow TLS`,
    });
  }

  #send(url: string, request: ExchangeOptions): Promise<Exchange> {
    const { stallMs, signal } = this.#options;
    return this.#exchange(url, { ...request, signal, ...(stallMs !== undefined && { stallMs }) });
  }

  async #requestToken(url: string, request: TokenRequest): Promise<{ status: number; text: string }> {
    // Never redirected: credentials would go along, or the answer would come from somebody else.
    const answer = await this.#persist(this.patience(), 'an access token', () => this.#send(url, request));
    return { status: answer.status, text: (await this.#readSome(answer)) ?? '' };
  }

  /** The error for a transfer that broke off. */
  broken(error: BrokenExchange, what: string): HoldfastError {
    const { host } = this.name;
    return new HoldfastError('HF-NETWORK', `${what} can't be read from ${host}: ${error.message}`, {
      cause: error,
      ...(error.temporary
        ? {}
        : {
            hint: `this machine must trust its certificate; a registry without TLS can be named by --insecure-registry ${host}`,
          }),
    });
  }

  async #failure(answer: Exchange, what: string): Promise<HoldfastError> {
    const { status } = answer;
    const detail = describeErrors((await this.#readSome(answer)) ?? '');
    const { host } = this.name;
    if (status === 401 || status === 403) return this.#access.denied(detail);
    if (status === 404) {
      return new HoldfastError('HF-NO-SOURCE', `${host} does not have ${what}${detail}`, {
        hint: `is the name right? ${formatRegistryName(this.name)}`,
      });
    }
    return new HoldfastError('HF-NETWORK', `${host} answered with status ${status} to a request for ${what}${detail}`);
  }

  /** A short body, or undefined when it is too long or breaks off. */
  async #readSome(answer: Exchange): Promise<string | undefined> {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of answer.body) {
        size += chunk.length;
        if (size > MAX_ERROR_BYTES) return undefined;
        chunks.push(chunk);
      }
    } catch (error) {
      if (!(error instanceof BrokenExchange)) throw error;
      return undefined;
    }
    return Buffer.concat(chunks).toString('utf8');
  }
}

/** What a registry says about an error, as part of a sentence: `: manifest unknown`. It is a stranger's text. */
function describeErrors(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return '';
  }
  if (typeof value !== 'object' || value === null || !('errors' in value) || !Array.isArray(value.errors)) return '';
  const messages = value.errors.slice(0, 3).flatMap((error: unknown) => {
    if (typeof error !== 'object' || error === null) return [];
    const message = 'message' in error ? error.message : undefined;
    const code = 'code' in error ? error.code : undefined;
    return [message, code].filter((part) => typeof part === 'string' && part !== '').slice(0, 1);
  });
  // None of them may reach a terminal.
  const said = messages
    .join(', ')
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, 200);
  return said === '' ? '' : ` (${said})`;
}
