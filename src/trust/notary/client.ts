// Reads a repository's metadata from its Notary server. Every body ends at its limit, no cache is asked, and a server that
// doesn't answer is a refusal: there is no going on without it.

import { type Credentials, findCredentials } from '../../image/registry/credentials.ts';
import { Patience } from '../../image/registry/patience.ts';
import { messageOf } from '../../system/errors.ts';
import {
  BrokenExchange,
  type Exchange,
  type ExchangeOptions,
  type Exchanger,
  exchange,
} from '../../system/exchange.ts';
import { withoutSecrets } from '../../system/http.ts';
import type { TlsMaterial } from '../../system/tls-fetch.ts';
import { TrustError } from '../trust-error.ts';
import { hostOfGun } from '../trust-name.ts';
import { NotaryAccess } from './access.ts';
import { DOCKER_NOTARY } from './server.ts';
import { readTlsFiles, type TlsFiles } from './tls-files.ts';

export interface NotaryHttp extends TlsFiles {
  /** Tries of one request; default 3. */
  attempts?: number;
  /** The pause before the second try, which doubles; default half a second. */
  delayMs?: number;
  /** How long the server may be silent; default 30 seconds. */
  stallMs?: number;
  /** Default: docker's configuration. */
  credentials?: (host: string) => Promise<Credentials | undefined>;
  /** How the network is reached. */
  exchange?: Exchanger;
}

const MAX_REDIRECTS = 5;
const MAX_TOKEN_BYTES = 256 << 10;
const TEMPORARY: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export class NotaryClient {
  readonly #server: string;
  readonly #gun: string;
  readonly #http: NotaryHttp;
  readonly #signal: AbortSignal | undefined;
  readonly #access: NotaryAccess;
  #tls: { material: TlsMaterial | undefined } | undefined;

  constructor(server: string, gun: string, http: NotaryHttp = {}, signal?: AbortSignal) {
    this.#server = server;
    this.#gun = gun;
    this.#http = http;
    this.#signal = signal;
    const { credentials = (host: string) => findCredentials(host, { signal }) } = http;
    this.#access = new NotaryAccess({
      gun,
      server,
      credentials: () => credentials(hostOfGun(gun)),
      ask: async (url, request) => {
        // Never redirected: a password would go along, or the answer would come from somebody else.
        const { status, body } = await this.#persist(() => this.#send(url, request), MAX_TOKEN_BYTES);
        return { status, text: body.toString('utf8') };
      },
    });
  }

  /**
   * A file of the repository.
   * @param name for example `timestamp.json` or `targets/releases.<hash>.json`.
   * @param maxBytes no more than a little beyond is read; a longer body is returned cut, but longer than this.
   * @returns undefined when the server doesn't have it.
   * @throws TrustError server-unreachable, auth-failed; HoldfastError HF-INTERRUPTED; otherwise as findCredentials.
   */
  async get(name: string, maxBytes: number): Promise<Buffer | undefined> {
    const url = `${this.#server}/v2/${this.#gun}/_trust/tuf/${name}`;
    let isAnswered = false;
    for (;;) {
      const { status, headers, body } = await this.#persist(() => this.#follow(url), maxBytes);
      if (status === 200) return body;
      if (status === 404) return undefined;
      if (status === 401 && !isAnswered) {
        isAnswered = true;
        await this.#access.answer(headers.get('www-authenticate'));
        continue;
      }
      if (status === 401 || status === 403) throw await this.#access.refused(`it answers with status ${status}`);
      throw this.#unreachable(`it answers with status ${status}`);
    }
  }

  /** Tries until there is a whole answer that trying again wouldn't change. */
  async #persist(
    attempt: () => Promise<Exchange>,
    maxBytes: number,
  ): Promise<{ status: number; headers: Headers; body: Buffer }> {
    const { attempts = 3, delayMs = 500 } = this.#http;
    const patience = new Patience({ attempts, delayMs, signal: this.#signal });
    for (;;) {
      let failure: TrustError;
      let retryAfter: string | null = null;
      try {
        const answer = await attempt();
        if (!TEMPORARY.has(answer.status)) {
          return { status: answer.status, headers: answer.headers, body: await readBody(answer, maxBytes) };
        }
        retryAfter = answer.headers.get('retry-after');
        failure = this.#unreachable(`it answers with status ${answer.status}`);
        await answer.cancel();
      } catch (error) {
        if (!(error instanceof BrokenExchange)) throw error;
        failure = this.#unreachable(messageOf(error), error);
        if (!error.temporary) throw failure;
      }
      if (!(await patience.wait(retryAfter))) throw failure;
    }
  }

  /** One request and the redirects that it leads to; whatever leaves the server's origin goes without credentials. */
  async #follow(start: string): Promise<Exchange> {
    let url = new URL(start);
    const { origin } = url;
    for (let hop = 0; ; hop += 1) {
      const own = url.origin === origin ? this.#access.headers : {};
      const answer = await this.#send(url.href, {
        headers: { accept: 'application/json, text/plain;q=0.9', 'cache-control': 'no-cache', ...own },
      });
      const location = REDIRECTS.has(answer.status) ? answer.headers.get('location') : null;
      if (location === null) return answer;
      await answer.cancel();
      const next = URL.canParse(location, url.href) ? new URL(location, url.href) : undefined;
      if (next?.protocol !== url.protocol) {
        throw this.#unreachable(`it redirects to ${withoutSecrets(next?.href ?? 'nowhere')}, which is not followed`);
      }
      if (hop === MAX_REDIRECTS) throw this.#unreachable('it redirects in circles');
      next.username = '';
      next.password = '';
      url = next;
    }
  }

  #send(url: string, request: ExchangeOptions): Promise<Exchange> {
    const { stallMs, exchange: reach = exchange } = this.#http;
    return reach(url, {
      ...request,
      signal: this.#signal,
      ...(stallMs !== undefined && { stallMs }),
      tls: this.#tlsFor(url),
    });
  }

  /** Only the Notary server itself gets to see our certificate; the authorities of its files are its own, too. */
  #tlsFor(url: string): TlsMaterial | undefined {
    const { host } = new URL(this.#server);
    this.#tls ??= { material: readTlsFiles(this.#http, host) };
    const { material } = this.#tls;
    if (material === undefined || new URL(url).host === host) return material;
    return material.authorities === undefined ? undefined : { authorities: material.authorities };
  }

  #unreachable(why: string, cause?: BrokenExchange): TrustError {
    const isCertificate = cause?.temporary === false;
    const docker = this.#server === DOCKER_NOTARY;
    return new TrustError(
      'server-unreachable',
      `the signatures of ${this.#gun} can't be read from ${this.#server}: ${why}`,
      {
        ...(cause !== undefined && { cause }),
        hint: isCertificate
          ? 'its certificate must be trusted here: --trust-ca FILE names its authority; --no-verify takes the image unverified'
          : docker
            ? "docker's own server is being switched off: name another by DOCKER_CONTENT_TRUST_SERVER, verify with --cosign, or take the image unverified with --no-verify"
            : 'name another server by DOCKER_CONTENT_TRUST_SERVER, verify with --cosign, or take the image unverified with --no-verify',
      },
    );
  }
}

/** The body up to a little beyond the limit. */
async function readBody(answer: Exchange, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) {
      await answer.cancel();
      break;
    }
  }
  const announced = answer.headers.get('content-length');
  if (announced !== null && /^\d+$/.test(announced) && size < Number(announced) && size <= maxBytes) {
    throw new BrokenExchange(`only ${size} of ${announced} bytes came`, true, undefined);
  }
  return Buffer.concat(chunks);
}
