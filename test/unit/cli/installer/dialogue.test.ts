// The whole conversation without a terminal: the straight way, every way back, and that no answer becomes anything but
// a value of the stage file.

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Answers, Machine } from '../../../../src/cli/installer/answers.ts';
import { begin, type Dialogue, finished, hear, promptOf, summary } from '../../../../src/cli/installer/dialogue.ts';
import { stageFileOf } from '../../../../src/cli/installer/stage-file.ts';
import { parseCloudConfig } from '../../../../src/cloudconfig/document.ts';
import { KEY, machine } from './machine.ts';

function talk(lines: readonly string[], from: Dialogue = begin(machine)): { dialogue: Dialogue; said: string[] } {
  let dialogue = from;
  const said: string[] = [];
  for (const line of lines) {
    const turn = hear(dialogue, line);
    said.push(...turn.say);
    dialogue = turn.dialogue;
  }
  return { dialogue, said };
}

const PLAIN = ['1', 'kelp', '', 'secret phrase', 'secret phrase', '', '', '', '', '', ''];
const STATIC = [
  '1',
  'kelp',
  'me',
  '',
  KEY,
  'github:me',
  '',
  'static',
  '',
  '192.0.2.10/24',
  '192.0.2.1',
  '192.0.2.53',
  'Europe/Berlin',
  'de',
  'docker:example.org/os:1',
  'poweroff',
];
const file = (answers: Answers) =>
  stageFileOf(answers, {
    hash: (text) => `$6$salt$${Buffer.from(text).toString('hex')}`,
    groups: ['sudo'],
    shell: '/bin/bash',
  });

function answersOf(lines: readonly string[]): Answers {
  const answers = finished(talk(lines).dialogue);
  if (answers === undefined) throw new Error('the dialogue is not at its end');
  return answers;
}

describe('the straight way', () => {
  test('an empty line takes what is in brackets, and nothing is done before the last word', () => {
    const { dialogue } = talk(PLAIN);
    expect(dialogue.at).toBe('summary');
    expect(summary(machine, dialogue.given)).toEqual([
      '   1  disk          /dev/vda, 8.0 GiB, empty: IT WILL BE ERASED',
      '   2  host name     kelp',
      '   3  user          admin',
      '   4  password      set',
      '   5  SSH keys      none',
      '   6  network       dhcp',
      '   7  time zone     UTC',
      '   8  keyboard      us',
      '   9  system        Holdfast demo 1',
      '  10  at the end    reboot',
    ]);
    expect(promptOf(dialogue).prompt).toContain('"erase"');
    for (const word of ['y', 'yes', '', 'ERASE', 'install']) expect(talk([word], dialogue).dialogue.at).toBe('summary');
    expect(talk(['erase'], dialogue).dialogue.at).toBe('install');
  });

  test('its stage file', () => {
    expect(file(answersOf(PLAIN))).toMatchSnapshot();
  });

  test('a static address, keys, an image of a registry', () => {
    const answers = answersOf(STATIC);
    expect(answers).toMatchObject({ image: 'docker:example.org/os:1', end: 'poweroff', keys: [KEY, 'github:me'] });
    expect(file(answers)).toMatchSnapshot();
  });

  test('a disk that is not empty is said to be so', () => {
    expect(talk(['2']).said).toEqual(['/dev/vdb is not empty: not empty (DATA). It will be erased.']);
  });
});

describe('wrong answers are asked again with the reason', () => {
  test.each([
    [[], '9', /no disk "9"/],
    [[], '/dev/vdc', /in use/],
    [[], '', /needed/],
    [['1'], 'my host', /letters, digits and hyphens/],
    [['1', 'kelp'], 'daemon', /of its own/],
    [['1', 'kelp', 'me', ''], '', /nobody could log in/],
    [['1', 'kelp', 'me', ''], 'key', /Paste a line/],
    [PLAIN.slice(0, 6), 'token ring', /dhcp or static/],
    [STATIC.slice(0, 8), 'eth7', /no interface "eth7"/],
    [STATIC.slice(0, 9), '192.0.2.10', /prefix is missing/],
    [STATIC.slice(0, 10), '10.0.0.1', /not in the network/],
    [STATIC.slice(0, 11), 'dns', /by address/],
    [STATIC.slice(0, 12), 'Mars', /no time zone/],
    [STATIC.slice(0, 13), 'xx', /no keyboard layout/],
    [STATIC.slice(0, 14), 'channel:x', /not supported/],
    [STATIC.slice(0, 15), 'sleep', /reboot, poweroff or stay/],
  ])('%#: %s', (before, wrong, why) => {
    const { dialogue } = talk(before);
    const turn = hear(dialogue, wrong);
    expect(turn.say.join(' ')).toMatch(why);
    expect(turn.dialogue).toEqual(dialogue);
  });

  test('two passwords that differ: both are asked for again', () => {
    const { dialogue, said } = talk(['1', 'kelp', 'me', 'one', 'two']);
    expect(dialogue.at).toBe('password');
    expect(said.at(-1)).toBe('The two are not the same.');
  });
});

