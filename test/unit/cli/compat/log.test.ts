// What the compatible commands print: the form of logrus, where it goes, and the words that test suites of cOS and
// Elemental look for, told by the plans of holdfast.

import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { foreignReporter, statusOf } from '../../../../src/cli/compat/foreign-reporter.ts';
import { type Log, logLine, openLog } from '../../../../src/cli/compat/log.ts';
import type { Voice } from '../../../../src/cli/compat/translation.ts';
import { type ErrorCode, HoldfastError } from '../../../../src/system/errors.ts';
import type { ActionSummary, Event } from '../../../../src/system/events.ts';

const NOON = new Date('2022-05-12T10:00:00.999Z');

test.each([
  ['info', '\x1b[36mINFO\x1b[0m[2022-05-12T10:00:00Z] text\n'],
  ['warning', '\x1b[33mWARN\x1b[0m[2022-05-12T10:00:00Z] text\n'],
  ['error', '\x1b[31mERRO\x1b[0m[2022-05-12T10:00:00Z] text\n'],
  ['debug', '\x1b[37mDEBU\x1b[0m[2022-05-12T10:00:00Z] text\n'],
] as const)('a line of level %s', (level, line) => {
  expect(logLine(level, 'text', NOON)).toBe(line);
});

describe('a log', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-log-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  function written(options: { quiet?: boolean; debug?: boolean; logfile?: string }) {
    const streams = { out: '', error: '' };
    const log = openLog(
      { quiet: false, debug: false, logfile: undefined, ...options },
      {
        out: (text) => {
          streams.out += text;
        },
        error: (text) => {
          streams.error += text;
        },
      },
      () => NOON,
    );
    log.write('info', 'one\ntwo');
    log.write('debug', 'much');
    log.write('error', 'bad\x1b[2J');
    log.close();
    return streams;
  }
  const INFO = '\x1b[36mINFO\x1b[0m[2022-05-12T10:00:00Z]';
  const ERROR = '\x1b[31mERRO\x1b[0m[2022-05-12T10:00:00Z]';
  const ALL = `${INFO} one\n${INFO} two\n${ERROR} bad\\x1b[2J\n`;

  test('goes to standard output, a line for each line, and control characters are shown', () => {
    expect(written({})).toEqual({ out: ALL, error: '' });
  });

  test('tells more with --debug', () => {
    expect(written({ debug: true }).out).toContain('\x1b[37mDEBU\x1b[0m[2022-05-12T10:00:00Z] much\n');
  });

  test('is added to a file that only its owner reads', () => {
    const logfile = join(directory, 'log');
    expect(written({ logfile }).out).toBe(ALL);
    written({ logfile });
    expect(readFileSync(logfile, 'utf8')).toBe(ALL + ALL);
    expect(statSync(logfile).mode & 0o777).toBe(0o600);
  });

  test('goes to the file alone with --quiet; errors are still told', () => {
    const logfile = join(directory, 'quiet');
    expect(written({ quiet: true, logfile })).toEqual({ out: '', error: 'bad\\x1b[2J\n' });
    expect(readFileSync(logfile, 'utf8')).toBe(ALL);
  });

  test('does not follow a link that somebody has put in its place, and goes on without a file', () => {
    const victim = join(directory, 'victim');
    writeFileSync(victim, 'mine');
    const logfile = join(directory, 'link');
    symlinkSync(victim, logfile);
    const { out, error } = written({ logfile });
    expect(out).toBe(ALL);
    expect(error).toContain(`the log ${logfile} can't be written: `);
    expect(readFileSync(victim, 'utf8')).toBe('mine');
  });

  test('a directory is no log', () => {
    expect(written({ logfile: directory }).error).toContain(`the log ${directory} can't be written: `);
  });
});

/** Messages in order, without times and colours. */
function tell(
  voice: Partial<Voice>,
  work: (reporter: ReturnType<typeof foreignReporter>) => void,
  warnings: string[] = [],
) {
  const lines: string[] = [];
  const log: Log = {
    write: (level, text) => lines.push(level === 'info' ? text : `${level}: ${text}`),
    close: () => {},
  };
  work(foreignReporter({ tool: 'elemental', name: 'elemental', action: 'upgrade', ...voice }, log, warnings));
  return lines.filter((line) => !line.startsWith('debug: '));
}

