// One wrong input for each lifecycle command: refused before anything of the machine is looked at or locked.

import { afterEach, expect, test, vi } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';

afterEach(() => vi.restoreAllMocks());

test.each<[string[], string]>([
  [['boot', '--once', 'third'], '"third" is no slot'],
  [['boot', '--default', 'fallback'], 'one of active, passive, recovery'],
  [['upgrade', 'a', '--system', 'b'], 'two images are named: a and b'],
  [['upgrade', '--recovery-system', 'a', '--recovery-system.uri', 'b'], 'two images for the recovery system are named'],
  [['apply', '--live', '--take', 'both'], '--take is mine:NUMBER or new:NUMBER'],
  [['apply', '--reboot', '--poweroff'], 'a machine is either restarted or switched off'],
  [['reset', '--reboot', '--poweroff'], 'a machine is either restarted or switched off'],
  [['reset', '-c', '/no/such.yaml'], 'the stage file /no/such.yaml does not exist'],
  [['deploy', 'a', '--docker-image', 'b'], 'two images are named: a and docker:b'],
  [['rollback', '--wipe'], "unknown option '--wipe'"],
  [['history', '--last', 'some'], '--last "some" is no number'],
  [['record', '--all'], "unknown option '--all'"],
  [['status', '--exit-code'], "unknown option '--exit-code'"],
  [['state', '--repair'], "unknown option '--repair'"],
])('holdfast %j', async (args, said) => {
  let text = '';
  const take = (chunk: unknown) => {
    text += String(chunk);
    return true;
  };
  vi.spyOn(process.stderr, 'write').mockImplementation(take);
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  vi.spyOn(process, 'getuid').mockReturnValue(0);
  expect(await runCli(args)).toBe(1);
  expect(text).toContain(said);
});
