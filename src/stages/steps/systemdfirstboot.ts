// `systemd_firstboot`: locale, keymap, time zone and the like, in one call of the tool that systemd has for it. Where that
// is missing, or can't run for want of a /proc, the few files that it would write are written here.

import { HoldfastError } from '../../system/errors.ts';
import type { Root } from '../../system/root.ts';
import { readFact, readLink } from '../facts/section.ts';
import { writeFirstbootFiles } from '../firstbootfiles.ts';
import { describeEnd, runInRoot } from '../shell.ts';
import type { StepContext, StepHandler } from './handler.ts';

/** Everything that the tool writes. */
const FILES = [
  'vconsole.conf',
  'locale.conf',
  'default/locale',
  'localtime',
  'hostname',
  'machine-id',
  'passwd',
  'shadow',
];
const SECRETS = /^--(root-password(?:-hashed)?)=.*/s;

export const systemdFirstboot: StepHandler<'systemd_firstboot'> = {
  key: 'systemd_firstboot',
  describe: (value) => (value.size === 0 ? [] : [firstbootArguments(value).map(conceal).join(' ')]),
  async apply(value, context) {
    if (value.size === 0) return;
    const before = FILES.map((file) => fingerprint(context.root, `/etc/${file}`));
    if (hasTool(context.root)) await runTool(firstbootArguments(value), context);
    else writeFirstbootFiles(value, context);
    for (const [index, file] of FILES.entries()) {
      if (fingerprint(context.root, `/etc/${file}`) === before[index]) continue;
      // Of the account files it sets root's entry.
      if (file === 'passwd' || file === 'shadow') context.edited(`/etc/${file}`);
      else context.changed(`/etc/${file}`);
    }
  },
};

/** yip v1.4.6: keys in lower case, `true` as an option without a value, sorted. */
export function firstbootArguments(settings: ReadonlyMap<string, string>): string[] {
  return [...settings]
    .map(([key, value]) => [key.toLowerCase(), value])
    .filter(([key, value]) => !(key === 'force' && value === 'false'))
    .map(([key, value]) => (value === 'true' ? `--${key}` : `--${key}=${value}`))
    .sort();
}

/** The tool looks at every option before it writes anything: when it refuses, the others get a call of their own. */
async function runTool(options: readonly string[], context: StepContext): Promise<void> {
  const settings = options.filter((option) => option.includes('='));
  const flags = options.filter((option) => !option.includes('='));
  const end = await call(options, context);
  if (end === undefined) return;
  if (settings.length < 2) return context.fail(end);
  for (const setting of settings) {
    const alone = await call([...flags, setting], context);
    if (alone !== undefined) context.fail(alone);
  }
}

async function call(options: readonly string[], context: StepContext): Promise<HoldfastError | undefined> {
  const end = await runInRoot(['systemd-firstboot', ...options], context);
  if (end.status === 0) return undefined;
  const message = `systemd-firstboot ${options.map(conceal).join(' ')} ${describeEnd(end)}`;
  return new HoldfastError('HF-COMMAND', message, { outputTail: end.outputTail });
}

function conceal(option: string): string {
  return option.replace(SECRETS, '--$1=…');
}

function hasTool(root: Root): boolean {
  const installed = ['/usr/bin', '/bin'].some((directory) => root.exists(`${directory}/systemd-firstboot`));
  return installed && root.exists('/proc/self');
}

function fingerprint(root: Root, path: string): string {
  return `${readLink(root, path)}\n${readFact(root, path)}`;
}
