// One worker process of the crash tests: a job comes as a file's name, results go out as lines of JSON.

import { readFileSync } from 'node:fs';
import { examine } from './examination.ts';

let stopped = false;
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => (stopped = true));
const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
await examine(
  job,
  (result) => process.stdout.write(`${JSON.stringify(result)}\n`),
  () => stopped,
);
