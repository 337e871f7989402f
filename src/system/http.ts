// HTTP for stage files, keys, downloads and metadata services: verified TLS, retries, a time limit for each try and a
// bound on the size. It stands on the platform's fetch, which brings redirects (without leaking credentials to other
// origins) and, in the executable, the proxy variables.

import { readFileSync } from 'node:fs';
import { errnoOf, HoldfastError, messageOf } from './errors.ts';

export interface HttpOptions {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT';
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  /** For one try, from the connection to the last byte; 0 is no limit. Default 10 seconds. */
  timeoutMs?: number;
  /** How long one try may go on without a byte; for transfers whose whole time can't be known. Default no limit. */
  stallMs?: number;
  /** Tries in all; a broken connection, a time-out and the statuses 429, 500, 502, 503 and 504 are tried again. Default 3. */
  attempts?: number;
  /** The pause before the second try; it doubles each time. Default 1 second. */
  delayMs?: number;
  /** A longer body is an error; default 8 MiB. */
  maxBytes?: number;
  signal?: AbortSignal | undefined;
  /** Never through a proxy: metadata services are reached on the link only. */
  direct?: boolean;
}

/** An answer without its body. */
export interface HttpHead {
  /** After redirects. */
  url: string;
  status: number;
  headers: Headers;
}

export interface HttpResponse extends HttpHead {
  body: Uint8Array;
}

/** The edge to the network, so that a test can put a server of its own in a name's place. */
export type HttpClient = (url: string, options?: HttpOptions) => Promise<HttpResponse>;

/** Receives a body piece by piece; one that throws ends the transfer. */
export type BodySink = (chunk: Uint8Array) => void | Promise<void>;

const RETRIED: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);
const MAX_BYTES = 8 << 20;

/**
 * Performs a request and returns its answer, whatever the status.
 * @throws HoldfastError HF-NETWORK when no try got a whole answer, HF-UNSUPPORTED when it is too large, HF-INTERRUPTED when `signal` was aborted.
 */
export const httpRequest: HttpClient = async (url, options = {}) => {
  return retrying(url, options, async (response, arrived) => {
    const chunks: Uint8Array[] = [];
    await drain(response, url, options.maxBytes ?? MAX_BYTES, arrived, (chunk) => {
      chunks.push(chunk);
    });
    return { ...headOf(response, url), body: Buffer.concat(chunks) };
  });
};

/**
 * The body of a GET that must succeed (2xx).
 * @throws HoldfastError HF-NETWORK also for any other status; otherwise as {@link httpRequest}.
 */
export async function httpGet(url: string, options: HttpOptions = {}, client: HttpClient = httpRequest) {
  const response = await client(url, options);
  if (response.status >= 200 && response.status < 300) return response;
  throw statusError(url, response.status);
}

/**
 * Hands the body of a GET that must succeed to `open`'s sink. A try that breaks off begins anew with a new sink.
 * @param open sees the head of the answer; without a sink the body isn't read.
 * @param options.maxBytes default: no bound, the sink decides.
 * @throws as {@link httpGet}; what a sink throws comes through when it is a HoldfastError, else it is tried again.
 */
export function httpDownload(
  url: string,
  open: (head: HttpHead) => BodySink | undefined,
  options: HttpOptions = {},
): Promise<HttpHead> {
  return retrying(url, options, async (response, arrived) => {
    const head = headOf(response, url);
    const sink = response.ok ? open(head) : undefined;
    if (sink === undefined) await response.body?.cancel();
    else await drain(response, url, options.maxBytes ?? Number.POSITIVE_INFINITY, arrived, sink);
    if (!response.ok) throw statusError(url, response.status);
    return head;
  });
}

function headOf({ url, status, headers }: Response, asked: string): HttpHead {
  return { url: url || asked, status, headers };
}

/** The error for an answer whose status is none of 2xx. */
export function statusError(url: string, status: number): HoldfastError {
  return new HoldfastError('HF-NETWORK', `${withoutSecrets(url)} answered with status ${status}`, {
    ...(status === 401 || status === 403
      ? { hint: 'the server asks for permission; check the address and what it needs' }
      : {}),
  });
}

/** An address as it may be printed: user, password and query can be secrets. */
export function withoutSecrets(url: string): string {
  try {
    const { protocol, host, pathname, search } = new URL(url);
    return `${protocol}//${host}${pathname}${search === '' ? '' : '?…'}`;
  } catch {
    return url;
  }
}

/** Node's fetch quotes an address that it refuses for its password, password and all. */
function printable(reason: string): string {
  return reason.replaceAll(/\bhttps?:\/\/\S+/gi, withoutSecrets);
}

/** An answer that came whole but can't be used: trying again would bring the same. */
class Final extends Error {}

