// From where something was asked for, by what the environment tells.

import { expect, test } from 'vitest';
import { requestedFrom, requesterOf, thisMoment } from '../../../src/record/requester.ts';

test.each<[string, Record<string, string>, boolean, string]>([
  ['a terminal', { TERM: 'xterm' }, true, 'shell'],
  ['ssh with a command', { SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22' }, false, 'shell'],
  ['sudo in a script', { SUDO_USER: 'ann' }, false, 'shell'],
  ['a unit', { INVOCATION_ID: 'f00', SYSTEMD_EXEC_PID: '42' }, false, 'unit'],
  ['a unit of an older systemd', { INVOCATION_ID: 'f00' }, false, 'unit'],
  ['a unit that a timer started', { INVOCATION_ID: 'f00', TRIGGER_UNIT: 'up.timer' }, false, 'timer'],
  ['a unit that a path started', { INVOCATION_ID: 'f00', TRIGGER_UNIT: 'up.path' }, false, 'unit'],
  ['a terminal whose getty was a unit', { INVOCATION_ID: 'f00', SYSTEMD_EXEC_PID: '7' }, true, 'shell'],
  ['a pod', { KUBERNETES_SERVICE_HOST: '10.43.0.1' }, false, 'kubernetes'],
  ['nothing of all that', {}, false, 'unknown'],
])('%s', (_, environment, hasTerminal, from) => {
  expect(requestedFrom({ environment, hasTerminal, pids: [42, 1] })).toBe(from);
});

test('what the caller knows counts, and this moment is in this boot', () => {
  expect(requesterOf('holdfast run-stage boot', 'boot')).toMatchObject({ from: 'boot', pid: process.pid });
  expect(thisMoment()).toMatchObject({ bootId: expect.stringMatching(/^[0-9a-f]{8}$/) });
});
