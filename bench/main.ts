// `npm run bench`: every measurement, one after the other, against the executable built from the sources as they are.

import { ensureExecutable } from '../lab/executable.ts';

await ensureExecutable((line) => console.log(line));
console.log('\n# Start-up');
await import('./startup.ts');
console.log('\n# Stages');
await import('./run-stage.ts');
