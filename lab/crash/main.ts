// `npm run test:crash`: commands are recorded, and the disk is looked at as it was at every flush and at sampled instants
// between them. Ends with a table.

import { parseArgs } from 'node:util';
import { interruptible } from '../../src/cli/interrupt.ts';
import { renderError } from '../../src/cli/reporter.ts';
import { HoldfastError } from '../../src/system/errors.ts';
import { BREAKAGES, isBreakage } from './breakage.ts';
import { type CrashTestResult, crashTest } from './crash-test.ts';
import { TESTED } from './scenarios.ts';
import { formatFailures, formatTable } from './table.ts';

const USAGE = `npm run test:crash -- [COMMAND...] [OPTIONS]

Commands: ${TESTED.map(({ name }) => name).join(', ')} (default: all)

  --states N   states in all (default 1200): every flush first, then instants between flushes
  --seed N     chooses the instants; the same seed and number choose the same ones (default: by the clock, printed)
  --again N    of the states, those on which the command is done again (default 24)
  --boots N    of the states, those that are really booted, by UEFI and BIOS in turn (default 4)
  --jobs N     processes (default: one for each processor)
  --break WHAT breaks the order of writing on purpose: ${BREAKAGES.join(' or ')}; the run has to fail
  --sound      leaves out the two broken programs that a run of all commands ends with
  --record     only runs the guests, for a later run
  --json       the result as JSON

Example: npm run test:crash -- upgrade-again --states 300 --seed 7
`;

process.exitCode = await interruptible(async (signal) => {
  try {
    return await main(signal);
  } catch (error) {
    process.stderr.write(`\n${renderError(error)}\n`);
    return error instanceof HoldfastError ? error.exitStatus : 1;
  }
});

async function main(signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      states: { type: 'string', default: '1200' },
      seed: { type: 'string' },
      again: { type: 'string', default: '24' },
      boots: { type: 'string', default: '4' },
      jobs: { type: 'string' },
      break: { type: 'string' },
      sound: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const unknown = positionals.filter((name) => TESTED.every((scenario) => scenario.name !== name));
  if (unknown.length > 0) throw new HoldfastError('HF-USAGE', `there is no ${unknown.join(', ')}`, { hint: USAGE });
  const breakage = values.break;
  if (breakage !== undefined && !isBreakage(breakage)) {
    throw new HoldfastError('HF-USAGE', `nothing is broken by ${breakage}`, { hint: USAGE });
  }
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : count('seed', values.seed);
  const say = (line: string) => process[values.json ? 'stderr' : 'stdout'].write(`${line}\n`);
  say(`seed ${seed}`);
  const common = {
    seed,
    signal,
    recordOnly: values.record,
    ...(values.jobs === undefined ? {} : { jobs: count('jobs', values.jobs) }),
    log: (line: string) => say(`  ${line}`),
  };
  const show = (result: CrashTestResult) => {
    const failed = formatFailures(result.failures);
    if (!values.record) {
      say(['', formatTable(result.rows), '', ...failed, `seed ${seed}, ${result.seconds.toFixed(0)} s`].join('\n'));
    }
  };
  const scenarios = TESTED.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const result = await crashTest({
    ...common,
    scenarios,
    states: count('states', values.states),
    again: count('again', values.again),
    boots: count('boots', values.boots),
    ...(breakage === undefined ? {} : { breakage }),
  });
  show(result);
  const unnoticed: string[] = [];
  if (breakage === undefined && positionals.length === 0 && !values.sound) {
    for (const each of BREAKAGES) {
      say(`\nbroken on purpose: ${each}`);
      const broken = await crashTest({ ...common, ...BROKEN_RUN, breakage: each });
      show(broken);
      if (broken.failures.length === 0 && !values.record) unnoticed.push(each);
    }
    for (const each of unnoticed) say(`error: the tests did not notice ${each}`);
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ seed, unnoticed, ...result }, undefined, 2)}\n`);
  return result.failures.length === 0 && unnoticed.length === 0 ? 0 : 1;
}

/** Enough to notice a broken order. */
const BROKEN_RUN = {
  scenarios: TESTED.filter(({ name }) => name === 'upgrade-again'),
  states: 200,
  again: 0,
  boots: 0,
};

function count(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new HoldfastError('HF-USAGE', `--${name} takes a number, not ${text}`, { hint: USAGE });
}
