// `holdfast why`: what made a path what it is, from the image's layer to what was written a minute ago.

import { shownObject } from '../ledger/shown-object.ts';
import type { PathFacts } from '../ledger/why.ts';
import { explainPath } from '../ledger/why.ts';
import { type InspectPathOptions, inspectPath, isUnchanged } from '../lifecycle/inspect-path.ts';
import { VIEW_NAMES } from '../lifecycle/slot-view.ts';
import type { TreeObject } from '../overlay/rebase/tree-object.ts';
import { inspectBooted } from '../slots/booted.ts';
import { HoldfastError } from '../system/errors.ts';
import { labelsOf } from './lifecycle-options.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { workDirectoryOf } from './work-directory.ts';

interface WhyFlags extends SettingsFlags {
  slot?: string;
}

export async function whyCommand(context: CommandContext, [path = '']: string[], flags: WhyFlags): Promise<number> {
  const { reporter, undo } = context;
  const slot = VIEW_NAMES.find((name) => name === flags.slot);
  const options: InspectPathOptions = {
    undo,
    labels: labelsOf(await machineSettings(context, flags)),
    workDirectory: workDirectoryOf(undo, 'why'),
    slot,
    warn: (text) => reporter.events({ type: 'notice', level: 'warning', text }),
  };
  const { facts } = await inspectPath(path, options);
  const why = explainPath(facts);
  const next = slot === undefined ? await nextSystem(path, options, facts) : undefined;
  const nextWhy = next && explainPath(next);
  const nothing = why.answer === 'absent' && (nextWhy === undefined || nextWhy.answer === 'absent');
  if (nothing) {
    throw new HoldfastError('HF-USAGE', `nothing is at ${facts.path}, and nothing was there in the image`, {
      hint: 'holdfast diff lists what differs',
    });
  }
  const value = { outcome: 'ok', answer: why.answer, ...jsonOf(facts), lines: why.lines };
  const after = nextWhy === undefined ? [] : ['after the next reboot:', ...nextWhy.lines];
  reporter.result({ ...value, ...(next && nextWhy && { next: { answer: nextWhy.answer, ...jsonOf(next) } }) }, [
    ...why.lines,
    ...after,
  ]);
  return 0;
}

/** What the system has there that starts at the next reboot, where that is another one. */
async function nextSystem(path: string, options: InspectPathOptions, shown: PathFacts): Promise<PathFacts | undefined> {
  const booted = await inspectBooted();
  if (booted.slot !== 'active' || !booted.replaced) return undefined;
  const { facts } = await inspectPath(path, {
    ...options,
    workDirectory: workDirectoryOf(options.undo, 'why-next'),
    slot: 'active',
  });
  return isToldAlready(shown, facts) ? undefined : facts;
}

/** Whether the next system has nothing else there than what was explained. */
export function isToldAlready(shown: PathFacts, next: PathFacts): boolean {
  const isSameStory = next.difference === undefined || shown.slot === 'live';
  return isSameStory && isUnchanged(shown.inSlot, next.inSlot);
}

function jsonOf(facts: PathFacts): Record<string, unknown> {
  const { path, real, place, slot, inImage, inSlot, running, image, layer, difference, origin, bootChange } = facts;
  const object = (one: TreeObject | undefined) => (one === undefined ? null : shownObject(real, one));
  return {
    path,
    real,
    place,
    slot,
    ...(facts.imageUnknown !== true && { inImage: object(inImage) }),
    inSlot: object(inSlot),
    ...(running !== undefined && { running: object(running.object), isSameAsSlot: running.isSameAsSlot }),
    ...(image !== undefined && { image }),
    ...(layer !== undefined && { layer }),
    ...(facts.package !== undefined && { package: facts.package }),
    ...(facts.leadsTo !== undefined && { leadsTo: facts.leadsTo }),
    ...(difference !== undefined && {
      difference: {
        kind: difference.kind,
        fields: difference.fields,
        cause: difference.cause,
        earlier: difference.earlier,
      },
    }),
    ...(origin !== undefined && { origin }),
    ...(facts.liveSince !== undefined && { liveSince: facts.liveSince }),
    ...(bootChange !== undefined && { bootChange }),
  };
}