/** The events of a plan that goes well. */
function eventsOf(actions: readonly ActionSummary[]): Event[] {
  return [
    { type: 'plan-start', title: 'A plan', actions },
    ...actions.flatMap(({ kind, summary }, index): Event[] => [
      { type: 'action-start', index, kind, summary },
      { type: 'action-end', index, outcome: 'ok', durationMs: 1 },
    ]),
    { type: 'plan-end', outcome: 'ok', durationMs: 1 },
  ];
}

const action = (kind: string, more: Partial<ActionSummary> = {}): ActionSummary => ({
  kind,
  summary: `Ours: ${kind}`,
  ...more,
});
const START = expect.stringMatching(/^Starting elemental version \S+ \(holdfast\)$/);

const UPGRADE = [
  action('open-state'),
  action('run-hook', { hook: 'before-upgrade' }),
  action('unpack'),
  action('run-hook', { hook: 'after-upgrade-chroot' }),
  action('finish-transition', { label: 'COS_ACTIVE' }),
  action('copy-to-passive'),
  action('activate'),
];

test('an upgrade', () => {
  const lines = tell({}, ({ events, result }) => {
    eventsOf(UPGRADE).forEach(events);
    result({ outcome: 'ok', warnings: [] }, ['Upgrade completed']);
  });
  expect(lines).toEqual([
    START,
    'Upgrading active partition',
    'Ours: open-state',
    'Running before-upgrade hook',
    'Copying COS_ACTIVE image...',
    'Finished copying COS_ACTIVE...',
    'Running after-upgrade-chroot hook',
    'Ours: finish-transition',
    'Backing up current active image',
    'Moving cOS/transition.img to cOS/active.img',
    'Finished moving cOS/transition.img to cOS/active.img',
    'Upgrade completed',
  ]);
});

test('an upgrade by cos-upgrade says what version 0.5.8 said too', () => {
  const lines = tell({ tool: 'shell', name: 'cos-upgrade', source: 'docker:quay.io/os:v2' }, ({ events, result }) => {
    eventsOf(UPGRADE).forEach(events);
    result({ outcome: 'ok', warnings: [] }, []);
  });
  for (const text of [
    'Upgrading active partition',
    'Upgrading system',
    '-> Upgrade target: active.img',
    'Upgrading from container image: quay.io/os:v2',
    'Flush changes to disk',
    'Upgrade completed',
    'Upgrade done, now you might want to reboot',
  ]) {
    expect(lines).toContain(text);
  }
});

test('of a machine that goes down nobody is asked to reboot it', () => {
  const lines = tell({ tool: 'shell', power: true }, ({ result }) => result({ outcome: 'ok' }, []));
  expect(lines).toEqual([START, 'Upgrade completed']);
});

test.each([
  ['upgrade', 'elemental', ['Upgrading recovery partition', 'Copying COS_SYSTEM image...', 'Upgrade completed']],
  ['upgrade', 'shell', ['Upgrading recovery partition', '-> Upgrade target: recovery.img', 'Upgrade completed']],
  ['upgrade-recovery', 'elemental', ['Upgrading recovery partition', 'Recovery upgrade completed']],
] as const)('an upgrade of the recovery system by %s of %s', (name, tool, texts) => {
  const lines = tell({ action: name, tool }, ({ events, result }) => {
    const plan = [action('unpack'), action('finish-transition', { label: 'COS_SYSTEM' }), action('activate-recovery')];
    eventsOf(plan).forEach(events);
    result({ outcome: 'ok', warnings: [] }, []);
  });
  for (const text of texts) expect(lines).toContain(text);
  expect(lines).not.toContain('Upgrading active partition');
});

test('an upgrade of both says both', () => {
  const plan = [
    action('unpack'),
    action('finish-transition', { label: 'COS_ACTIVE' }),
    action('unpack'),
    action('finish-transition', { label: 'COS_SYSTEM' }),
  ];
  expect(tell({}, ({ events }) => eventsOf(plan).forEach(events))).toEqual([
    START,
    'Upgrading active partition',
    'Upgrading recovery partition',
    'Copying COS_ACTIVE image...',
    'Finished copying COS_ACTIVE...',
    'Ours: finish-transition',
    'Copying COS_SYSTEM image...',
    'Finished copying COS_SYSTEM...',
    'Ours: finish-transition',
  ]);
});

const INSTALL = [
  action('run-hook', { hook: 'before-install' }),
  action('partition'),
  action('format'),
  action('unpack'),
  action('finish-transition', { label: 'COS_ACTIVE' }),
  action('make-slots'),
  action('copy-recovery'),
  action('install-grub'),
  action('close-disk'),
];

