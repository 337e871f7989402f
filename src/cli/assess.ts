// `holdfast assess`: whether this system works; run by a unit after a boot that is being assessed, and by anybody who
// writes checks.

import { assess } from '../lifecycle/assess.ts';
import { readBootReport } from '../lifecycle/boot-report.ts';
import { refreshBanner } from '../lifecycle/login-banner.ts';
import type { Labels } from '../slots/names.ts';
import { messageOf } from '../system/errors.ts';
import { oneLine } from '../system/oneline.ts';
import { tellConsoles } from './console-line.ts';
import { labelsOf, runOptions } from './lifecycle-options.ts';
import type { CommandContext } from './program.ts';
import { machineSettings } from './settings-option.ts';

interface AssessFlags {
  dryRun?: boolean;
  expired?: boolean;
  broken?: boolean;
}

export async function assessCommand(context: CommandContext, _: string[], flags: AssessFlags): Promise<number> {
  const { reporter } = context;
  const options = { ...runOptions(context, flags), ...(await ownLabels(context)) };
  const carefully = (what: string, work: () => void) => {
    try {
      work();
    } catch (error) {
      reporter.events({ type: 'notice', level: 'warning', text: `${what}: ${messageOf(error)}` });
    }
  };
  const { boot, outcome, probes, reason, warnings } = await assess(
    {
      expired: flags.expired ?? false,
      broken: flags.broken ?? false,
      tell: (line) => carefully('the console can’t be told', () => tellConsoles(oneLine(line, 300))),
    },
    options,
  );
  if (outcome !== 'planned' && boot !== 'none') {
    carefully('the login banner can’t be written', () => refreshBanner(readBootReport()));
  }
  const rows = probes.map(({ name, outcome: found, message, outputTail }) =>
    [
      `  ${outcome === 'planned' ? 'would look at' : found === 'ok' ? 'ok    ' : 'FAILED'} ${name}${message === '' || outcome === 'planned' ? '' : `: ${message}`}`,
      ...(outputTail === undefined ? [] : outputTail.split('\n').map((line) => `           | ${line}`)),
    ].join('\n'),
  );
  reporter.result({ boot, outcome, probes, reason, warnings }, [HEADLINES[outcome](reason), ...rows]);
  return outcome === 'failed' ? 1 : 0;
}

/** A settings file that can't be read is no reason to give no verdict. */
async function ownLabels(context: CommandContext): Promise<{ labels?: Labels }> {
  try {
    return { labels: labelsOf(await machineSettings(context, {})) };
  } catch (error) {
    context.reporter.events({ type: 'notice', level: 'warning', text: messageOf(error) });
    return {};
  }
}

const HEADLINES = {
  ok: (reason?: string) => `This system works${reason === undefined ? '.' : ` (${reason}).`}`,
  failed: (reason?: string) => `This system does not work: ${reason}.`,
  fallback: (reason?: string) => `This is the fallback: the active system failed: ${reason}.`,
  'put-back': (reason?: string) => `Nothing was assessed: ${reason}.`,
  planned: () => 'Nothing was run. To prove that it works, this system must pass:',
};
