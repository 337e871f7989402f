// Makes what booted tests share before any of them runs, so that its progress is seen and its time counts once.

import { interruptible } from '../src/cli/interrupt.ts';
import { renderError } from '../src/cli/reporter.ts';
import { HoldfastError } from '../src/system/errors.ts';
import { ensureDemoImages } from './demo/images.ts';
import { ensurePackageRepository } from './packages/repository.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);

process.exitCode = await interruptible(async (signal) => {
  try {
    await ensurePackageRepository({ log, signal });
    await ensureDemoImages({ log, signal });
    return 0;
  } catch (error) {
    process.stderr.write(`${renderError(error)}\n`);
    return error instanceof HoldfastError ? error.exitStatus : 1;
  }
});
