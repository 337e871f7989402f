// `npm run vm`: boots the machine that `npm start` made and connects this terminal to its serial console, boot menu
// included. What is changed in it stays changed.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { interruptible } from '../src/cli/interrupt.ts';
import { renderError } from '../src/cli/reporter.ts';
import { HoldfastError, messageOf } from '../src/system/errors.ts';
import { demoMachineDirectory, demoMachineDisk } from './cache.ts';
import type { Disk } from './machine/command-line.ts';
import { Machine } from './machine/machine.ts';

/** Ctrl-], as telnet and virsh have it. */
const LEAVE = 0x1d;
const say = (text: string) => process.stdout.write(`${text}\r\n`);

async function show(signal: AbortSignal): Promise<void> {
  const disk = demoMachineDisk();
  if (!existsSync(disk)) {
    throw new HoldfastError('HF-NO-SOURCE', 'there is no demo machine yet', { hint: 'make one with `npm start`' });
  }
  const disks: Disk[] = [{ file: disk, serial: 'system' }];
  const delivery = join(demoMachineDirectory(), 'delivery.img');
  if (existsSync(delivery)) disks.push({ file: delivery, readOnly: true, serial: 'delivery' });
  const machine = await Machine.boot({ disks, logFile: join(demoMachineDirectory(), 'shell.log'), bootMenu: 'keep' });
  say(`==> ${disk} (${machine.accelerator}); Ctrl-] switches it off and leaves, twice cuts the power`);
  machine.onOutput((chunk) => process.stdout.write(chunk));
  await new Promise<void>((resolve) => {
    let leaving = false;
    const leave = () => {
      if (leaving) {
        void machine.powerCut();
        return;
      }
      leaving = true;
      say('\r\n==> switching it off');
      machine.powerOff().catch((error: unknown) => {
        say(`==> ${messageOf(error).split(';')[0] ?? ''}; cutting the power`);
        void machine.powerCut();
      });
    };
    signal.addEventListener('abort', leave);
    process.stdin.on('data', (chunk: Buffer) => {
      const at = chunk.indexOf(LEAVE);
      machine.send(chunk.subarray(0, at < 0 ? chunk.length : at).toString());
      if (at >= 0) leave();
    });
    process.stdin.on('end', leave);
    void machine.untilOff().then(resolve);
  });
  say('\r\n==> it is off');
}

process.exitCode = await interruptible(async (signal) => {
  if (process.stdin.isTTY) process.stdin.setRawMode(true);
  try {
    await show(signal);
    return 0;
  } catch (error) {
    process.stderr.write(`${renderError(error)}\r\n`);
    return error instanceof HoldfastError ? error.exitStatus : 1;
  } finally {
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    process.stdin.pause();
  }
});
