// What package managers print when they are asked for packages by a word, as names with a line each. The formats are those
// of apt-cache, dnf 4 and 5, zypper and apk; a line that is none of them is passed over.

import type { Command, ManagerName } from '../stages/packages/manager.ts';

export interface FoundPackage {
  name: string;
  version?: string;
  summary: string;
}

/** The command that searches; undefined for a manager that isn't known here. */
export function searchCommand(manager: ManagerName, words: readonly string[]): Command {
  switch (manager) {
    case 'apt':
      return ['apt-cache', 'search', '--', ...words];
    case 'dnf':
      return ['dnf', '-q', 'search', ...words];
    case 'zypper':
      return ['zypper', '--non-interactive', '--xmlout', 'search', '--details', '--type', 'package', ...words];
    case 'pacman':
      return ['pacman', '-Ss', ...words];
    case 'apk':
      return ['apk', 'search', '-v', '-d', ...words];
  }
}

export function parseSearch(manager: ManagerName, text: string): FoundPackage[] {
  const found = PARSERS[manager](text);
  const byName = new Map(found.map((one) => [one.name, one]));
  return [...byName.values()];
}

const PARSERS: Readonly<Record<ManagerName, (text: string) => FoundPackage[]>> = {
  /** `vim - Vi IMproved - enhanced vi editor`. */
  apt: (text) => matchLines(text, /^(\S+) - (.*)$/, ([, name = '', summary = '']) => ({ name, summary })),
  /** dnf 4: `vim-enhanced.x86_64 : A version of …`; dnf 5: ` vim-enhanced.x86_64\tA version of …`. */
  dnf: (text) =>
    matchLines(
      text,
      /^ ?([\w.+-]+)\.(?:noarch|x86_64|i686|aarch64|armv7hl|ppc64le|s390x|riscv64)(?: : |\t)\s*(.*)$/,
      ([, name = '', summary = '']) => ({
        name,
        summary,
      }),
    ),
  /** `<solvable status="not-installed" name="vim" … edition="9.1-1" …/>`; details have no summary. */
  zypper: (text) =>
    [...text.matchAll(/<solvable\b([^>]*?)\/?>/g)].flatMap(([, attributes = '']) => {
      const attribute = (key: string) => unescapeXml(new RegExp(`\\b${key}="([^"]*)"`).exec(attributes)?.[1] ?? '');
      const [name, version, kind] = [attribute('name'), attribute('edition'), attribute('kind')];
      if (name === '' || (kind !== '' && kind !== 'package')) return [];
      return [{ name, ...(version !== '' && { version }), summary: attribute('summary') }];
    }),
  /** `extra/vim 9.1-1 [installed]`, and a line that is indented. */
  pacman: (text) =>
    [...text.matchAll(/^\S+?\/(\S+) (\S+).*\n\s+(.*)$/gm)].map(([, name = '', version = '', summary = '']) => ({
      name,
      version,
      summary,
    })),
  /** `vim-9.1.0707-r0 - Improved vi-style text editor`; before apk 2.12 without the description. */
  apk: (text) =>
    matchLines(text, /^(\S+?)-(\d[^-\s]*-r\d+)(?: - (.*))?$/, ([, name = '', version = '', summary = '']) => ({
      name,
      version,
      summary,
    })),
};

function matchLines(text: string, pattern: RegExp, make: (match: RegExpExecArray) => FoundPackage): FoundPackage[] {
  return text.split('\n').flatMap((line) => {
    const match = pattern.exec(line);
    return match === null ? [] : [make(match)];
  });
}

function unescapeXml(text: string): string {
  const names: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => names[name] ?? '');
}
