// `hostname`: the running kernel's name (through the root's /proc, as in the initramfs, where the rest of the system
// is still only mounted), /etc/hostname, and the name beside localhost in /etc/hosts.

import { writeFileSync } from 'node:fs';
import { HoldfastError } from '../../system/errors.ts';
import { placeText } from '../placement.ts';
import { expandOrThrow } from '../templates.ts';
import { attempt, type StepContext, type StepHandler } from './handler.ts';

const KERNEL_NAME = '/proc/sys/kernel/hostname';

export const hostname: StepHandler<'hostname'> = {
  key: 'hostname',
  describe: (value) => (value === '' ? [] : [`set the host name to ${value}`]),
  async apply(value, context) {
    const { root, changed, edited } = context;
    if (value === '') return;
    // A block scalar ends with a line break.
    const name = (await expandOrThrow(value, 'hostname', withMachineId(value, context))).trim();
    checkName(name);
    await attempt(context, () => {
      if (!root.exists(KERNEL_NAME) || root.readText(KERNEL_NAME).trim() === name) return;
      writeFileSync(root.resolve(KERNEL_NAME), name);
    });
    const previous = root.readTextIfThere('/etc/hostname')?.trim() ?? '';
    await attempt(context, () => placeText(root, '/etc/hostname', `${name}\n`).forEach(changed));
    await attempt(context, () => {
      placeText(root, '/etc/hosts', hostsWithName(root.readTextIfThere('/etc/hosts'), name, previous)).forEach(edited);
    });
  },
};

/**
 * A name that is made of the machine id would be the same on all machines that haven't got one yet, as in the initramfs
 * of a first boot: then an id that stands for the hardware takes its place.
 */
function withMachineId(text: string, context: StepContext): Pick<StepContext, 'facts' | 'warn'> {
  const { facts, warn } = context;
  if (!/MachineID|ProtectedID|machineid/.test(text) || facts.machineId !== '') return context;
  const standIn = facts.withStandInId();
  if (standIn === undefined) {
    warn('hostname: the machine has no id yet, and nothing else that tells it from others');
    return context;
  }
  warn("hostname: the machine has no id yet; one made of its hardware's numbers is used in the name");
  return { facts: standIn, warn };
}

/** RFC 1123 labels, 64 bytes at most (Linux: HOST_NAME_MAX). */
function checkName(name: string): void {
  const label = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/;
  if (name.length <= 64 && name.split('.').every((part) => part.length <= 63 && label.test(part))) return;
  throw new HoldfastError('HF-CONFIG', `${JSON.stringify(name)} can't be a host name`, {
    hint: 'letters, digits and "-" only, parts separated by ".", 64 characters at most',
  });
}

/**
 * Adds the name to the first line of 127.0.0.1, and `localhost` before the others, unless one has them; a missing file
 * becomes that line. The name that the machine had before gives way to the new one, other aliases stay.
 */
export function hostsWithName(text: string | undefined, name: string, previous = ''): string {
  if (text === undefined) return `127.0.0.1 localhost ${name}\n`;
  const lines = text.split('\n');
  const local = lines.flatMap((line, index) => (wordsOf(line)[0] === '127.0.0.1' ? [index] : []));
  const [first] = local;
  if (first === undefined) return text;
  const aliases = local.flatMap((index) => wordsOf(lines[index] ?? '').slice(1));
  const [hasLocalhost, hasName] = [aliases.includes('localhost'), aliases.includes(name)];
  if (hasLocalhost && hasName) return text;
  const line = lines[first] ?? '';
  const comment = line.indexOf('#');
  const old = (comment < 0 ? line : line.slice(0, comment)).trimEnd();
  const entry = hasLocalhost ? old : old.replace('127.0.0.1', '127.0.0.1 localhost');
  const rest = comment < 0 ? '' : ` ${line.slice(comment)}`;
  const isOld = previous !== '' && previous !== 'localhost' && wordsOf(entry).slice(1).includes(previous);
  const pieces = entry.split(/(\s+)/);
  const renamed = pieces.map((piece) => (piece === previous ? name : piece)).join('');
  lines[first] = `${hasName ? entry : isOld ? renamed : `${entry} ${name}`}${rest}`;
  return lines.join('\n');
}

function wordsOf(line: string): string[] {
  return line.replace(/#.*/, '').trim().split(/\s+/);
}
