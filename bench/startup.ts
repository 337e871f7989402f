// Start-up of the executable beside a program that does nothing and beside plain Node, in the same run: ratios, since
// milliseconds belong to the machine that they were measured on.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const project = join(import.meta.dirname, '..');
const RUNS = 25;

/** The environment that the units of the image give to short-lived commands. */
const NO_COMPILER = { BUN_JSC_useJIT: '0' };

const programs: [string, string, string[], Record<string, string>?][] = [
  ['/bin/true', '/bin/true', []],
  ['dist/holdfast --version', join(project, 'dist/holdfast'), ['--version']],
  ['dist/holdfast --help', join(project, 'dist/holdfast'), ['--help']],
  ['dist/holdfast run-stage', join(project, 'dist/holdfast'), ['run-stage', 'bench', '--root', '/nonexistent']],
  [
    'the same as in the units',
    join(project, 'dist/holdfast'),
    ['run-stage', 'bench', '--root', '/nonexistent'],
    NO_COMPILER,
  ],
  ['node dist/holdfast.mjs --version', 'node', [join(project, 'dist/holdfast.mjs'), '--version']],
  ['node -e ""', 'node', ['-e', '']],
];

function medianMs(command: string, args: readonly string[], env: Record<string, string> = {}): number {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const started = performance.now();
    const { status, error } = spawnSync(command, args, { stdio: 'ignore', env: { ...process.env, ...env } });
    if (error !== undefined || status !== 0) throw new Error(`${command} ${args.join(' ')} failed`, { cause: error });
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(RUNS / 2)] ?? Number.NaN;
}

const measured = programs.map(([name, command, args, env]) => ({ name, ms: medianMs(command, args, env) }));
const unit = measured[0]?.ms ?? Number.NaN;
console.log(`median of ${RUNS} starts, beside /bin/true`);
for (const { name, ms } of measured) {
  console.log(`${name.padEnd(36)} ${ms.toFixed(1).padStart(7)} ms  ${(ms / unit).toFixed(1).padStart(6)} ×`);
}
