// `timesyncd`: settings of systemd-timesyncd as a drop-in of our own, so that the distribution's file stays as it is.

import { HoldfastError } from '../../system/errors.ts';
import { placeText } from '../placement.ts';
import type { StepHandler } from './handler.ts';

/** The name that yip v1.12 uses, so that a system that changes over doesn't keep two. */
const DROP_IN = '/etc/systemd/timesyncd.conf.d/10-yip.conf';

export const timesyncd: StepHandler<'timesyncd'> = {
  key: 'timesyncd',
  describe: (value) => (value.size === 0 ? [] : [`set ${[...value.keys()].join(', ')} of systemd-timesyncd`]),
  apply(value, { root, changed, fail }) {
    const settings = new Map([...value].filter(([key, text]) => isSetting(key, text, fail)));
    if (settings.size === 0) return;
    placeText(root, DROP_IN, mergeTimeSection(root.readTextIfThere(DROP_IN) ?? '', settings)).forEach(changed);
  },
};

function isSetting(key: string, text: string, fail: (error: unknown) => void): boolean {
  if (/^\w+$/.test(key) && !/[\r\n]/.test(text)) return true;
  fail(new HoldfastError('HF-CONFIG', `${JSON.stringify(`${key}=${text}`)} can't be a setting of systemd-timesyncd`));
  return false;
}

/** Sets keys in the section [Time]; what else is in the file stays. */
export function mergeTimeSection(text: string, settings: ReadonlyMap<string, string>): string {
  const lines = text === '' ? ['[Time]'] : text.replace(/\n$/, '').split('\n');
  let start = lines.findIndex((line) => line.trim() === '[Time]');
  if (start < 0) start = lines.push('[Time]') - 1;
  const next = lines.findIndex((line, index) => index > start && line.trim().startsWith('['));
  const pending = new Map(settings);
  const section = lines.slice(start + 1, next < 0 ? undefined : next).flatMap((line) => {
    const key = line.split('=')[0]?.trim() ?? '';
    if (!settings.has(key)) return [line];
    const value = pending.get(key);
    pending.delete(key);
    // systemd adds up the values of a key that is given more than once.
    return value === undefined ? [] : [`${key}=${value}`];
  });
  const added = [...pending].map(([key, value]) => `${key}=${value}`);
  return `${[...lines.slice(0, start + 1), ...section, ...added, ...(next < 0 ? [] : lines.slice(next))].join('\n')}\n`;
}
