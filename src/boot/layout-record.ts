// The record of the mount layout, /run/holdfast/layout.json: what was mounted and what differs from the wish. The initramfs
// writes it, `holdfast status` and the login banner read it.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../system/errors.ts';
import { Root } from '../system/root.ts';

/** One place of the running system. */
export interface LayoutMount {
  path: string;
  /** `base` holds the ephemeral changes; `found` was mounted by somebody else. */
  kind: 'base' | 'volume' | 'overlay' | 'state-overlay' | 'state-bind' | 'tmpfs' | 'found';
  source: string;
  /** Of a persistent path: the directory that keeps it. */
  keptIn?: string;
  persistent: boolean;
}

export interface LayoutRecord {
  version: 1;
  outcome: 'ok' | 'skipped' | 'failed';
  /** Why nothing was mounted. */
  reason?: string;
  /** What differs from the wish, one sentence each. */
  notices: readonly string[];
  mounts: readonly LayoutMount[];
  durationMs: number;
}

const RECORD_NAME = 'layout.json';
export const RECORD_DIRECTORY = '/run/holdfast';

/** Replaces the record. */
export function writeLayoutRecord(directory: string, record: LayoutRecord): void {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, RECORD_NAME);
  writeFileSync(`${path}.new`, `${JSON.stringify(record)}\n`, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

/** The record of this boot; undefined where no layout was mounted. A damaged one is a failed one that says so. */
export function readLayoutRecord(root: Root = new Root('/')): LayoutRecord | undefined {
  try {
    const text = root.readTextIfThere(join(RECORD_DIRECTORY, RECORD_NAME));
    return text === undefined ? undefined : parseLayoutRecord(text);
  } catch (error) {
    return failed(`its record can’t be read: ${messageOf(error)}`);
  }
}

/** Parses a record's text, whatever it holds. */
export function parseLayoutRecord(text: string): LayoutRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return failed('its record is damaged');
  }
  return isRecord(value) ? value : failed('its record is not one of this version');
}

function isRecord(value: unknown): value is LayoutRecord {
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version !== 1) return false;
  const { outcome, notices, mounts } = { outcome: undefined, notices: undefined, mounts: undefined, ...value };
  const texts: unknown = notices;
  const places: unknown = mounts;
  return (
    typeof outcome === 'string' &&
    ['ok', 'skipped', 'failed'].includes(outcome) &&
    Array.isArray(texts) &&
    texts.every((text) => typeof text === 'string') &&
    Array.isArray(places) &&
    places.every((place) => typeof place === 'object' && place !== null && 'path' in place && 'kind' in place)
  );
}

function failed(reason: string): LayoutRecord {
  return { version: 1, outcome: 'failed', reason, notices: [], mounts: [], durationMs: 0 };
}
