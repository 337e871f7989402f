// What is remembered of a repository, as facts for a person: whom it trusts since when, down to which versions nothing is
// taken any more. Pure, but for damaged records, which are told as such.

import type { TrustRule } from './pins.ts';
import type { StoredTrust } from './stored-trust.ts';
import { storedRoot } from './stored-trust.ts';

export interface TrustReport {
  gun: string;
  server: string;
  file: string;
  /** How trust began, and with which root keys. */
  began: { rule: TrustRule; entry?: string | undefined; keyIds: readonly string[]; at: string };
  root: {
    version: number;
    expires: string;
    /** The keys that count now, each with whom its certificate names and until when. */
    keys: readonly { id: string; names: readonly string[]; validUntil?: string }[];
  };
  versions: StoredTrust['versions'];
  lastSuccess: string | undefined;
}

/** @throws TrustError state-corrupt */
export function reportTrust(stored: StoredTrust, file: string): TrustReport {
  const { gun, server, began, versions, lastSuccess } = stored;
  const root = storedRoot(stored, file);
  return {
    gun,
    server,
    file,
    began: { rule: began.rule, entry: began.entry, keyIds: began.keyIds, at: began.at },
    root: {
      version: root.version,
      expires: root.expires.toISOString(),
      keys: root.roles.root.keys.map(({ id, certificates: [leaf] }) => ({
        id,
        names: leaf?.commonNames ?? [],
        ...(leaf && { validUntil: leaf.notAfter.toISOString() }),
      })),
    },
    versions,
    lastSuccess,
  };
}

const HOW: Readonly<Record<TrustRule, string>> = {
  certs: 'by a pinned key',
  ca: 'by a pinned authority',
  'first-use': 'at first use',
};

/** One repository in a list. */
export function listLines({ gun, server, began, lastSuccess }: TrustReport): string[] {
  const last = lastSuccess === undefined ? 'never verified' : `verified last on ${day(lastSuccess)}`;
  return [gun, `  server     ${server}`, `  trusted    since ${day(began.at)}, ${HOW[began.rule]}; ${last}`];
}

/** All of it. */
export function reportLines(report: TrustReport): string[] {
  const { gun, server, file, began, root, versions, lastSuccess } = report;
  const pin = began.entry === undefined ? '' : ` (${JSON.stringify(began.entry)})`;
  const seen = Object.entries(versions).map(([role, version]) => `${role} ${version}`);
  return [
    gun,
    `  server     ${server}`,
    `  began      ${began.at}, ${HOW[began.rule]}${pin}`,
    ...began.keyIds.map((id) => `             ${id}`),
    `  root       version ${root.version}, valid until ${day(root.expires)}`,
    ...root.keys.map(({ id, names, validUntil }) => {
      const until = validUntil === undefined ? '' : `, until ${day(validUntil)}`;
      return `             ${id}\n             for ${names.map((name) => JSON.stringify(name)).join(', ')}${until}`;
    }),
    `  not below  ${seen.length === 0 ? 'nothing was verified yet' : seen.join(', ')}`,
    `  last       ${lastSuccess ?? 'never'}`,
    `  file       ${file}`,
  ];
}

function day(time: string): string {
  return time.slice(0, 10);
}
