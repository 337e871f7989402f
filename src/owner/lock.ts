// What was installed for the owner, package by package: version, digest of its file, asked for or needed by another, when,
// into which image. It is read back from a disk that anybody may have had in hands, so it is checked like any input.

import { compareText } from './order.ts';

/** In a new system, while it is made; becomes {@link LOCK_FILE} when that system is switched to. */
export const SLOT_LOCK = '/var/lib/holdfast/packages.lock';
/** In the directory of the owner's stage files. */
export const LOCK_FILE = 'holdfast/packages.lock';

export type LockDatabase = 'dpkg' | 'rpm' | 'apk';

export interface LockedPackage {
  name: string;
  architecture: string;
  /** As the package manager writes it, epoch included. */
  version: string;
  /** 64 digits; absent where the file couldn't be kept. */
  sha256?: string;
  sizeBytes?: number;
  /** By name; else it came because one of {@link neededBy} needs it. */
  asked: boolean;
  /** The packages that were asked for when it came, as they were asked for. */
  neededBy: readonly string[];
  /** RFC 3339. */
  installedAt: string;
  /** Digest or source of the image that it was installed into. */
  base?: string;
}

export interface PackageLock {
  database: LockDatabase;
  packages: readonly LockedPackage[];
}

export const MAX_LOCK_BYTES = 8 << 20;
const MAX_PACKAGES = 50_000;

/** Name and architecture, by which a system has a package once. */
export function lockKey({ name, architecture }: Pick<LockedPackage, 'name' | 'architecture'>): string {
  return `${name}:${architecture}`;
}

export function renderLock({ database, packages }: PackageLock): string {
  const sorted = [...packages].sort((a, b) => compareText(lockKey(a), lockKey(b)));
  const lines = sorted.map((one) => `    ${JSON.stringify(one)}`).join(',\n');
  return `{\n  "format": 1,\n  "database": ${JSON.stringify(database)},\n  "packages": [\n${lines}\n  ]\n}\n`;
}

/** @returns undefined for a text that is no lock; entries that can't be used are left out and counted. */
export function parseLock(text: string): { lock: PackageLock; dropped: number } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value['format'] !== 1 || !Array.isArray(value['packages'])) return undefined;
  const database = (['dpkg', 'rpm', 'apk'] as const).find((one) => one === value['database']);
  if (database === undefined) return undefined;
  const given = value['packages'].slice(0, MAX_PACKAGES);
  const packages = given.flatMap((one) => parseEntry(one) ?? []);
  return { lock: { database, packages }, dropped: value['packages'].length - packages.length };
}

/** Names that can neither be taken for an option nor leave a directory. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9+._-]{0,254}$/;
const VERSION = /^[A-Za-z0-9][A-Za-z0-9+.:~^_-]{0,254}$/;
const ARCHITECTURE = /^[a-z0-9][a-z0-9_-]{0,31}$/;

function parseEntry(value: unknown): LockedPackage | undefined {
  if (!isRecord(value)) return undefined;
  const text = (key: string, pattern: RegExp) => {
    const field = value[key];
    return typeof field === 'string' && pattern.test(field) ? field : undefined;
  };
  const [name, version, architecture] = [
    text('name', NAME),
    text('version', VERSION),
    text('architecture', ARCHITECTURE),
  ];
  const installedAt = text('installedAt', /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/);
  const { sizeBytes, asked, neededBy } = value;
  if (name === undefined || version === undefined || architecture === undefined || installedAt === undefined) {
    return undefined;
  }
  const sha256 = text('sha256', /^[0-9a-f]{64}$/);
  if (value['sha256'] !== undefined && sha256 === undefined) return undefined;
  const base = text('base', /^[\x20-\x7e]{1,500}$/);
  return {
    name,
    architecture,
    version,
    ...(sha256 !== undefined && { sha256 }),
    ...(typeof sizeBytes === 'number' && Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 && { sizeBytes }),
    asked: asked === true,
    neededBy: Array.isArray(neededBy) ? neededBy.filter((one): one is string => typeof one === 'string') : [],
    installedAt,
    ...(base !== undefined && { base }),
  };
}

/** The entries with those of an installation added: a package that is there already gets its new version and all who need it. */
export function addToLock(packages: readonly LockedPackage[], installed: readonly LockedPackage[]): LockedPackage[] {
  const all = new Map(packages.map((one) => [lockKey(one), one]));
  for (const one of installed) {
    const old = all.get(lockKey(one));
    const neededBy = [...new Set([...(old?.neededBy ?? []), ...one.neededBy])];
    all.set(lockKey(one), { ...one, asked: one.asked || (old?.asked ?? false), neededBy });
  }
  return [...all.values()];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
