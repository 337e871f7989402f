// Where keys come from: the line itself, or an address whose answer is a list of lines. An answer that isn't keys all
// through (a login page, an error with status 200) is used in no part.

import { HoldfastError } from '../../system/errors.ts';
import { type HttpClient, httpGet, withoutSecrets } from '../../system/http.ts';
import { isGenuine, parsePublicKey } from './publickey.ts';

const MAX_BODY_BYTES = 1 << 20;
/** sshd reads no longer line. */
const MAX_LINE_LENGTH = 16_384;
const MAX_KEYS = 1000;
/** yip: ten seconds for a try. Its ten tries would keep a machine without a network for minutes. */
const TIMEOUT_MS = 10_000;
const ATTEMPTS = 4;

/** The address that an entry stands for; undefined for a key. */
export function addressOf(entry: string): string | undefined {
  const [, scheme = '', rest = ''] = entry.trim().match(/^([A-Za-z][A-Za-z0-9+.-]*):(\S*)$/) ?? [];
  switch (scheme.toLowerCase()) {
    case '':
      return undefined;
    case 'github':
      return `https://github.com/${encodeURIComponent(rest)}.keys`;
    case 'gitlab':
      return `https://gitlab.com/${encodeURIComponent(rest)}.keys`;
    case 'http':
    case 'https':
      return entry.trim();
    default:
      throw new HoldfastError('HF-CONFIG', `keys can't be fetched from "${scheme}:"`, {
        hint: 'write github:NAME, gitlab:NAME, https://…, or the key itself',
      });
  }
}

/** An entry as it may be printed. */
export function describeEntry(entry: string): string {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:\S*$/.test(entry.trim())) return 'a key';
  return /^https?:/i.test(entry.trim()) ? withoutSecrets(entry.trim()) : entry.trim();
}

/** Fetches each address once, however many users want its keys. */
export class KeyFetcher {
  readonly #context: { http: HttpClient; signal?: AbortSignal | undefined };
  readonly #answers = new Map<string, Promise<readonly string[]>>();

  constructor(context: { http: HttpClient; signal?: AbortSignal | undefined }) {
    this.#context = context;
  }

  /**
   * The lines of keys behind an address.
   * @throws HoldfastError HF-NETWORK when there is no answer, HF-CONFIG when it isn't a list of keys.
   */
  fetch(url: string): Promise<readonly string[]> {
    const known = this.#answers.get(url);
    if (known !== undefined) return known;
    const answer = this.#request(url);
    this.#answers.set(url, answer);
    return answer;
  }

  async #request(url: string): Promise<readonly string[]> {
    const { http, signal } = this.#context;
    const options = { maxBytes: MAX_BODY_BYTES, timeoutMs: TIMEOUT_MS, attempts: ATTEMPTS, signal };
    const { body } = await httpGet(url, options, http);
    return keysOf(Buffer.from(body).toString('utf8'), withoutSecrets(url));
  }
}

/** @throws HoldfastError HF-CONFIG when a line is neither a key nor empty nor a comment. */
export function keysOf(body: string, source: string): string[] {
  const keys: string[] = [];
  for (const [index, raw] of body
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const key = line.length > MAX_LINE_LENGTH || line.includes('\0') ? undefined : parsePublicKey(line);
    if (key === undefined || !isGenuine(key)) {
      throw new HoldfastError('HF-CONFIG', `line ${index + 1} of ${source} is no public key; none of it is used`, {
        hint: 'open the address in a browser: it must show lines like "ssh-ed25519 AAAA…" and nothing else',
      });
    }
    keys.push(line);
    if (keys.length > MAX_KEYS) throw new HoldfastError('HF-CONFIG', `${source} has more than ${MAX_KEYS} keys`);
  }
  return keys;
}
