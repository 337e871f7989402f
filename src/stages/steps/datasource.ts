// `datasource`: what a cloud, a medium or a file says about this machine. The first provider of the list that is there
// is the one; its facts go to /run/config, its user data to a directory that stages read (or is run, being a script),
// its host name and keys take effect at once, with user data or without.

import { nearestWord } from '../../cloudconfig/suggestion.ts';
import { HoldfastError } from '../../system/errors.ts';
import type { Choice } from '../datasource/choice.ts';
import type { Provider, ProviderContext } from '../datasource/provider.ts';
import { HOSTNAME_FILE, KEYS_FILE, RUN_CONFIG, RunConfig } from '../datasource/runconfig.ts';
import { authorizedKeys } from './authorizedkeys.ts';
import { attempt, type StepContext, type StepHandler, type StepValue } from './handler.ts';
import { hostname } from './hostname.ts';

type Wish = StepValue<'datasource'>;

const DEFAULT_NAME = 'userdata.yaml';

export const datasource: StepHandler<'datasource'> = {
  key: 'datasource',
  describe: ({ providers = [], path }) =>
    providers.length === 0
      ? []
      : [`ask ${[...new Set(providers)].join(', ')} for user data, and keep it in ${path || RUN_CONFIG}`],
  async apply(value, context) {
    if (!value.providers?.length) return;
    const name = value.userdata_name || DEFAULT_NAME;
    if (/[/\0]/.test(name) || name === '.' || name === '..') {
      throw new HoldfastError('HF-CONFIG', `userdata_name: ${JSON.stringify(name)} can't be the name of a file`);
    }
    const choice = await choose(value, context);
    if (choice === undefined) return;
    await use(choice, { base: choice.provider.name === 'file' ? RUN_CONFIG : value.path || RUN_CONFIG, name }, context);
  },
};

/** Loaded when there is something to look for: few steps have this key, and the providers are many. */
async function choose(value: Wish, context: StepContext): Promise<Choice | undefined> {
  const [{ providers: known }, { chooseProvider }] = await Promise.all([
    import('../datasource/all.ts'),
    import('../datasource/choice.ts'),
  ]);
  const names = [...new Set(value.providers)];
  const wanted = names.flatMap((name): Provider[] => {
    const provider = known.get(name);
    if (provider === undefined) warnOfUnknown(name, known.keys(), context);
    else if (name === 'file' && !value.path) context.warn('datasource: the provider "file" needs a path');
    else return [provider];
    return [];
  });
  const { root, http, signal, env, warn, fail } = context;
  const about: ProviderContext = {
    root,
    http,
    signal,
    env,
    warn: (message) => warn(`datasource: ${message}`),
    fail,
    path: value.path ?? '',
    // Those of the machine, whatever tree the step acts on.
    media: { devices: '/sys/class/block', nodes: '/dev' },
  };
  const choice = await chooseProvider(wanted, about);
  // Stock files ask four clouds on every machine that isn't in one.
  if (choice === undefined) context.warn(`datasource: no provider has anything for this machine (${names.join(', ')})`);
  return choice;
}

function warnOfUnknown(name: string, known: Iterable<string>, { warn }: StepContext): void {
  const names = [...known];
  const near = nearestWord(name, names);
  warn(`datasource: the provider "${name}" is not known (${near ? `did you mean "${near}"?` : names.join(', ')})`);
}

interface Target {
  base: string;
  name: string;
}

async function use({ provider, fetch }: Choice, target: Target, context: StepContext): Promise<void> {
  context.events({ type: 'notice', level: 'info', text: `datasource: ${provider.name} has data for this machine` });
  const instance = await fetch();
  const files = new RunConfig(context.root, context.changed);
  files.writeInstance(provider.name, instance);
  if (instance.userData !== undefined) {
    const { userData } = instance;
    const { applyUserData } = await import('../datasource/apply.ts');
    await attempt(context, () => applyUserData(userData, target, files, context));
  }
  await applyHostname(context);
  await applyKeys(context);
}

/** The host name that is in /run/config now: a script of the user data may have a say in it. */
async function applyHostname(context: StepContext): Promise<void> {
  // Some services list several names, and some names are longer than Linux allows.
  const [name = ''] = (context.root.readTextIfThere(HOSTNAME_FILE) ?? '').trim().split(/\s+/);
  const short = name.length > 64 ? (name.split('.')[0] ?? '') : name;
  if (short.includes('{{')) {
    context.fail(new HoldfastError('HF-CONFIG', `${JSON.stringify(short)} can't be a host name`));
    return;
  }
  await attempt(context, () => hostname.apply(short, context));
}

async function applyKeys(context: StepContext): Promise<void> {
  const lines = (context.root.readTextIfThere(KEYS_FILE) ?? '')
    .split('\n')
    .map((line) => line.trim())
    // Addresses to fetch keys from are for those who write stage files.
    .filter((line) => line !== '' && !line.startsWith('#') && !/^[\w+.-]+:/.test(line));
  if (lines.length === 0) return;
  if (!/^root:/m.test(context.root.readTextIfThere('/etc/passwd') ?? '')) {
    // An initrd may do without users.
    context.warn('datasource: there is no user root here, to whom the keys would belong');
    return;
  }
  await authorizedKeys.apply(new Map([['root', lines]]), context);
}
