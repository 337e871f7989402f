#!/usr/bin/env node
// The entry of the program: hands the command line to the commands and turns the outcome into an exit status.
// Everything but the version is loaded when it is needed; the executable starts in milliseconds because of that.

import { VERSION } from './cli/version.ts';

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  process.stdout.write(`holdfast ${VERSION}\n`);
} else if (args[0] === 'compat') {
  const { runCompat } = await import('./cli/compat/run.ts');
  process.exitCode = await runCompat(args.slice(1));
} else {
  const { runCli } = await import('./cli/program.ts');
  process.exitCode = await runCli(args);
}
