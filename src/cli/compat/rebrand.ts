// `cos-rebrand`: the menu title that the settings or the running system name, written for GRUB.

import { rebrand } from '../../lifecycle/rebrand.ts';
import { HoldfastError, messageOf } from '../../system/errors.ts';

export async function runRebrand(): Promise<number> {
  try {
    if (process.getuid?.() !== 0) throw new HoldfastError('HF-NOT-ROOT', 'this command requires root privileges');
    const { title } = await rebrand({ environment: process.env, command: 'cos-rebrand' });
    process.stdout.write(`The menu title is ${title}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`cos-rebrand: ${messageOf(error)}\n`);
    return 1;
  }
}
