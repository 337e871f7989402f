// What the initramfs did with the root overlay of this boot: /run/cos/rootoverlay, lines of KEY=VALUE. It is written by
// `holdfast overlay attach`, or by a shell script where even that could not run, so readers expect any of it to be missing.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Root } from '../system/root.ts';

/** The record of this boot. */
export const OVERLAY_RECORD = '/run/cos/rootoverlay';
/** Where the file system with the COW is mounted while an overlay is used. */
export const BACKING_DIRECTORY = '/run/initramfs/overlay';
/** Where the slot's image is mounted read-only, whenever an overlay was asked for. */
export const BASE_DIRECTORY = '/run/initramfs/base';
/** The device that is the root while an overlay is used; its name is dracut's. */
export const OVERLAY_DEVICE = '/dev/mapper/live-rw';

export interface AttachedOverlay {
  /** Whether the root is the view. */
  used: boolean;
  /** The device as the argument names it: `LABEL=X`, `/dev/sdb`. */
  device?: string;
  /** The path of the overlay set on it: `/persist-hda.img`. */
  path?: string;
  /** What was mounted for it: `/dev/vdb`, `/dev/mapper/holdfast-overlay`. */
  source?: string;
  /** The COW, a path of the running system: `/run/initramfs/overlay/persist-hda.img.3f9c1a7be0428d11`. */
  file?: string;
  /** The whole fingerprint of the base, 64 hex digits. */
  fp?: string;
  /** Why it isn't used, one word: `skipped`, `file-missing`, `mismatch`, …; absent when it is used. */
  reason?: string;
  /** The same as a sentence; when it is used, what the owner should know all the same. */
  message?: string;
  /** The mount point of the file system with the COW; absent when it isn't mounted. */
  backing?: string;
  /** The mount point of the base; absent when it isn't mounted. */
  base?: string;
  /** New writes go to memory (`rd.live.overlay.readonly`). */
  readonly: boolean;
  /** How the root is to be mounted. */
  permission: 'rw' | 'ro';
}

const TEXTS = ['device', 'path', 'source', 'file', 'fp', 'reason', 'message', 'backing', 'base'] as const;

/** Parses the record, whatever it holds. Values end with their line; the last line of a key counts. */
export function parseAttachedOverlay(text: string): AttachedOverlay {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1));
  }
  const overlay: AttachedOverlay = {
    used: values.get('used') === 'yes',
    readonly: values.get('readonly') === 'yes',
    permission: values.get('permission') === 'rw' ? 'rw' : 'ro',
  };
  for (const key of TEXTS) {
    const value = values.get(key);
    if (value !== undefined && value !== '') overlay[key] = value;
  }
  return overlay;
}

/** The record's text. Characters that would end a line become blanks: some values come from the kernel command line. */
export function renderAttachedOverlay(overlay: AttachedOverlay): string {
  const yes = (value: boolean) => (value ? 'yes' : 'no');
  const lines = [`used=${yes(overlay.used)}`];
  for (const key of TEXTS) {
    const value = overlay[key];
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not get out
    if (value !== undefined) lines.push(`${key}=${value.replace(/[\x00-\x1f\x7f]+/g, ' ')}`);
  }
  lines.push(`readonly=${yes(overlay.readonly)}`, `permission=${overlay.permission}`);
  return `${lines.join('\n')}\n`;
}

/** What is wrong with the overlay of this boot, a sentence; undefined when all is as its owner wants it. */
export function troubleOfOverlay(overlay: AttachedOverlay | undefined): string | undefined {
  if (overlay?.reason === undefined || overlay.reason === 'skipped') return undefined;
  const why = (overlay.message ?? overlay.reason).replace(/\.$/, '');
  // The watch says while the system runs that it became full.
  return overlay.used ? `The overlay of /: ${why}.` : `/ is without its overlay, changes are not kept: ${why}.`;
}

/** The record of this boot; undefined where no overlay was asked for. */
export function readAttachedOverlay(root: Root = new Root('/')): AttachedOverlay | undefined {
  const text = root.readTextIfThere(OVERLAY_RECORD);
  return text === undefined ? undefined : parseAttachedOverlay(text);
}

/** Replaces the record; it lives in memory. */
export function writeAttachedOverlay(overlay: AttachedOverlay, root = '/'): void {
  const path = join(root, OVERLAY_RECORD);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, renderAttachedOverlay(overlay), { mode: 0o644 });
  renameSync(`${path}.new`, path);
}
