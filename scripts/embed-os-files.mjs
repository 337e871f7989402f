// Writes src/boot/os-files.generated.ts from os/: the tree that `holdfast init` installs, embedded so that the executable
// is one file. Plain JavaScript, since it runs before anything is compiled; writes only when something changed.

import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'os');
const target = join(root, 'src/boot/os-files.generated.ts');

/** What enables a unit or a service is a link there, and in a checkout without symbolic links a file with the link's text. */
const LINKS_ONLY = /^\/etc\/(?:systemd\/system\/[^/]+\.wants|runlevels\/[^/]+)\/[^/]+$/;

/** Where the link leads; undefined for a file. */
function linkOf(file, stat, at) {
  if (stat.isSymbolicLink()) return readlinkSync(file);
  return LINKS_ONLY.test(at) ? readFileSync(file, 'utf8').trim() : undefined;
}

/** Lines of the generated object for everything below `directory`, in byte order of the paths. */
function entriesBelow(directory, path = '') {
  return readdirSync(directory)
    .sort()
    .flatMap((name) => {
      const file = join(directory, name);
      const stat = lstatSync(file);
      const at = `${path}/${name}`;
      if (stat.isDirectory()) return entriesBelow(file, at);
      if (at === '/README.md') return [];
      const link = linkOf(file, stat, at);
      const entry =
        link === undefined
          ? // Git keeps the executable bit alone; a checkout's umask must not get into images.
            { mode: stat.mode & 0o100 ? 0o755 : 0o644, text: readFileSync(file, 'utf8') }
          : { link };
      return [`  ${JSON.stringify(at)}: ${JSON.stringify(entry)},`];
    });
}

const text = [
  '// Generated from os/ by scripts/embed-os-files.mjs; not kept in git.',
  '',
  '/** A file with its permission bits and text, or a symbolic link. */',
  'export type OsFile = { mode: number; text: string } | { link: string };',
  '',
  '/** What `holdfast init` puts into an image, by path in the image. */',
  'export const OS_FILES: Readonly<Record<string, OsFile>> = {',
  ...entriesBelow(source),
  '};',
  '',
].join('\n');

let old;
try {
  old = readFileSync(target, 'utf8');
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
if (old !== text) writeFileSync(target, text);
