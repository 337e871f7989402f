// One HTTP request whose answer's body is a stream. Nothing is followed and nothing is tried again here: where credentials
// and half-read files are at stake, both are the caller's to decide. The time limit is for silence, and for what is hardly
// better, not for the whole.

import { HoldfastError } from './errors.ts';
import { reasonOf, trustStore, withoutSecrets } from './http.ts';
import type { TlsMaterial } from './tls-fetch.ts';

export interface ExchangeOptions {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  /**
   * How long nothing may arrive, be it the head of the answer or the next part of its body; of a body, in that time more
   * than {@link SLOWEST_BYTES_PER_SECOND} must arrive. Default 30 seconds.
   */
  stallMs?: number;
  signal?: AbortSignal | undefined;
  /** What this server needs beyond the machine's own authorities. */
  tls?: TlsMaterial | undefined;
}

export interface Exchange {
  url: string;
  status: number;
  headers: Headers;
  /** May be read once. It is not unpacked: bytes arrive as they were sent. */
  body: AsyncIterable<Buffer>;
  /** Ends the transfer; needed where the body isn't read to its end. */
  cancel: () => Promise<void>;
}

/** Below this a sender only wants to keep us busy; the slowest links in use have more. */
export const SLOWEST_BYTES_PER_SECOND = 128;

/** The edge to the network, so that a test can put another one in its place. */
export type Exchanger = (url: string, options?: ExchangeOptions) => Promise<Exchange>;

/** The transfer didn't come to its end. Whether trying again makes sense is all that can be said about it. */
export class BrokenExchange extends Error {
  override readonly name = 'BrokenExchange';
  readonly temporary: boolean;

  constructor(message: string, temporary: boolean, cause: unknown) {
    super(message, { cause });
    this.temporary = temporary;
  }
}

/**
 * @returns the answer, whatever its status; redirects are answers too.
 * @throws BrokenExchange for anything between here and there, from this call as from reading the body; HoldfastError
 *   HF-INTERRUPTED when `signal` was aborted.
 */
export const exchange: Exchanger = async (url, options = {}) => {
  const { signal, stallMs = 30_000 } = options;
  const abort = new AbortController();
  const onAbort = () => abort.abort();
  if (signal?.aborted) throw interrupted(url);
  signal?.addEventListener('abort', onAbort, { once: true });
  const release = () => signal?.removeEventListener('abort', onAbort);

  /** Waits for the next sign of life. */
  const waitFor = async <T>(sign: Promise<T>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Silence(`nothing came for ${stallMs / 1000} seconds`)), stallMs);
    });
    // Whichever comes second must not count as unhandled.
    silence.catch(() => {});
    sign.catch(() => {});
    try {
      return await Promise.race([sign, silence]);
    } catch (error) {
      abort.abort();
      release();
      if (signal?.aborted) throw interrupted(url, error);
      throw new BrokenExchange(reasonOf(error), !isFinal(error), error);
    } finally {
      clearTimeout(timer);
    }
  };

  const response = await waitFor(send(url, options, abort.signal));
  const { body } = response;

  async function* read(): AsyncGenerator<Buffer> {
    const reader = body?.getReader();
    // What its reader takes to use a part doesn't count.
    let waitedMs = 0;
    let cameBytes = 0;
    try {
      while (reader !== undefined) {
        const since = performance.now();
        const { done, value } = await waitFor(reader.read());
        if (done) return;
        waitedMs += performance.now() - since;
        cameBytes += value.byteLength;
        if (waitedMs >= stallMs) {
          if (cameBytes < (SLOWEST_BYTES_PER_SECOND * waitedMs) / 1000) {
            abort.abort();
            throw new BrokenExchange(
              `only ${cameBytes} bytes came in ${Math.round(waitedMs / 1000)} s`,
              true,
              undefined,
            );
          }
          waitedMs = 0;
          cameBytes = 0;
        }
        yield Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      }
    } finally {
      release();
      // A consumer that stopped early; at the end there is nothing left to cancel.
      await reader?.cancel().catch(() => {});
    }
  }

  return {
    url,
    status: response.status,
    headers: response.headers,
    body: read(),
    cancel: async () => {
      release();
      abort.abort();
      // Where the body was aborted just now, that is the error.
      if (body?.locked === false) await body.cancel().catch(() => {});
    },
  };
};

async function send(url: string, options: ExchangeOptions, signal: AbortSignal): Promise<Response> {
  const request = {
    method: options.method ?? 'GET',
    headers: { 'user-agent': 'holdfast', 'accept-encoding': 'identity', ...options.headers },
    ...(options.body === undefined ? {} : { body: options.body }),
    redirect: 'manual' as const,
    signal,
  };
  const isTls = url.startsWith('https:');
  if (isTls && options.tls !== undefined) return (await import('./tls-fetch.ts')).tlsFetch(url, request, options.tls);
  const { certificates } = isTls ? trustStore() : { certificates: undefined };
  // Bun's own option; Node reads NODE_EXTRA_CA_CERTS instead and passes this over.
  return fetch(url, { ...request, ...(certificates === undefined ? {} : { tls: { ca: certificates } }) });
}

class Silence extends Error {}

/** A certificate that isn't trusted will not be at the next try. */
function isFinal(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = 'code' in at ? String(at.code) : '';
    if (/CERT|SIGNATURE|_TLS_|_SSL_|ERR_INVALID_URL|CRL_/.test(code)) return true;
  }
  return false;
}

function interrupted(url: string, cause?: unknown): HoldfastError {
  return new HoldfastError('HF-INTERRUPTED', `interrupted while reading ${withoutSecrets(url)}`, { cause });
}
