// What a request is called: its step's name is in logs, the record, the ledger and every report, where no password may be.

import { expect, test } from 'vitest';
import { describeRequest } from '../../../src/owner/request.ts';
import { PASSWORD, SECRET_COMMANDS } from '../system/secret-commands.ts';

const name = (text: string) => describeRequest({ kind: 'command', text });

test.each(SECRET_COMMANDS.filter(([text]) => text.includes(PASSWORD)))('no password is in the name of %j', (text) => {
  expect(name(text)).not.toContain(PASSWORD);
  expect(name(`: ${'x'.repeat(20)}; ${text}`)).not.toContain(PASSWORD.slice(0, 4));
});

test.each([
  ["echo 'root:Hunter22x' | chpasswd", "Command echo 'root:***' | chpasswd"],
  ['curl -u bob:Hunter22x -o /opt/x https://x', 'Command curl -u bob:*** -o /opt/x https://x'],
  ['systemctl enable nginx', 'Command systemctl enable nginx'],
  ["echo 'a b' > /etc/x", "Command echo 'a b' > /etc/x"],
  ['set -e\nexit 0', 'Command set -e…'],
])('%j is called %j', (text, expected) => {
  expect(name(text)).toBe(expected);
});
