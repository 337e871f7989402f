// `systemctl`: drop-ins first, so that a unit starts with them, then enable, disable, mask and start. In a mounted system
// its own systemctl makes the links, and nothing is started.

import { HoldfastError } from '../../system/errors.ts';
import { placeText } from '../placement.ts';
import { runInRootChecked } from '../shell.ts';
import { attempt, type StepContext, type StepHandler, type StepValue } from './handler.ts';

const VERBS = ['enable', 'disable', 'mask', 'start'] as const;
/** systemd.unit(5). A name without one of these is a service. */
const UNIT_SUFFIX = /\.(?:service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$/;
const DEFAULT_NAME = 'override-yip.conf';

type Override = NonNullable<StepValue<'systemctl'>['overrides']>[number];

export const systemctl: StepHandler<'systemctl'> = {
  key: 'systemctl',
  describe: (value) => [
    ...(value.overrides ?? []).map((override) => `write ${overridePath(override) ?? 'a drop-in'}`),
    ...VERBS.flatMap((verb) => (value[verb] ?? []).map((unit) => `${verb} ${unit}`)),
  ],
  async apply(value, context) {
    let written = 0;
    for (const override of value.overrides ?? []) written += writeOverride(override, context);
    // Only the systemd that runs this very root has anything to reload.
    if (written > 0 && context.root.isHost && context.root.exists('/run/systemd/system')) {
      await attempt(context, () => runInRootChecked(['systemctl', 'daemon-reload'], context));
    }
    for (const verb of VERBS) {
      for (const unit of value[verb] ?? []) {
        if (verb === 'start' && !context.root.isHost) {
          context.warn(`systemctl: ${unit} is not started: the system in this root does not run`);
        } else {
          // yip hands it to a shell: several units, or an option before one, are words of one entry.
          const words = unit.trim().split(/\s+/);
          await attempt(context, () => runInRootChecked(['systemctl', verb, ...words], listingLinks(context)));
        }
      }
    }
  },
};

/** A context in which the links that systemctl says to have made or removed are listed as changed. */
function listingLinks(context: StepContext): StepContext {
  return {
    ...context,
    // A systemd on the other side of the root's /run is not the one of the root.
    ...(context.root.isHost ? {} : { env: { ...context.env, SYSTEMD_OFFLINE: '1' } }),
    events: (event) => {
      if (event.type === 'output') {
        const path = event.text.match(/^Created symlink "?(\/.*?)"? (?:→|->) |^Removed "?(\/.*?)"?\.$/);
        if (path !== null) context.linked(path[1] ?? path[2] ?? '');
      }
      context.events(event);
    },
  };
}

function writeOverride(override: Override, context: StepContext): number {
  const path = overridePath(override);
  if (path === undefined || !override.content) {
    context.warn('systemctl: an override without service or content is skipped');
    return 0;
  }
  try {
    if (/\//.test(`${override.service}${override.name ?? ''}`)) {
      throw new HoldfastError('HF-CONFIG', `${override.service}: the name of a unit or a drop-in has no "/"`);
    }
    const placed = placeText(context.root, path, override.content);
    placed.forEach(context.changed);
    return placed.length;
  } catch (error) {
    context.fail(error);
    return 0;
  }
}

/** Where a drop-in belongs. yip makes `foo.timer.service.d` of a timer; any unit is meant as it is named. */
export function overridePath({ service = '', name = '' }: Override): string | undefined {
  if (service === '') return undefined;
  const unit = UNIT_SUFFIX.test(service) ? service : `${service}.service`;
  const file = name === '' ? DEFAULT_NAME : name.endsWith('.conf') ? name : `${name}.conf`;
  return `/etc/systemd/system/${unit}.d/${file}`;
}