/** @param use gets the answer, and a function to call whenever a part of it has arrived. */
async function retrying<T>(
  url: string,
  options: HttpOptions,
  use: (response: Response, arrived: () => void) => Promise<T>,
): Promise<T> {
  const { attempts = 3, delayMs = 1000, signal } = options;
  for (let attempt = 1; ; attempt += 1) {
    const last = attempt >= attempts;
    const limits = new TryLimits(options);
    try {
      const response = await send(url, options, limits.signal);
      limits.arrived();
      if (!last && RETRIED.has(response.status)) await response.body?.cancel();
      else return await use(response, limits.arrived);
    } catch (error) {
      if (signal?.aborted)
        throw new HoldfastError('HF-INTERRUPTED', `interrupted while reading ${withoutSecrets(url)}`);
      if (error instanceof HoldfastError) throw error;
      if (last || error instanceof Final) {
        const code = error instanceof Final ? 'HF-UNSUPPORTED' : 'HF-NETWORK';
        throw new HoldfastError(code, `${withoutSecrets(url)} can't be read: ${printable(reasonOf(error))}`, {
          cause: error,
        });
      }
    } finally {
      limits.end();
    }
    await pause(delayMs * 2 ** (attempt - 1), signal);
  }
}

/** The limits of one try: its whole time, and the longest time without a byte. */
class TryLimits {
  readonly signal: AbortSignal;
  readonly #stall = new AbortController();
  readonly #stallMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ timeoutMs = 10_000, stallMs, signal }: HttpOptions) {
    this.#stallMs = stallMs;
    const signals = [
      ...(timeoutMs === 0 ? [] : [AbortSignal.timeout(timeoutMs)]),
      ...(stallMs === undefined ? [] : [this.#stall.signal]),
      ...(signal === undefined ? [] : [signal]),
    ];
    this.signal = AbortSignal.any(signals);
    this.arrived();
  }

  readonly arrived = (): void => {
    if (this.#stallMs === undefined) return;
    clearTimeout(this.#timer);
    const stop = () => this.#stall.abort(new DOMException(`nothing came for ${this.#stallMs} ms`, 'TimeoutError'));
    this.#timer = setTimeout(stop, this.#stallMs);
  };

  end(): void {
    clearTimeout(this.#timer);
  }
}

async function send(url: string, options: HttpOptions, signal: AbortSignal): Promise<Response> {
  const { protocol, hostname } = parseUrl(url);
  if (options.direct) keepFromProxy(hostname);
  const { certificates } = protocol === 'https:' ? trustStore() : { certificates: undefined };
  return fetch(url, {
    method: options.method ?? 'GET',
    headers: { 'user-agent': 'holdfast', ...options.headers },
    ...(options.body === undefined ? {} : { body: options.body }),
    redirect: 'follow',
    signal,
    // Bun's own option; Node reads NODE_EXTRA_CA_CERTS instead and passes this over.
    ...(certificates === undefined ? {} : { tls: { ca: certificates } }),
  });
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return parsed;
  throw new HoldfastError('HF-CONFIG', `${url} is no address of a web server`, { hint: 'write http://… or https://…' });
}

async function drain(
  response: Response,
  url: string,
  maxBytes: number,
  arrived: () => void,
  sink: BodySink,
): Promise<void> {
  if (response.body === null) return;
  let size = 0;
  for await (const chunk of response.body) {
    arrived();
    size += chunk.byteLength;
    if (size > maxBytes) throw new Final(`the answer of ${withoutSecrets(url)} is larger than ${maxBytes} bytes`);
    await sink(chunk);
  }
  // A connection that ends early can look like the end of the body.
  const announced = response.headers.get('content-length');
  const packed = response.headers.get('content-encoding') ?? 'identity';
  if (announced !== null && packed === 'identity' && size < Number(announced)) {
    throw new Error(`only ${size} of ${announced} bytes came`);
  }
}

/** Why a fetch failed, in words. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'it took too long';
  // Node's fetch says "fetch failed" and keeps the reason as the cause.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = messageOf(cause);
  return REASONS[errnoOf(cause) ?? ''] ?? (/\bredirect/i.test(text) ? 'it redirects too often' : text);
}

/** Both runtimes have the code, each with words of its own. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing answers there (connection refused)',
  ECONNRESET: 'the connection broke off',
  UND_ERR_SOCKET: 'the connection broke off',
  EHOSTUNREACH: 'the host is not reachable',
  ENETUNREACH: 'the network is not reachable',
  ENOTFOUND: 'the name of the host is not known',
  EAI_AGAIN: 'the name of the host could not be looked up',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is signed by an authority that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate is signed by an authority that is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate is signed by an authority that is not trusted here',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate belongs to another host',
};

/** Waits, or until the signal is aborted. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal?.aborted) done();
    else signal?.addEventListener('abort', done, { once: true });
  });
}

/** The proxy variables are read at each request; this host joins those that they leave out. */
function keepFromProxy(host: string): void {
  for (const name of ['no_proxy', 'NO_PROXY']) {
    const known = process.env[name]?.split(',') ?? [];
    if (known.includes('*') || known.includes(host)) continue;
    process.env[name] = [...known.filter((entry) => entry !== ''), host].join(',');
  }
}

/** Where distributions keep the authorities that the machine's owner trusts. */
const TRUST_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

let known: { certificates: string | undefined } | undefined;

/** The machine's own authorities, which an owner extends; undefined where there are none: the runtime's are used then. */
export function trustStore(): { certificates: string | undefined } {
  known ??= { certificates: readTrust() };
  return known;
}

function readTrust(): string | undefined {
  for (const file of [process.env.SSL_CERT_FILE, ...TRUST_FILES]) {
    if (file === undefined || file === '') continue;
    try {
      return readFileSync(file, 'utf8');
    } catch {
      // The next place decides; with none of them, the runtime's own list does.
    }
  }
  return undefined;
}
