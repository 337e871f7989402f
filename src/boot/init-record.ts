// The note that `holdfast init` leaves in an image: which files it wrote, with their digests, and what GRUB's program and
// the initramfs were built from. With it a second run knows what is up to date, and what an image's builder changed.

import type { Root } from '../system/root.ts';

const INIT_RECORD = '/usr/lib/holdfast/init.json';

export interface InitRecord {
  /** Digests of the files that were written, by path. */
  files: Readonly<Record<string, string>>;
  /** Fingerprints of what GRUB's program and the initramfs were built from. */
  grub?: string;
  initrd?: string;
}

/** The note, or an empty one when there is none. */
export function readRecord(root: Root): InitRecord {
  const text = root.readTextIfThere(INIT_RECORD);
  if (text === undefined) return { files: {} };
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('files' in value)) return { files: {} };
  const { files } = value;
  return {
    files: typeof files === 'object' && files !== null ? Object.fromEntries(stringsOf(files)) : {},
    ...Object.fromEntries(stringsOf(value).filter(([name]) => name === 'grub' || name === 'initrd')),
  };
}

function stringsOf(value: object): [string, string][] {
  return Object.entries(value).flatMap(([name, entry]) => (typeof entry === 'string' ? [[name, entry]] : []));
}

/** Changes the note, keeping what isn't named. */
export function updateRecord(root: Root, changes: Partial<InitRecord>): void {
  root.writeFile(INIT_RECORD, `${JSON.stringify({ ...readRecord(root), ...changes }, null, 2)}\n`);
}
