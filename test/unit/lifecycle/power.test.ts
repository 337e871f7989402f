// Restarting and switching off: who chooses it, the countdown that can be stopped, and the medium that is ejected.

import { describe, expect, test } from 'vitest';
import { choosePower, ejectAtShutdown, type PowerFlags, powerDown } from '../../../src/lifecycle/power.ts';
import { loadSettings } from '../../../src/lifecycle/settings.ts';
import type { Event } from '../../../src/system/events.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

describe('who chooses', () => {
  test.each<[PowerFlags, string, string | undefined]>([
    [{}, '', undefined],
    [{ reboot: true }, '', 'reboot'],
    [{ poweroff: true }, 'reboot: true', 'poweroff'],
    [{}, 'reboot: true', 'reboot'],
    [{}, 'poweroff: true\nreboot: false', 'poweroff'],
  ])('flags %j and settings %j: %s', async (flags, text, action) => {
    const settings = await loadSettings({ root: temporaryRoot({ '/etc/elemental/config.yaml': text }) });
    expect(choosePower(flags, settings)).toBe(action);
  });

  test('both are refused, with where they come from', async () => {
    expect(() => choosePower({ reboot: true, poweroff: true })).toThrow('--reboot and --poweroff');
    const root = temporaryRoot({ '/etc/elemental/config.yaml': 'reboot: true\npoweroff: true' });
    const settings = await loadSettings({ root });
    expect(() => choosePower({}, settings)).toThrow(
      'reboot (/etc/elemental/config.yaml:1) and poweroff (/etc/elemental/config.yaml:2)',
    );
    expect(choosePower({ reboot: true }, settings)).toBe('reboot');
  });
});

describe('the countdown', () => {
  async function count(signal: AbortSignal, countdownSeconds = 0) {
    const said: string[] = [];
    const done: string[] = [];
    const went = await powerDown('reboot', {
      events: (event: Event) => said.push(event.type === 'notice' ? event.text : ''),
      signal,
      countdownSeconds,
      perform: async (action) => {
        done.push(action);
      },
    });
    return { went, said, done };
  }

  test('is announced, then the machine goes down', async () => {
    expect(await count(new AbortController().signal)).toEqual({
      went: true,
      said: ['Rebooting in 0 seconds (CTRL+C to cancel)'],
      done: ['reboot'],
    });
  });

  test('Ctrl-C stops it', async () => {
    const controller = new AbortController();
    const counting = count(controller.signal, 3600);
    controller.abort();
    expect(await counting).toMatchObject({ went: false, done: [] });
    expect((await count(controller.signal)).said.at(-1)).toContain('the machine stays on');
  });
});

describe('the medium', () => {
  const commandLine = 'BOOT_IMAGE=/boot/kernel cdroot root=live:CDLABEL=COS_LIVE';
  test('is ejected when the live system ends', () => {
    const root = temporaryRoot({ '/usr/bin/eject': '' });
    expect(ejectAtShutdown(root, commandLine)).toBeUndefined();
    expect(root.readText('/usr/lib/systemd/system-shutdown/eject')).toBe('#!/bin/sh\n/usr/bin/eject -rmF\n');
    expect((root.stat('/usr/lib/systemd/system-shutdown/eject')?.mode ?? 0) & 0o777).toBe(0o744);
  });
  test('is not where there is none, or no program, which is said', () => {
    const root = temporaryRoot();
    expect(ejectAtShutdown(root, 'root=LABEL=COS_STATE')).toContain('does not run from one');
    expect(ejectAtShutdown(root, commandLine)).toContain('has no /usr/bin/eject');
    expect(root.exists('/usr/lib/systemd/system-shutdown/eject')).toBe(false);
  });
});
