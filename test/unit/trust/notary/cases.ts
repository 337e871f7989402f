// The fixtures as data: each case of test/fixtures/notary with its checks, made into questions for the verifier. Each check
// gets a directory of its own for what is remembered, filled as the case says.

import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { UndoStack } from '../../../../src/system/plan.ts';
import { parseMetadata, parseSnapshot } from '../../../../src/trust/notary/metadata.ts';
import type { TrustPins } from '../../../../src/trust/notary/pins.ts';
import type { StoredTrust } from '../../../../src/trust/notary/stored-trust.ts';
import { TrustStore } from '../../../../src/trust/notary/trust-store.ts';
import type { NotaryQuestion } from '../../../../src/trust/notary/verify.ts';

export const FIXTURES = fileURLToPath(new URL('../../../fixtures/notary', import.meta.url));

const expectation = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), digest: z.string(), length: z.number(), role: z.string() }),
  z.strictObject({
    ok: z.literal(false),
    error: z.union([z.string(), z.array(z.string())]),
    role: z.string().optional(),
  }),
]);

const pinsSchema = z.strictObject({
  certs: z.record(z.string(), z.array(z.string())).optional(),
  ca: z.record(z.string(), z.string()).optional(),
  disableTofu: z.boolean().optional(),
});

const caseSchema = z.object({
  gun: z.string(),
  now: z.string(),
  server: z.string(),
  cache: z.string().optional(),
  checks: z.array(
    z.strictObject({
      tag: z.string(),
      gun: z.string().optional(),
      now: z.string().optional(),
      pins: pinsSchema.optional(),
      cache: z.string().nullable().optional(),
      expect: expectation,
    }),
  ),
});

export interface Check {
  title: string;
  case: string;
  /** The directory that is served. */
  server: string;
  gun: string;
  tag: string;
  now: Date;
  pins: TrustPins;
  /** The directory of what is trusted from earlier; undefined for first use. */
  cache: string | undefined;
  expect: z.infer<typeof expectation>;
}

/** Every check of every case. */
export function allChecks(): Check[] {
  return readdirSync(FIXTURES)
    .filter((name) => existsSync(join(FIXTURES, name, 'case.json')))
    .flatMap(checksOf);
}

export function checksOf(name: string): Check[] {
  const directory = join(FIXTURES, name);
  const found = caseSchema.parse(JSON.parse(readFileSync(join(directory, 'case.json'), 'utf8')));
  return found.checks.map((check, index) => {
    const cache = check.cache === undefined ? found.cache : (check.cache ?? undefined);
    const pins: TrustPins = { ...check.pins } as TrustPins;
    const ca = Object.entries(check.pins?.ca ?? {});
    if (ca.length > 0) {
      pins.ca = Object.fromEntries(ca.map(([prefix, file]) => [prefix, readFileSync(join(directory, file), 'utf8')]));
    }
    return {
      title: `${name} ${index + 1}: ${check.tag}`,
      case: name,
      server: join(directory, found.server),
      gun: check.gun ?? found.gun,
      tag: check.tag,
      now: new Date(check.now ?? found.now),
      pins,
      cache: cache === undefined ? undefined : join(directory, cache),
      expect: check.expect,
    };
  });
}

/** The question of a check, with what is remembered in a directory below `scratch`. */
export async function questionOf(check: Check, server: string, scratch = tmpdir()): Promise<NotaryQuestion> {
  const { gun, tag, now, pins, cache } = check;
  const store = new TrustStore(join(mkdtempSync(join(scratch, 'trust-')), 'trust'));
  if (cache !== undefined) await remember(store, importCache(cache, gun, server));
  const http = { credentials: async () => undefined, attempts: 1 };
  return { gun, tag, now, server, pins, store, http, builtAt: new Date('2026-01-01T00:00:00Z') };
}

export async function remember(store: TrustStore, stored: StoredTrust): Promise<void> {
  const undo = new UndoStack();
  try {
    const record = await store.open(stored.server, stored.gun, undo);
    record.save(stored);
  } finally {
    await undo.unwind(false);
  }
}

/** What a client trusted, from the files that it kept. */
export function importCache(cache: string, gun: string, server: string): StoredTrust {
  const read = (name: string) => {
    const file = join(cache, name);
    return existsSync(file) ? readFileSync(file) : undefined;
  };
  const root = read('root.json');
  if (root === undefined) throw new TypeError(`${cache} has no root`);
  const stored: StoredTrust = {
    format: 1,
    gun,
    server,
    root: root.toString('utf8'),
    versions: {},
    roles: [],
    began: { rule: 'first-use', keyIds: [], at: '2026-01-01T00:00:00Z' },
  };
  for (const role of ['timestamp', 'snapshot', 'targets', 'targets/releases'] as const) {
    const bytes = read(`${role}.json`);
    if (bytes === undefined) continue;
    stored.versions[role] = parseMetadata(bytes, role, role).version;
    if (role === 'snapshot') stored.roles = [...parseSnapshot(bytes, role).roles];
  }
  return stored;
}
