// What happens to the machine when an action is done: it is restarted, switched off, or left alone. Only called when
// everything is on the disks and unmounted, so that nothing is lost by whatever way the machine goes down.

import { existsSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { run, runChecked } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import type { Settings } from './settings.ts';

export type PowerAction = 'reboot' | 'poweroff';

/** What the command line has to say about it. */
export interface PowerFlags {
  reboot?: boolean;
  poweroff?: boolean;
}

/** As long as every generation before waits. */
const COUNTDOWN_SECONDS = 5;

/**
 * What flags and settings choose; a flag counts more than any setting.
 * @throws HoldfastError HF-USAGE when both are chosen in one place.
 */
export function choosePower(flags: PowerFlags, settings?: Settings): PowerAction | undefined {
  if (flags.reboot && flags.poweroff) {
    throw new HoldfastError('HF-USAGE', 'a machine is either restarted or switched off: --reboot and --poweroff', {
      hint: 'use one of the two',
    });
  }
  if (flags.reboot) return 'reboot';
  if (flags.poweroff) return 'poweroff';
  const [reboot, poweroff] = [settings?.get('reboot'), settings?.get('poweroff')];
  if (reboot?.value && poweroff?.value) {
    throw new HoldfastError(
      'HF-USAGE',
      `a machine is either restarted or switched off: reboot (${reboot.origin.text}) and poweroff (${poweroff.origin.text})`,
      { hint: 'set one of the two' },
    );
  }
  return reboot?.value ? 'reboot' : poweroff?.value ? 'poweroff' : undefined;
}

export interface PowerOptions {
  events: EventSink;
  /** Aborted by Ctrl-C: the countdown stops and the machine stays on. */
  signal: AbortSignal;
  countdownSeconds?: number;
  /** Takes the machine down; default: {@link takeDown}. */
  perform?: (action: PowerAction) => Promise<void>;
}

/**
 * Counts down and takes the machine down.
 * @returns false when the countdown was stopped.
 */
export async function powerDown(action: PowerAction, options: PowerOptions): Promise<boolean> {
  const { events, signal, countdownSeconds = COUNTDOWN_SECONDS, perform = takeDown } = options;
  const what = action === 'reboot' ? 'Rebooting' : 'Shutting down';
  const notice = (text: string) => events({ type: 'notice', level: 'info', text });
  notice(`${what} in ${countdownSeconds} seconds (CTRL+C to cancel)`);
  if (!(await passes(countdownSeconds * 1000, signal))) {
    notice(`stopped: everything is done, the machine stays on; ${action} it when it suits you`);
    return false;
  }
  await perform(action);
  return true;
}

/** Waits; false when the signal came first. */
function passes(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const onAbort = () => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve(true);
    }, milliseconds);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** By systemd where it runs, so that services end in order; else at once. */
export async function takeDown(action: PowerAction): Promise<void> {
  await run(['sync']);
  if (existsSync('/run/systemd/system')) await runChecked(['systemctl', action]);
  else await runChecked([action, '-f']);
}

/** systemd-shutdown(8) runs what is there when everything is unmounted. */
const SHUTDOWN_SCRIPT = '/usr/lib/systemd/system-shutdown/eject';

/**
 * Sees to it that the medium which a live system runs from is ejected when that system ends, so that firmware doesn't
 * start it again.
 * @param root of the live system.
 * @param commandLine the kernel's; only with `cdroot` in it (cOS's live media) there is a medium to eject.
 * @returns a warning where it can't be done.
 */
export function ejectAtShutdown(root: Root, commandLine: string): string | undefined {
  if (!commandLine.split(/\s+/).includes('cdroot')) {
    return 'no medium is ejected: this system does not run from one (there is no cdroot on the kernel command line)';
  }
  if (!root.exists('/usr/bin/eject')) return 'no medium is ejected: this system has no /usr/bin/eject';
  root.writeFile(SHUTDOWN_SCRIPT, '#!/bin/sh\n/usr/bin/eject -rmF\n', { mode: 0o744 });
  return undefined;
}
