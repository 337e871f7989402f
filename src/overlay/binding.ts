// The sidecar of a COW: which base it belongs to, and whether it may be used. Lines of key=value, never run by a shell;
// the file may have been written by anyone, so what it says is checked and its size is limited.

import { lstatSync, readFileSync } from 'node:fs';
import { writeFileDurably } from '../system/durable.ts';
import { errnoOf } from '../system/errors.ts';
import { type Fingerprint, parseFingerprint } from './fingerprint.ts';

/** `building`: not whole yet; `ready`: may be used; `quarantined`: its content is damaged or not trusted. */
export const BINDING_STATES = ['building', 'ready', 'quarantined'] as const;
export type BindingState = (typeof BINDING_STATES)[number];

export interface Binding {
  /** Of the base. */
  fingerprint: Fingerprint;
  baseSizeBytes: number;
  /** SHA-256 of the base with its superblock copies masked; 64 hexadecimal digits. */
  baseSha256?: string;
  /** ISO 8601. */
  created: string;
  /** The base whose view this one was carried over from. */
  parent?: Fingerprint;
  state: BindingState;
  /** Of the base: `ext4`, `ext2`. */
  filesystem: string;
  /** Why it is quarantined: one line. */
  note?: string;
}

const FORMAT = '1';
const MAX_BYTES = 4096;
const MAX_NOTE = 500;
/** It is shown on consoles, and another line would be another key. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g;

/** The text of a sidecar. */
export function serialiseBinding(binding: Binding): string {
  const { fingerprint, baseSizeBytes, baseSha256, created, parent, state, filesystem, note } = binding;
  const lines: [string, string | undefined][] = [
    ['format', FORMAT],
    ['fp', fingerprint],
    ['base_size', String(baseSizeBytes)],
    ['base_sha256', baseSha256],
    ['created', created],
    ['parent', parent],
    ['state', state],
    ['filesystem', filesystem],
    ['note', note?.replace(CONTROL, ' ').slice(0, MAX_NOTE)],
  ];
  return lines.flatMap(([key, value]) => (value === undefined ? [] : `${key}=${value}\n`)).join('');
}

/** What a sidecar says, or what is wrong with it. Keys that aren't known are passed over. */
export function parseBinding(text: string): Binding | { problem: string } {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1));
  }
  const format = values.get('format');
  if (format !== FORMAT) return { problem: `its format is ${shownValue(format)}, and only ${FORMAT} is known` };
  const fingerprint = parseFingerprint(values.get('fp') ?? '');
  if (fingerprint === undefined) return { problem: 'it names no base' };
  const size = values.get('base_size') ?? '';
  if (!/^[1-9]\d{0,14}$/.test(size)) return { problem: `base_size is ${shownValue(size)}` };
  const state = BINDING_STATES.find((each) => each === values.get('state'));
  if (state === undefined) return { problem: `its state is ${shownValue(values.get('state'))}` };
  const created = values.get('created') ?? '';
  if (!/^\d{4}-\d\d-\d\dT[\d:.]{5,15}Z$/.test(created)) return { problem: `created is ${shownValue(created)}` };
  const filesystem = values.get('filesystem') ?? '';
  if (!/^[a-z0-9]{1,16}$/.test(filesystem)) return { problem: `filesystem is ${shownValue(filesystem)}` };
  const parentText = values.get('parent');
  const parent = parentText === undefined ? undefined : parseFingerprint(parentText);
  if (parentText !== undefined && parent === undefined) return { problem: `parent is ${shownValue(parentText)}` };
  const baseSha256 = values.get('base_sha256');
  if (baseSha256 !== undefined && !/^[0-9a-f]{64}$/.test(baseSha256)) {
    return { problem: `base_sha256 is ${shownValue(baseSha256)}` };
  }
  const note = values.get('note')?.replace(CONTROL, ' ').slice(0, MAX_NOTE);
  return {
    fingerprint,
    baseSizeBytes: Number(size),
    ...(baseSha256 === undefined ? {} : { baseSha256 }),
    created,
    ...(parent === undefined ? {} : { parent }),
    state,
    filesystem,
    ...(note === undefined ? {} : { note }),
  };
}

/**
 * Reads a sidecar.
 * @returns undefined when there is none; `problem` when what is there can't be used.
 */
export function readBinding(file: string): Binding | { problem: string } | undefined {
  try {
    const stat = lstatSync(file);
    if (!stat.isFile()) return { problem: 'it is no regular file' };
    if (stat.size > MAX_BYTES) return { problem: `it has ${stat.size} bytes, and ${MAX_BYTES} are the most` };
    return parseBinding(readFileSync(file, 'utf8'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Replaces a sidecar as a whole; it is on the disk when this returns. */
export function writeBinding(file: string, binding: Binding): void {
  writeFileDurably(file, serialiseBinding(binding), { mode: 0o600 });
}

function shownValue(value: string | undefined): string {
  return value === undefined || value === '' ? 'missing' : JSON.stringify(value.slice(0, 40));
}
