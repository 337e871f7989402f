// cos-tmpl-render: names in templates become values, and the template's file another.

import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { renderFile, renderTemplate, runTemplateRender } from '../../../../src/cli/compat/tmpl-render.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-template-'));
});
afterEach(() => rmSync(directory, { recursive: true }));
const put = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};

const VARIABLES = new Map([
  ['STATE_LABEL', 'MY_STATE'],
  ['EMPTY', ''],
  ['DOLLAR', '$& $1'],
]);

test.each([
  ['root=LABEL=@STATE_LABEL@ x', 'root=LABEL=MY_STATE x'],
  ['@STATE_LABEL@@STATE_LABEL@', 'MY_STATEMY_STATE'],
  ['a@EMPTY@b', 'ab'],
  ['@DOLLAR@', '$& $1'],
  ['@UNKNOWN@ me@example.com @', '@UNKNOWN@ me@example.com @'],
  ['a@STATE_LABEL b@', 'a@STATE_LABEL b@'],
])('%j becomes %j', (text, rendered) => {
  expect(renderTemplate(text, VARIABLES)).toBe(rendered);
});

test('the file is written without .tmpl, with the mode of the template, which goes', () => {
  const template = put('grub.cfg.tmpl', 'search --label @STATE_LABEL@\n');
  chmodSync(template, 0o640);
  const variables = put('config', '# STATE_LABEL=no\nSTATE_LABEL="MY_STATE"\n  OTHER=x\n');
  expect(renderFile(template, variables)).toBe(join(directory, 'grub.cfg'));
  expect(readFileSync(join(directory, 'grub.cfg'), 'utf8')).toBe('search --label MY_STATE\n');
  expect(statSync(join(directory, 'grub.cfg')).mode & 0o777).toBe(0o640);
  expect(existsSync(template)).toBe(false);
});

test('a template is not taken away when its variables are missing', () => {
  const template = put('a.tmpl', '@A@');
  expect(() => renderFile(template, join(directory, 'none'))).toThrow("/none can't be read: it is not there");
  expect(existsSync(template)).toBe(true);
});

test('a file that is no template is refused', () => {
  expect(() => renderFile(put('a.cfg', ''), put('config', ''))).toThrow('its name does not end in .tmpl');
});

test.each([[[]], [['--help']], [['a.tmpl', 'config', 'more']]])('%j is usage', async (argv) => {
  expect(await runTemplateRender(argv)).toBe(1);
});
