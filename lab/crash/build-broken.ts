// Builds the program with another src/system/durable.ts; run by Bun, whose builder can exchange a module.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [breakage, out = ''] = process.argv.slice(2);
const durable = join(import.meta.dirname, '../../src/system/durable.ts');

/** What is taken out of the module, and what takes its place; it has to be there exactly once. */
const REPLACEMENTS: Readonly<Record<string, readonly (readonly [RegExp, string])[]>> = {
  // Files are flushed only after they have got their new names. A freeze would flush them as well, and waits with it. Slot
  // files are on the disk all the same, since tune2fs flushes what it labels; state.yaml isn't.
  'rename-before-fsync': [
    [
      /export async function freezeAndThaw\(mountPoint: string\): Promise<void> \{\n/,
      `export async function freezeAndThaw(mountPoint: string): Promise<void> {
  if (late.length > 0) return;
`,
    ],
    [
      /export function fsyncPath\(path: string\): void \{\n/,
      `const late: string[] = [];
export function fsyncPath(path: string): void {
  if (statSync(path).isFile()) {
    late.push(path);
    return;
  }
  flushNow(path);
}

function flushNow(path: string): void {
`,
    ],
    [
      / {4}fsyncSync\(fd\);\n {2}\} catch \(error\) \{\n {4}rmSync\(temporary/,
      '  } catch (error) {\n    rmSync(temporary',
    ],
    [
      / {2}if \(options\.name !== 'later'\) fsyncPath\(dirname\(path\)\);\n/,
      `  if (options.name !== 'later') fsyncPath(dirname(path));
  flushNow(path);
`,
    ],
    [
      /export function renameDurably\(from: string, to: string\): void \{\n {2}renameSync\(from, to\);\n {2}fsyncPath\(dirname\(to\)\);\n/,
      `export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  fsyncPath(dirname(to));
  for (const path of late.splice(0)) {
    const now = path === from ? to : path;
    if (statSync(now, { throwIfNoEntry: false })?.isFile()) flushNow(now);
  }
`,
    ],
  ],
  // GRUB is left with what the journal has not given out yet.
  'no-freeze': [
    [
      /export async function freezeAndThaw\(mountPoint: string\): Promise<void> \{\n[\s\S]*?\n\}\n/,
      'export async function freezeAndThaw(_mountPoint: string): Promise<void> {}\n',
    ],
  ],
};

let text = readFileSync(durable, 'utf8');
const replacements = REPLACEMENTS[breakage ?? ''] ?? [];
if (replacements.length === 0) throw new Error(`there is no breakage ${breakage}`);
for (const [pattern, replacement] of replacements) {
  if (!pattern.test(text)) throw new Error(`src/system/durable.ts has changed: ${pattern} is not in it`);
  text = text.replace(pattern, () => replacement);
}

interface Builder {
  onLoad(options: { filter: RegExp }, load: () => { contents: string; loader: 'ts' }): void;
}
declare const Bun: {
  build(options: unknown): Promise<{ success: boolean; logs: unknown[] }>;
};

const result = await Bun.build({
  entrypoints: [join(import.meta.dirname, '../../src/main.ts')],
  compile: { outfile: out },
  plugins: [
    {
      name: 'breakage',
      setup(build: Builder) {
        build.onLoad({ filter: /src\/system\/durable\.ts$/ }, () => ({ contents: text, loader: 'ts' }));
      },
    },
  ],
});
if (!result.success) throw new Error(`the broken program could not be built: ${result.logs.join('\n')}`);
