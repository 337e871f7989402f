// Follows apt's answers down to the reason: "vim needs vim-runtime, which is not going to be installed" says nothing until
// apt is asked about vim-runtime as well. Bounded, since packages may need each other in a circle.

import type { ConflictLink } from '../conflict.ts';
import { bareName } from '../request.ts';
import type { AptLink } from './apt.ts';

const MOST_LINKS = 8;

export interface AptQuestions {
  /** Tries packages together, and gives what apt says. */
  tryOut: (names: readonly string[]) => Promise<readonly AptLink[]>;
  /** What `apt-cache policy` prints about packages. */
  policy: (names: readonly string[]) => Promise<string>;
}

/** @param first what apt said when the request was tried. */
export async function aptChain(
  request: string,
  first: readonly AptLink[],
  { tryOut, policy }: AptQuestions,
): Promise<ConflictLink[]> {
  const chain: AptLink[] = [];
  const asked = [request];
  let name = bareName(request);
  let links = first;
  while (chain.length < MOST_LINKS) {
    const own = links.filter((link) => link.name === name);
    // One that says what there is instead is the reason; one that leads on is the way to it.
    const link = own.find(({ found }) => found !== 'unknown') ?? own.find(({ next }) => next !== undefined) ?? own[0];
    if (link === undefined) break;
    chain.push(link);
    const { next } = link;
    if (link.found !== 'unknown' || next === undefined || asked.includes(next)) break;
    asked.push(next);
    name = next;
    links = await tryOut(asked);
    // It fits by itself, so that the version is what doesn't.
    const closer = links.find((one) => one.name === link.name && one.wants === link.wants && one.found !== 'unknown');
    if (closer !== undefined && !links.some((one) => one.name === next)) {
      chain[chain.length - 1] = closer;
      break;
    }
  }
  if (chain.length === 0) return [];
  const names = [...new Set(chain.flatMap((link) => [link.name, wantedName(link) ?? link.name]))];
  return withVersions(chain, parseAptPolicy(await policy(names)));
}

interface Offer {
  installed: string | undefined;
  candidate: string | undefined;
}

/** `apt-cache policy`: a line with the name, then "Installed:" and "Candidate:", with "(none)" where there is none. */
export function parseAptPolicy(text: string): Map<string, Offer> {
  const offers = new Map<string, Offer>();
  for (const block of text.split(/^(?=\S)/m)) {
    const name = /^([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?:$/m.exec(block)?.[1];
    if (name === undefined) continue;
    const version = (word: string) => {
      const found = new RegExp(`^ {2}${word}: (\\S+)`, 'm').exec(block)?.[1];
      return found === '(none)' ? undefined : found;
    };
    offers.set(name, { installed: version('Installed'), candidate: version('Candidate') });
  }
  return offers;
}

/** Which version of each package wants something, and whether what there is instead is the image's. */
function withVersions(chain: readonly AptLink[], offers: ReadonlyMap<string, Offer>): ConflictLink[] {
  return chain.map((link, index) => {
    const { next: _, ...plain } = link;
    const own = offers.get(plain.name);
    const version = plain.version ?? own?.candidate ?? own?.installed;
    const wanted = offers.get(wantedName(link) ?? '');
    const isLast = index === chain.length - 1;
    const known: ConflictLink = version === undefined ? plain : { ...plain, version };
    if (plain.found === 'other-version' && wanted?.installed === plain.foundVersion)
      return { ...known, found: 'image' };
    if (plain.found !== 'unknown' || !isLast) return known;
    if (wanted === undefined || (wanted.installed === undefined && wanted.candidate === undefined)) {
      return { ...known, found: 'nothing' };
    }
    return known;
  });
}

function wantedName({ wants }: ConflictLink): string | undefined {
  return /^([a-z0-9][a-z0-9+.-]*)/.exec(wants)?.[1];
}
