// What packages of Debian make while they are installed, beside their files: alternatives and diversions. The package manager
// makes it again in the new tree, so the replay leaves it alone; what the owner chose or registered stays theirs.

import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Root } from '../../system/root.ts';
import { TreeFiles } from './tree-files.ts';

const ALTERNATIVES = '/var/lib/dpkg/alternatives';
const LINKS = '/etc/alternatives';
const DIVERSIONS = '/var/lib/dpkg/diversions';

/** One name of update-alternatives(1). */
export interface Alternative {
  /** `auto`: the best candidate is chosen; `manual`: the owner chose. */
  mode: string;
  /** The link and those that follow it, by name. */
  links: ReadonlyMap<string, string>;
  /** What it may lead to. */
  candidates: readonly string[];
  /** The same for all names: what each may lead to. */
  targets: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * Parses a file of /var/lib/dpkg/alternatives: mode, link, names and links that follow, an empty line, and for each
 * candidate its path, priority and what the followers lead to; a file may end with another empty line.
 */
export function parseAlternative(name: string, text: string): Alternative | undefined {
  const lines = text.split('\n');
  const [mode, link] = lines;
  if ((mode !== 'auto' && mode !== 'manual') || !link?.startsWith('/')) return undefined;
  const links = new Map([[name, link]]);
  let at = 2;
  for (; (lines[at] ?? '') !== ''; at += 2) links.set(lines[at] ?? '', lines[at + 1] ?? '');
  const names = [...links.keys()];
  const targets = new Map(names.map((one) => [one, new Set<string>()]));
  const candidates: string[] = [];
  // Path, priority, and a line for each follower, which may be empty.
  for (at += 1; (lines[at] ?? '') !== ''; at += 1 + names.length) {
    candidates.push(lines[at] ?? '');
    for (const [index, one] of names.entries()) targets.get(one)?.add(lines[index === 0 ? at : at + 1 + index] ?? '');
  }
  return { mode, links, candidates, targets };
}

/**
 * The paths of alternatives and diversions that are what the packages of the delta made of them.
 * @param packaged the files of these packages, as the packages name them; absent: the package isn't of the delta.
 * @param names the names of these packages.
 * @returns absolute paths; links in the directories above them are not resolved.
 */
export function madeByScripts(
  base: Root,
  view: Root,
  packaged: ReadonlySet<string>,
  names: ReadonlySet<string>,
): string[] {
  const made: string[] = [];
  for (const name of new Set([...base.list(ALTERNATIVES), ...view.list(ALTERNATIVES)])) {
    const path = join(ALTERNATIVES, name);
    const [before, after] = [base, view].map((root) => root.readTextIfThere(path));
    if (before === after) continue;
    const [was, is] = [before, after].map((text) => (text === undefined ? undefined : parseAlternative(name, text)));
    if ([was, is].some((one) => one !== undefined && one.mode !== 'auto')) continue;
    if ((before !== undefined && was === undefined) || (after !== undefined && is === undefined)) continue;
    // A candidate that came or went with no package is the owner's doing.
    const [old, now] = [was?.candidates ?? [], is?.candidates ?? []];
    const changed = [...old.filter((one) => !now.includes(one)), ...now.filter((one) => !old.includes(one))];
    if (!changed.every((candidate) => packaged.has(candidate))) continue;
    made.push(path, ...linksOf(view, [was, is]));
  }
  if (isDivertedByPackages(base, view, names)) made.push(DIVERSIONS);
  return made;
}

/** Links that are there as update-alternatives makes them, or gone. What the owner put in their place is the owner's. */
function linksOf(view: Root, alternatives: readonly (Alternative | undefined)[]): string[] {
  const files = new TreeFiles(view);
  const made: string[] = [];
  const take = (path: string, mayLeadTo: (target: string) => boolean) => {
    const stats = files.lstat(path);
    if (stats === undefined || (stats.isSymbolicLink() && mayLeadTo(readlinkSync(files.at(path))))) made.push(path);
  };
  for (const alternative of alternatives) {
    for (const [name, link] of alternative?.links ?? []) {
      take(join(LINKS, name), (target) => alternative?.targets.get(name)?.has(target) ?? false);
      take(link, (target) => target === join(LINKS, name));
    }
  }
  return made;
}

/** Whether all diversions that came or went are of these packages: three lines for each, the last one a package. */
function isDivertedByPackages(base: Root, view: Root, names: ReadonlySet<string>): boolean {
  const [was, is] = [base, view].map((root) => diversionsOf(root.readTextIfThere(DIVERSIONS) ?? ''));
  if (was === undefined || is === undefined || was.join() === is.join()) return false;
  const changed = [...was.filter((one) => !is.includes(one)), ...is.filter((one) => !was.includes(one))];
  return changed.every((one) => names.has(one.split('\n')[2] ?? ''));
}

function diversionsOf(text: string): string[] {
  const lines = text.split('\n');
  const diversions: string[] = [];
  for (let at = 0; at + 2 < lines.length; at += 3) diversions.push(lines.slice(at, at + 3).join('\n'));
  return diversions;
}