describe('going back', () => {
  test('< goes to the question before, with the answer as it was', () => {
    const { dialogue } = talk(['1', 'kelp', '<']);
    expect(dialogue.at).toBe('hostname');
    expect(promptOf(dialogue).prompt).toBe('Host name [kelp]: ');
    expect(talk(['<', '<', '<'], dialogue).dialogue.at).toBe('disk');
  });

  test('a number of the summary changes one answer and comes back', () => {
    const { dialogue } = talk([...PLAIN, '2', 'wrack']);
    expect(dialogue).toMatchObject({ at: 'summary', given: { hostname: 'wrack', user: 'admin' } });
  });

  test('a new password is asked for twice; without one a key is wanted', () => {
    expect(talk([...PLAIN, '4', 'another one']).dialogue.at).toBe('passwordAgain');
    expect(talk([...PLAIN, '4', '']).dialogue.at).toBe('keys');
    expect(talk([...PLAIN, '4', '', KEY, '']).dialogue.at).toBe('summary');
  });

  test('a static network in place of DHCP is asked for all of it', () => {
    const { dialogue } = talk([...PLAIN, '6', 'static']);
    expect(dialogue.at).toBe('interface');
    expect(talk(['', '192.0.2.10/24', '', ''], dialogue).dialogue.at).toBe('summary');
  });

  test('another address makes the gateway a question again', () => {
    expect(talk([...STATIC, '8', '10.1.0.5/16']).dialogue.at).toBe('gateway');
  });

  test('quit leaves from everywhere but a password', () => {
    for (let at = 0; at <= PLAIN.length; at += 1) {
      const { dialogue } = talk(PLAIN.slice(0, at));
      const left = hear(dialogue, 'quit').dialogue.at;
      expect(left).toBe(
        promptOf(dialogue).secret ? (dialogue.at === 'password' ? 'passwordAgain' : 'password') : 'left',
      );
    }
  });

  test('? explains and changes nothing', () => {
    for (let at = 0; at <= STATIC.length; at += 1) {
      const { dialogue } = talk(STATIC.slice(0, at));
      const turn = hear(dialogue, '?');
      expect(turn.say.length).toBeGreaterThan(0);
      expect(turn.dialogue).toEqual(dialogue);
    }
  });
});

describe('whatever is typed', () => {
  const typed = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom(
      '1',
      '2',
      'kelp',
      'me',
      'static',
      'dhcp',
      '192.0.2.10/24',
      KEY,
      'none',
      '',
      '<',
      '?',
      'x: y',
      '- a',
      '{{ .x }}',
      '"',
      '\n',
      'docker:a.b/c:d',
    ),
  );
  const bare: Machine = { ...machine, zones: new Set(), keymaps: new Set(), adminGroups: [], shell: undefined };

  test('no file but a stage file with these very values comes of it, and never without the last word', () => {
    fc.assert(
      fc.property(fc.array(typed, { maxLength: 40 }), fc.boolean(), (noise, full) => {
        // Noise at every question, then an answer that leads on.
        let dialogue = begin(full ? machine : bare);
        for (const line of noise) {
          const turn = hear(dialogue, line);
          if (turn.dialogue.at === 'install') expect(line.trim()).toBe('erase');
          if (turn.dialogue.at !== 'left') dialogue = turn.dialogue;
        }
        const onward: Record<string, string> = {
          disk: '1',
          hostname: 'kelp',
          password: 'pw',
          passwordAgain: 'pw',
          keys: '',
          interface: 'enp1s0',
          address: '192.0.2.10/24',
          gateway: 'none',
          dns: 'none',
          image: 'medium',
        };
        for (let turns = 0; dialogue.at !== 'summary' && turns < 60; turns += 1) {
          dialogue = hear(dialogue, onward[dialogue.at] ?? '').dialogue;
          if (dialogue.at === 'keys' && dialogue.given.password === '') dialogue = hear(dialogue, KEY).dialogue;
        }
        const answers = finished(dialogue);
        expect(answers).toBeDefined();
        if (answers === undefined) return;
        const text = file(answers);
        const { document, problems } = parseCloudConfig(text, 'made.yaml');
        expect(problems).toEqual([]);
        const steps = document?.stages.get('initramfs') ?? [];
        expect(
          [...(document?.stages.keys() ?? [])].filter((stage) => !['initramfs', 'network'].includes(stage)),
        ).toEqual([]);
        expect(steps[0]?.values.hostname).toBe(answers.hostname);
        expect([...(steps[1]?.values.users?.keys() ?? [])]).toEqual([answers.user]);
        // Nothing that a template would take for its own, and no command of anybody.
        expect(text).not.toContain('{{');
        expect(steps.flatMap(({ values }) => values.commands ?? [])).toEqual([]);
        const written = steps.flatMap(({ values }) => values.authorized_keys?.get(answers.user) ?? []);
        const fetched = (document?.stages.get('network') ?? []).flatMap(
          ({ values }) => values.authorized_keys?.get(answers.user) ?? [],
        );
        expect([...written, ...fetched].toSorted()).toEqual(answers.keys.toSorted());
      }),
      { numRuns: 300 },
    );
  });
});
