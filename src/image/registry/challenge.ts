// What a registry answers to a request without credentials (RFC 7235, WWW-Authenticate): which scheme it wants, and for
// a token, from where. Pure.

export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  scheme: string;
  /** By lower case name; the first of two with the same name. */
  parameters: ReadonlyMap<string, string>;
}

/** Of any header; real ones have a handful. */
const MAX_CHALLENGES = 16;

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const SPACE = /[ \t]*/y;
const COMMAS = /[ \t,]*/y;
const SCHEME = new RegExp(`${TOKEN}(?=[ \\t,]|$)`, 'y');
const PARAMETER = new RegExp(`(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))(?=[ \\t]*(?:,|$))`, 'y');
/** Credentials in place of parameters, as `Negotiate` has them. */
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;

/** All challenges of a header's value, which may hold several; what can't be read ends the list. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(header) ?? undefined;
    at += match?.[0].length ?? 0;
    return match;
  };
  while (challenges.length < MAX_CHALLENGES) {
    take(COMMAS);
    const scheme = take(SCHEME)?.[0];
    if (scheme === undefined) break;
    const parameters = new Map<string, string>();
    take(SPACE);
    for (let parameter = take(PARAMETER); parameter !== undefined; parameter = take(PARAMETER)) {
      const [, name = '', quoted, plain = ''] = parameter;
      const key = name.toLowerCase();
      if (!parameters.has(key)) parameters.set(key, quoted?.replace(/\\(.)/g, '$1') ?? plain);
      take(COMMAS);
    }
    if (parameters.size === 0) take(TOKEN68);
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
  }
  return challenges;
}
