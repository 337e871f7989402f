// Writes the reference pages that are generated from the code: commands and exit codes. With `--check` it changes
// nothing and fails when a page is stale. Run by Bun.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referencePages } from '../src/cli/reference.ts';

const directory = join(import.meta.dirname, '../docs/reference');
const check = process.argv.includes('--check');
let stale = 0;
for (const [name, text] of Object.entries(referencePages())) {
  const file = join(directory, name);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  stale += 1;
  if (check) console.error(`docs/reference/${name} is stale: run npm run docs`);
  else {
    writeFileSync(file, text);
    console.log(`docs/reference/${name} written`);
  }
}
if (check && stale > 0) process.exitCode = 1;
