// Brings the boot loader of an installed disk up to date, file by file: what is the same already is left alone, and what
// differs is written beside the old file first. FAT has no journal and no atomic rename, so the fewer writes the better:
// the usual reset changes nothing here.

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fsyncPath, renameDurably } from '../system/durable.ts';
import { run, runChecked } from '../system/process.ts';
import { REMOVABLE_PATH } from './install-grub.ts';

/**
 * @param directory the files that the partition shall have.
 * @param esp its device, and where it is mounted if it is: then it is written there.
 * @returns the paths that were written.
 */
export async function refreshEsp(
  directory: string,
  esp: { device: string; mountPoint?: string | undefined },
): Promise<string[]> {
  const written: string[] = [];
  for (const path of filesBelow(directory)) {
    const content = readFileSync(join(directory, path));
    const old =
      esp.mountPoint === undefined ? await readWithMtools(esp.device, path) : readIfThere(join(esp.mountPoint, path));
    if (old?.equals(content)) continue;
    if (esp.mountPoint === undefined) await replaceWithMtools(esp.device, path, join(directory, path));
    else replaceMounted(join(esp.mountPoint, path), content);
    written.push(path);
  }
  return written;
}

/** What firmware starts comes last. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort((a, b) => Number(a === REMOVABLE_PATH) - Number(b === REMOVABLE_PATH) || (a < b ? -1 : 1));
}

function readIfThere(file: string): Buffer | undefined {
  return existsSync(file) ? readFileSync(file) : undefined;
}

function replaceMounted(file: string, content: Buffer): void {
  mkdirSync(dirname(file), { recursive: true });
  const fd = openSync(`${file}.new`, 'w');
  try {
    writeFileSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameDurably(`${file}.new`, file);
}

async function readWithMtools(device: string, path: string): Promise<Buffer | undefined> {
  // The output is a program; run() gives text. mtools writes it to a file instead.
  const copy = `/run/holdfast/esp-${process.pid}`;
  mkdirSync(dirname(copy), { recursive: true });
  const result = await run(['mcopy', '-n', '-o', '-i', device, `::/${path}`, copy]);
  if (result.status !== 0) return undefined;
  const content = readFileSync(copy);
  await runChecked(['rm', '-f', copy]);
  return content;
}

async function replaceWithMtools(device: string, path: string, from: string): Promise<void> {
  const parts = dirname(path).split('/');
  for (let depth = 1; depth <= parts.length; depth++) {
    // It says that a directory exists; whether that is so shows in the next call.
    await run(['mmd', '-D', 's', '-i', device, `::/${parts.slice(0, depth).join('/')}`]);
  }
  const hidden = `${dirname(path)}/HOLDFAST.NEW`;
  await runChecked(['mcopy', '-o', '-i', device, from, `::/${hidden}`]);
  fsyncPath(device);
  await runChecked(['mren', '-o', '-i', device, `::/${hidden}`, `::/${path}`]);
  fsyncPath(device);
}
