// Which values each type accepts and rejects, as go-yaml reads them, and what ours accepts beyond with a warning.

import { describe, expect, it } from 'vitest';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import type { Step } from '../../../src/cloudconfig/step.ts';

function stepWith(text: string): { step: Step | undefined; problems: string[] } {
  const indented = text
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n');
  const { document, problems } = parseCloudConfig(`stages:\n  s:\n    -\n${indented}\n`, 'f.yaml');
  return {
    step: document?.stages.get('s')?.[0],
    problems: problems.map(({ severity, message, location }) => `${severity} ${location.line}: ${message}`),
  };
}

describe('text keeps what is written', () => {
  it.each([
    ['0777', '0777'],
    ['yes', 'yes'],
    ['1.50', '1.50'],
    ['1_000', '1_000'],
    ['2020-01-01', '2020-01-01'],
    ['"a\\tb"', 'a\tb'],
    ["'it''s'", "it's"],
    ['!!str 5', '5'],
    ['!!binary aGk=', 'hi'],
    ['two\n  lines', 'two lines'],
  ])('hostname: %j is %j', (written, expected) => {
    expect(stepWith(`hostname: ${written}`).step?.values.hostname).toBe(expected);
  });

  it.each(['', '~', 'null', 'NULL'])('hostname: %j is nothing', (written) => {
    const { step, problems } = stepWith(`hostname: ${written}\nname: x`);
    expect(step?.values).toEqual({ name: 'x' });
    expect(problems).toEqual([]);
  });

  it.each([
    ['[a]', 'error 4: hostname: this must be text, not a list'],
    ['{a: b}', 'error 4: hostname: this must be text, not a mapping'],
    ['!!binary "?"', 'error 4: hostname: the base64 after !!binary is broken'],
  ])('hostname: %j is rejected', (written, problem) => {
    const { step, problems } = stepWith(`hostname: ${written}`);
    expect(problems).toEqual([problem]);
    expect(step?.rejected).toEqual(['hostname']);
    expect(step?.values.hostname).toBeUndefined();
  });
});

describe('whole numbers', () => {
  const sizeOf = (written: string) => {
    const { step, problems } = stepWith(`layout: {expand_partition: {size: ${written}}}`);
    return { size: step?.values.layout?.expand_partition?.size, problems };
  };
  it.each([
    ['0777', 511],
    ['0o777', 511],
    ['0x1ff', 511],
    ['0b11', 3],
    ['7_5_5', 755],
    ['420.0', 420],
    ['10.5', 10],
    ['1e3', 1000],
    ['0888', 888],
    ['+5', 5],
    ['!!int "5"', 5],
  ])('%s is %d', (written, expected) => {
    expect(sizeOf(written)).toEqual({ size: expected, problems: [] });
  });
  it.each(['"0777"', '-1', '4294967296', 'yes', 'abc', '_1', '.inf', '0xzz', '[1]'])('%s is rejected', (written) => {
    const { size, problems } = sizeOf(written);
    expect(size).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^error 4: layout\.expand_partition\.size: /);
  });
  it('signed numbers may be negative', () => {
    expect(stepWith('downloads: [{permissions: 0644, timeout: -5}]').step?.values.downloads?.[0]?.timeout).toBe(-5);
  });
});

describe('truth values', () => {
  const flag = (written: string) => stepWith(`packages: {refresh: ${written}}`);
  it.each(['true', 'True', 'TRUE', 'y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', '"yes"', "'on'"])(
    '%s is true',
    (w) => {
      expect(flag(w).step?.values.packages?.refresh).toBe(true);
    },
  );
  it.each(['false', 'False', 'FALSE', 'n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF', '"no"'])('%s is false', (w) => {
    expect(flag(w).step?.values.packages?.refresh).toBe(false);
  });
  it.each(['"true"', '1', '0', 'tRue', 'maybe', '[true]'])('%s is rejected', (w) => {
    const { step, problems } = flag(w);
    expect(step?.rejected).toEqual(['packages']);
    expect(problems[0]).toMatch(/^error 4: packages\.refresh: /);
  });
});

describe('lists and mappings', () => {
  it('null elements of a list are dropped, empty text is kept', () => {
    expect(stepWith('commands: [a, null, ~, "", c]').step?.values.commands).toEqual(['a', '', 'c']);
  });
  it('a single value for a list is one element, with a warning', () => {
    const { step, problems } = stepWith('commands: foo');
    expect(step?.values.commands).toEqual(['foo']);
    expect(problems).toEqual(['warning 4: commands: a single value is read as a list of one']);
  });
  it('a mapping for a list is rejected', () => {
    expect(stepWith('commands: {a: b}').problems).toEqual(['error 4: commands: this must be a list, not a mapping']);
  });
  it('a key without a value has the empty value', () => {
    const { step } = stepWith('users: {bob: , ann: {uid: 1000}}');
    expect([...(step?.values.users ?? [])]).toEqual([
      ['bob', {}],
      ['ann', { uid: '1000' }],
    ]);
  });
  it('a list for a mapping is rejected', () => {
    expect(stepWith('environment: [A=1]').problems).toEqual([
      'error 4: environment: this must be a mapping, not a list',
    ]);
  });
  it('a key named __proto__ is a key like any other', () => {
    expect([...(stepWith('environment: {__proto__: x}').step?.values.environment ?? [])]).toEqual([['__proto__', 'x']]);
  });
  it('the elements of `after` may be names or mappings', () => {
    expect(stepWith('after: [a.b, {name: c.d}]').step?.values.after).toEqual(['a.b', 'c.d']);
  });
});

