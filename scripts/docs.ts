// Writes what is generated from the code: the reference pages of commands, exit codes and the JSON Schema, and the types of
// stage files. With `--check` it changes nothing and fails when one is stale. Run by Bun.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referencePages } from '../src/cli/reference.ts';
import { stageFileTypes } from './stage-file-types.ts';

const project = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');
const files = {
  ...Object.fromEntries(Object.entries(await referencePages()).map(([name, text]) => [`docs/reference/${name}`, text])),
  'src/authoring/stagefile.generated.ts': stageFileTypes(),
};
let stale = 0;
for (const [name, text] of Object.entries(files)) {
  const file = join(project, name);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  stale += 1;
  if (check) console.error(`${name} is stale: run npm run docs`);
  else {
    writeFileSync(file, text);
    console.log(`${name} written`);
  }
}
if (check && stale > 0) process.exitCode = 1;
