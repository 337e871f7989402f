// `cos-rebrand`: the menu title that the settings or the running system name, written for GRUB.

import { menuTitle, rebrand } from '../../lifecycle/rebrand.ts';
import { HoldfastError, messageOf } from '../../system/errors.ts';
import { Root } from '../../system/root.ts';

export async function runRebrand(): Promise<number> {
  try {
    if (process.getuid?.() !== 0) throw new HoldfastError('HF-NOT-ROOT', 'this command requires root privileges');
    const title = await menuTitle(new Root('/'), process.env);
    await rebrand(title, { command: 'cos-rebrand', now: new Date().toISOString() });
    process.stdout.write(`The menu title is ${title}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`cos-rebrand: ${messageOf(error)}\n`);
    return 1;
  }
}
