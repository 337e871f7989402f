// `timesyncd`: settings of systemd-timesyncd as a drop-in of our own, so that the distribution's file stays as it is.

import { placeText } from '../placement.ts';
import type { StepHandler } from './handler.ts';

/** The name that yip v1.12 uses, so that a system that changes over doesn't keep two. */
const DROP_IN = '/etc/systemd/timesyncd.conf.d/10-yip.conf';

export const timesyncd: StepHandler<'timesyncd'> = {
  key: 'timesyncd',
  describe: (value) => [`set ${[...value.keys()].join(', ')} of systemd-timesyncd`],
  apply(value, { root, changed }) {
    if (value.size === 0) return;
    placeText(root, DROP_IN, mergeTimeSection(root.readTextIfThere(DROP_IN) ?? '', value)).forEach(changed);
  },
};

/** Sets keys in the section [Time]; what else is in the file stays. */
export function mergeTimeSection(text: string, settings: ReadonlyMap<string, string>): string {
  const lines = text === '' ? ['[Time]'] : text.replace(/\n$/, '').split('\n');
  let start = lines.findIndex((line) => line.trim() === '[Time]');
  if (start < 0) start = lines.push('[Time]') - 1;
  const next = lines.findIndex((line, index) => index > start && line.trim().startsWith('['));
  const section = lines.slice(start + 1, next < 0 ? undefined : next);
  for (const [key, value] of settings) {
    const at = section.findIndex((line) => line.split('=')[0]?.trim() === key);
    if (at < 0) section.push(`${key}=${value}`);
    else section[at] = `${key}=${value}`;
  }
  return `${[...lines.slice(0, start + 1), ...section, ...(next < 0 ? [] : lines.slice(next))].join('\n')}\n`;
}
