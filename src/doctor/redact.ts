// Takes secrets out of texts that leave the machine: those that this machine is known to have, wherever they turn up, and
// whatever looks like one. Better one word too many than one too few; line numbers stay what they are.

import { maskSecrets } from '../system/secrets.ts';

const MASK = '***';

/** Keys of YAML whose value, with every line of it, is left out. */
const KEYS =
  /^(?:content|contents|passwd|password|hashed_passwd|private_key|user_?data|meta_?data|vendor_?data|token|.*(?:secret|passphrase|_token|api_?key))$/i;

/** Takes secrets out of texts, and counts them. */
export class Redactor {
  readonly #known: readonly (readonly [secret: string, instead: string])[];
  #count = 0;

  /**
   * @param secrets of this machine; shorter ones than four letters would tear holes into everything.
   * @param names what is no secret but says which machine it is, with what to put in its place.
   */
  constructor(secrets: Iterable<string>, names: Readonly<Record<string, string>> = {}) {
    const all = new Map<string, string>(Object.entries(names).filter(([name]) => name.length > 3));
    for (const secret of secrets) {
      const bare = secret.trim();
      if (bare.length > 3) for (const form of formsOf(bare)) all.set(form, MASK);
    }
    this.#known = [...all].sort(([a], [b]) => b.length - a.length);
  }

  /** How many texts have lost something. */
  get count(): number {
    return this.#count;
  }

  /** Any text: what a program printed, a log, a file of settings. */
  text(text: string): string {
    return this.#counted(text, this.#mask(text));
  }

  /** A file of YAML, whether it can be parsed or not: contents of files and passwords are left out as a whole. */
  yaml(text: string): string {
    return this.#counted(text, this.#mask(withoutValues(text)));
  }

  #counted(text: string, masked: string): string {
    if (masked !== text) this.#count += 1;
    return masked;
  }

  #mask(text: string): string {
    let masked = text;
    for (const [secret, instead] of this.#known) masked = masked.replaceAll(secret, instead);
    return maskSecrets(masked, { isPublished: true });
  }
}

/** A secret as texts of machines have it: as it is, inside of JSON (twice, when a text with JSON is kept as JSON), of addresses, in base64. */
function formsOf(secret: string): string[] {
  const inJson = JSON.stringify(secret).slice(1, -1);
  const encoded = Buffer.from(secret).toString('base64').replace(/=+$/, '');
  return [
    secret,
    inJson,
    JSON.stringify(inJson).slice(1, -1),
    encodeURIComponent(secret),
    ...(encoded.length > 7 ? [encoded, Buffer.from(secret).toString('base64url').replace(/=+$/, '')] : []),
    ...secret.split('\n').filter((line) => line.trim().length > 7),
  ];
}

/** Lines of YAML without the values of {@link KEYS}; as many lines as before. */
function withoutValues(text: string): string {
  let hiddenBelow: number | undefined;
  return text
    .split('\n')
    .map((line) => {
      const indent = line.length - line.trimStart().length;
      if (hiddenBelow !== undefined) {
        if (line.trim() === '') return line;
        if (indent > hiddenBelow) return `${' '.repeat(indent)}${MASK}`;
        hiddenBelow = undefined;
      }
      const [, lead = '', key = '', value] = /^(\s*(?:-\s+)*)["']?([\w.-]+)["']?\s*:(?:\s+(.*))?$/.exec(line) ?? [];
      if (!KEYS.test(key)) return line.replace(FLOW, (_, kept: string) => `${kept}${MASK}`);
      hiddenBelow = lead.length;
      return value === undefined || value === '' ? line : `${line.slice(0, line.length - value.length)}${MASK}`;
    })
    .join('\n');
}

/** The same keys in `{braces}`. */
const FLOW = /(["']?(?:content|passwd|password|private_key|token)["']?\s*:\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^,}\]]+)/gi;
