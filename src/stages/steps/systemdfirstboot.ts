// `systemd_firstboot`: locale, keymap, time zone and the like, in one call of the tool that systemd has for it.

import { runInRootChecked } from '../shell.ts';
import type { StepHandler } from './handler.ts';

export const systemdFirstboot: StepHandler<'systemd_firstboot'> = {
  key: 'systemd_firstboot',
  describe: (value) => (value.size === 0 ? [] : [firstbootArguments(value).join(' ')]),
  async apply(value, context) {
    if (value.size === 0) return;
    await runInRootChecked(['systemd-firstboot', ...firstbootArguments(value)], context);
  },
};

/** yip v1.4.6: keys in lower case, `true` as an option without a value, sorted. */
export function firstbootArguments(settings: ReadonlyMap<string, string>): string[] {
  return [...settings]
    .map(([key, value]) => (value === 'true' ? `--${key.toLowerCase()}` : `--${key.toLowerCase()}=${value}`))
    .sort();
}