test('an install', () => {
  const lines = tell({ action: 'install' }, ({ events, result }) => {
    eventsOf(INSTALL).forEach(events);
    result({ outcome: 'ok', warnings: [] }, ['Installed']);
  });
  expect(lines).toEqual([
    START,
    'Running before-install hook',
    'Partitioning device...',
    'Ours: format',
    'Mounting disk partitions',
    'Copying COS_ACTIVE image...',
    'Finished copying COS_ACTIVE...',
    'Ours: finish-transition',
    'Copying COS_PASSIVE image...',
    'Finished copying COS_PASSIVE...',
    'Copying COS_SYSTEM image...',
    'Finished copying COS_SYSTEM...',
    'Installing GRUB..',
    'Unmounting disk partitions',
    'Installed',
    'Installation completed',
  ]);
});

test('an install on partitions that are there, with a recovery system of its own', () => {
  const plan = [action('adopt-partitions'), action('run-layout'), action('build-recovery')];
  expect(tell({ action: 'install' }, ({ events }) => eventsOf(plan).forEach(events))).toEqual([
    START,
    'Ours: adopt-partitions',
    'Mounting disk partitions',
    'Partitioning device...',
    'Copying COS_SYSTEM image...',
    'Finished copying COS_SYSTEM...',
  ]);
});

test('an install by cos-installer, forced', () => {
  const lines = tell({ action: 'install', tool: 'shell', force: true }, ({ events }) =>
    eventsOf(INSTALL).forEach(events),
  );
  for (const text of [
    'Forcing overwrite',
    'Deploying system..',
    'Formatting drives..',
    'Mounting critical endpoints..',
    'Preparing recovery..',
    'Copying image file..',
    'Preparing passive boot..',
  ]) {
    expect(lines).toContain(text);
  }
});

test('a reset, and what is not said twice when it is refused', () => {
  const plan = [
    action('run-hook', { hook: 'before-reset' }),
    action('copy-recovery-system'),
    action('run-hook', { hook: 'after-reset-chroot' }),
    action('activate'),
    action('active-to-passive'),
    action('install-grub'),
  ];
  const lines = tell({ action: 'reset' }, ({ events, result }) => {
    eventsOf(plan).forEach(events);
    result({ outcome: 'ok', warnings: [] }, ['Reset completed']);
  });
  expect(lines).toEqual([
    START,
    'Resetting the system',
    'Installing the active system anew',
    'Running before-reset hook',
    'Copying COS_ACTIVE image...',
    'Finished copying COS_ACTIVE...',
    'Running after-reset-chroot hook',
    'Moving cOS/transition.img to cOS/active.img',
    'Finished moving cOS/transition.img to cOS/active.img',
    'Copying COS_PASSIVE image...',
    'Finished copying COS_PASSIVE...',
    'Installing GRUB..',
    'Reset completed',
  ]);
  const words = "there is already an active deployment in the system, use '--force' flag to overwrite it";
  expect(tell({}, ({ error }) => error(new HoldfastError('HF-ALREADY-INSTALLED', words)))).toEqual([
    START,
    `error: ${words} [HF-ALREADY-INSTALLED]`,
  ]);
});

test.each([
  ['reset', 'elemental', ['Resetting the system', 'Installing the active system anew', 'Reset completed']],
  ['deploy', 'shell', ['Deploying system..', 'Deployment done, now you might want to reboot']],
] as const)('%s of %s', (name, tool, texts) => {
  const lines = tell({ action: name, tool }, ({ events, result }) => {
    eventsOf([]).forEach(events);
    result({ outcome: 'ok' }, []);
  });
  for (const text of texts) expect(lines).toContain(text);
});

test('what was warned of makes the end a warning', () => {
  const lines = tell(
    {},
    ({ events, result }) => {
      events({ type: 'notice', level: 'warning', text: 'the hook failed' });
      result({ outcome: 'ok-with-warnings', warnings: ['the hook failed'] }, []);
    },
    ['not chosen'],
  );
  expect(lines).toEqual([
    START,
    'warning: not chosen',
    'warning: the hook failed',
    'warning: Upgrade completed with warnings (2)',
  ]);
});

