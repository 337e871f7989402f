// A metadata service on the machine's own link: never through a proxy, with little patience, and with an eye for
// networks in which any name leads to somebody's web page.

import { HoldfastError, messageOf } from '../../system/errors.ts';
import { type HttpHead, type HttpOptions, type HttpResponse, withoutSecrets } from '../../system/http.ts';
import type { ProviderContext } from './provider.ts';

/** What the originals wait. */
const TIMEOUT_MS = 2000;
const MAX_BYTES = 16 << 20;

export class MetadataService {
  readonly #base: string;
  readonly #context: ProviderContext;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param base what all addresses of the service begin with. */
  constructor(base: string, context: ProviderContext, headers: Readonly<Record<string, string>> = {}) {
    this.#base = base;
    this.#context = context;
    this.#headers = headers;
  }

  /**
   * Asks once, to see whether the service is there.
   * @returns the answer's text, undefined for anything but a plain 200.
   */
  async probe(path: string, accept: (head: HttpHead) => boolean = () => true): Promise<string | undefined> {
    try {
      const response = await this.send(path, { attempts: 1, signal: this.#context.lookSignal });
      const text = textOf(response);
      // A captive portal or a wildcard name answers everything with a page.
      return response.status === 200 && accept(response) && !text.startsWith('<') ? text : undefined;
    } catch (error) {
      if (this.#context.signal?.aborted) throw error;
      return undefined;
    }
  }

  /** A value's text without white space around it; undefined when the service hasn't got it, or it is empty. */
  async text(path: string): Promise<string | undefined> {
    const response = await this.bytes(path);
    return response === undefined ? undefined : Buffer.from(response).toString('utf8').trim() || undefined;
  }

  /**
   * A value as it is; undefined when the service hasn't got it, or it is empty. Trouble is a warning: one value that
   * can't be had is no reason to do without the others.
   */
  async bytes(path: string): Promise<Uint8Array | undefined> {
    try {
      const response = await this.send(path);
      if (response.status === 200) return response.body.length > 0 ? response.body : undefined;
      // 404 means that nobody has set the value.
      if (response.status !== 404) this.#warn(path, `answered with status ${response.status}`);
    } catch (error) {
      if (this.#context.signal?.aborted) throw error;
      this.#warn(path, messageOf(error));
    }
    return undefined;
  }

  /** The values that are there, by the names of their files. */
  async facts(paths: Readonly<Record<string, string>>): Promise<Map<string, string>> {
    const values = await Promise.all(
      Object.entries(paths).map(async ([name, path]) => [name, await this.text(path)] as const),
    );
    return new Map(values.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
  }

  send(path: string, options: HttpOptions = {}): Promise<HttpResponse> {
    return this.#context.http(this.#base + path, {
      timeoutMs: TIMEOUT_MS,
      delayMs: 250,
      maxBytes: MAX_BYTES,
      signal: this.#context.signal,
      direct: true,
      ...options,
      headers: { ...this.#headers, ...options.headers },
    });
  }

  #warn(path: string, why: string): void {
    const url = withoutSecrets(this.#base + path);
    this.#context.warn(why.startsWith(url) ? why : `${url} ${why}`);
  }
}

export function textOf({ body }: HttpResponse): string {
  return Buffer.from(body).toString('utf8').trim();
}

/** Lines that say something. */
export function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** JSON from outside. @throws HoldfastError HF-NETWORK when it is none. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HoldfastError('HF-NETWORK', `${what} is no valid JSON`, { cause });
  }
}
