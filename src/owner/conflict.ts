// Why a package can't be installed into a system, as a chain: what it needs, what that needs, and what there is instead.
// Plain data; each package manager's words are taken apart in conflicts/.

import { bareName } from './request.ts';

export interface ConflictLink {
  /** The package that wants something. */
  name: string;
  version?: string;
  relation: 'needs' | 'conflicts with' | 'breaks' | 'obsoletes';
  /** As the manager writes it: `libgpm2 (>= 1.20.7)`. */
  wants: string;
  /** What there is instead. `unknown`: the manager doesn't say. */
  found: 'image' | 'other-version' | 'nothing' | 'unknown';
  foundVersion?: string;
}

export interface Conflict {
  /** The package that was asked for. */
  request: string;
  /** From the request to what is missing; empty when the manager gave no reason that is understood. */
  chain: readonly ConflictLink[];
  /** No repository offers it, or none can be reached, and its file was not kept. */
  isMissing?: boolean;
  /** The manager's last words. */
  outputTail: string;
}

/** `vim 2:9.1 needs libgpm2 (>= 1.20.7), the image has 1.19.6`. */
export function describeLink({ name, version, relation, wants, found, foundVersion }: ConflictLink): string {
  const who = version === undefined ? name : `${name} ${version}`;
  return `${who} ${relation} ${wants}${whatThereIs(found, foundVersion)}`;
}

function whatThereIs(found: ConflictLink['found'], version: string | undefined): string {
  switch (found) {
    case 'image':
      return version === undefined ? ', which the image has' : `, the image has ${version}`;
    case 'other-version':
      return version === undefined ? ', only another version is to be had' : `, only ${version} is to be had`;
    case 'nothing':
      return ', and nothing offers it';
    case 'unknown':
      return '';
  }
}

/** One line for each link, from the request downwards. */
export function chainLines(conflict: Conflict): string[] {
  const { chain } = conflict;
  if (chain.length === 0) return [describeConflict(conflict)];
  return chain.map((link, depth) => `${'  '.repeat(depth)}${depth > 0 ? '→ ' : ''}${describeLink(link)}`);
}

/** The chain as one sentence. */
export function describeConflict({ request, chain, isMissing }: Conflict): string {
  if (isMissing) return `no repository has ${request}, or none can be reached, and no file of it was kept`;
  const [first] = chain;
  if (first === undefined) return `${request} can't be installed`;
  const links = chain.map(describeLink).join(' → ');
  // Not every manager says how it came from the one to the other.
  return first.name === bareName(request) ? links : `${request}: ${links}`;
}