test('what the action itself says of its end is not said twice', () => {
  const lines = tell({ tool: 'shell' }, ({ events, result }) => {
    events({ type: 'notice', level: 'warning', text: 'careful' });
    result({ outcome: 'ok-with-warnings', warnings: ['careful'] }, [
      'Upgrade completed with warnings (1):',
      '  ! careful',
    ]);
  });
  expect(lines).toEqual([
    START,
    'warning: careful',
    'warning: Upgrade completed with warnings (1):',
    '  ! careful',
    'Upgrade done, now you might want to reboot',
  ]);
});

test('an upgrade of both systems is told as two, and the warnings of the first are not those of the second', () => {
  const lines = tell({}, ({ events, result }) => {
    events({ type: 'notice', level: 'warning', text: 'careful' });
    result({ outcome: 'ok-with-warnings', warnings: ['careful'] }, ['Upgrade completed with warnings (1):']);
    result({ outcome: 'ok', warnings: [] }, ['Recovery upgrade completed']);
  });
  expect(lines).toEqual([
    START,
    'warning: careful',
    'warning: Upgrade completed with warnings (1):',
    'Recovery upgrade completed',
  ]);
});

test.each([
  ['elemental', []],
  ['shell', [' * Rebooting system in 5 seconds (CTRL+C to cancel)']],
] as const)('%s before a reboot', (tool, texts) => {
  const text = 'Rebooting in 5 seconds (CTRL+C to cancel)';
  expect(tell({ tool }, ({ events }) => events({ type: 'notice', level: 'info', text }))).toEqual([
    START,
    text,
    ...texts,
  ]);
});

test.each(['planned', 'up-to-date'])('nothing was completed when the outcome is %s', (outcome) => {
  expect(tell({}, ({ result }) => result({ outcome }, ['Up to date']))).toEqual([START, 'Up to date']);
});

test('an action that fails is not said to be finished', () => {
  const lines = tell({}, ({ events }) => {
    events({ type: 'plan-start', title: 'A plan', actions: [action('unpack', { label: 'COS_ACTIVE' })] });
    events({ type: 'action-start', index: 0, kind: 'unpack', summary: '' });
    events({ type: 'action-end', index: 0, outcome: 'failed', durationMs: 1, error: 'no' });
  });
  expect(lines.at(-1)).toBe('Copying COS_ACTIVE image...');
});

test.each<[Partial<Voice>, ErrorCode, string, number, string[]]>([
  [
    {},
    'HF-ALREADY-INSTALLED',
    'x already holds an installed system',
    57,
    ["error: there is already an active deployment in the system, use '--force' flag to overwrite it"],
  ],
  [{ tool: 'shell' }, 'HF-ALREADY-INSTALLED', 'x', 1, ['error: There is already an active deployment']],
  [
    { tool: 'shell', name: 'cos-reset', action: 'reset' },
    'HF-STATE',
    'reset can only be called from the recovery system',
    1,
    ['error: cos-reset can be run only from recovery'],
  ],
  [{}, 'HF-CONFIG', 'a setting is wrong', 31, []],
  [{ action: 'reset' }, 'HF-STATE', 'reset can only be called from the recovery system', 89, []],
  [
    { tool: 'shell', action: 'install' },
    'HF-TARGET',
    '/dev/nope does not exist',
    1,
    ['error: You should use an available device. Device /dev/nope does not exist.'],
  ],
  [
    { tool: 'shell' },
    'HF-STATE',
    'no partition with the label COS_STATE was found',
    1,
    ['error: State partition cannot be found'],
  ],
  [
    { tool: 'shell' },
    'HF-STATE',
    'no partition with the label COS_RECOVERY was found',
    1,
    ['error: COS_RECOVERY partition cannot be found'],
  ],
])('a failure of %j with %s', (voice, code, message, status, texts) => {
  let given = 0;
  const lines = tell(voice, ({ error }) => {
    given = error(new HoldfastError(code, message, { hint: 'do this', outputTail: 'last words' }));
  });
  expect(given).toBe(status);
  for (const text of [`error: ${message} [${code}]`, 'error: last words', 'do this', ...texts])
    expect(lines).toContain(text);
});

test.each([
  ['elemental', 0, 0],
  ['elemental', 65, 65],
  ['shell', 0, 0],
  ['shell', 65, 1],
] as const)('%s makes of status %i %i', (tool, status, given) => {
  expect(statusOf({ tool }, status)).toBe(given);
});

test('an unknown error is loud', () => {
  let given = 0;
  const lines = tell({}, ({ error }) => {
    given = error(new TypeError('x is undefined'));
  });
  expect(given).toBe(255);
  expect(lines[1]).toContain('x is undefined');
});