describe('file modes', () => {
  const modeOf = (written: string) => {
    const { step, problems } = stepWith(`files: [{path: /f, permissions: ${written}}]`);
    return { mode: step?.values.files?.[0]?.permissions?.toString(8), problems };
  };
  it.each([
    ['0644', '644'],
    ['0o644', '644'],
    ['"0644"', '644'],
    ['"644"', '644'],
    ["'0o755'", '755'],
    ['01777', '1777'],
    ['04755', '4755'],
    ['420', '644'],
    ['384', '600'],
    ['493', '755'],
    ['0x1a4', '644'],
    ['420.0', '644'],
    ['0', '0'],
  ])('%s is %s', (written, expected) => {
    expect(modeOf(written)).toEqual({ mode: expected, problems: [] });
  });
  it('plain 644 is decimal, as the originals have it, with a warning that says what was meant', () => {
    expect(modeOf('644')).toEqual({
      mode: '204',
      problems: ['warning 4: files[0].permissions: 644 is a decimal number and means mode 0204'],
    });
  });
  it.each(['0888', '"0888"', '-1', 'rw-r--r--', '010000', '"99999"', '[6]'])('%s is rejected', (written) => {
    const { mode, problems } = modeOf(written);
    expect(mode).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^error 4: files\[0\]\.permissions: /);
  });
  it('missing permissions are warned about, since the originals make mode 0000 of them', () => {
    expect(stepWith('files: [{path: /f}]\ndirectories: [{path: /d}]').problems).toEqual([
      'warning 5: directories[0]: no permissions are given, 0755 is used',
      'warning 4: files[0]: no permissions are given, 0644 is used',
    ]);
  });
});

describe('keys', () => {
  it.each([
    ['systctl: {a: 1}', 'sysctl', 'warning 4: the key "systctl" is read as "sysctl"'],
    ['Commands: [a]', 'commands', 'warning 4: the key "Commands" is read as "commands"'],
    ['only-os: a', 'only_os', 'warning 4: the key "only-os" is read as "only_os"'],
  ])('%j is read as %s, with a warning', (written, key, problem) => {
    const { step, problems } = stepWith(written);
    expect(Object.keys(step?.values ?? {})).toEqual([key]);
    expect(problems).toEqual([problem]);
  });
  it.each(['permsisions', 'permission', 'Permissions'])('%s of a file are its permissions', (key) => {
    expect(stepWith(`files: [{path: /f, ${key}: 0600}]`).step?.values.files?.[0]?.permissions).toBe(0o600);
  });
  it.each(['owner_string', 'OwnerString'])('%s of a file is its ownerstring', (key) => {
    const { step } = stepWith(`files: [{path: /f, permissions: 0600, ${key}: user}]`);
    expect(step?.values.files?.[0]?.ownerstring).toBe('user');
  });
  it.each([
    ['no-create-home', 'no_create_home'],
    ['lock-passwd', 'lock_passwd'],
  ])('%s of a user is %s', (written, key) => {
    expect(stepWith(`users: {bob: {${written}: yes}}`).step?.values.users?.get('bob')).toEqual({ [key]: true });
  });
  it('a name for a numeric owner is kept, with a warning', () => {
    const { step, problems } = stepWith('files: [{path: /f, permissions: 0600, owner: bar}]');
    expect(step?.values.files?.[0]?.owner).toBe('bar');
    expect(problems).toEqual(['warning 4: files[0].owner: "bar" is read as a name']);
  });
  it('an unknown key is reported with the one that was probably meant', () => {
    const { document, problems } = parseCloudConfig('stages: {s: [{comands: [a]}]}\n', 'f');
    expect(document?.stages.get('s')?.[0]?.values).toEqual({});
    expect(problems[0]).toMatchObject({
      severity: 'warning',
      message: 'the key "comands" is not known and has no effect',
      hint: 'did you mean "commands"?',
      stage: 's',
    });
  });
  it('of a key that is given twice the later counts; two mappings are put together', () => {
    const { step, problems } = stepWith('commands: [a]\ncommands: [b]\nenvironment: {A: 1, B: 1}\nenvironment: {B: 2}');
    expect(step?.values.commands).toEqual(['b']);
    expect([...(step?.values.environment ?? [])]).toEqual([
      ['A', '1'],
      ['B', '2'],
    ]);
    expect(problems).toEqual([
      'warning 5: the key "commands" is given twice, first in line 4: this one counts',
      'warning 7: the key "environment" is given twice, first in line 6: both are put together',
      'warning 7: environment: the key "B" is given twice, first in line 6: this one counts',
    ]);
  });
});
