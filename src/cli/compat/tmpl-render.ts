// `cos-tmpl-render`: while an image is built, `@NAME@` in a template becomes the value that /etc/cos/config gives NAME.
// The template goes, the file without `.tmpl` comes.

import { readFileSync, rmSync, statSync } from 'node:fs';
import { parseEnvironmentFile } from '../../boot/environment-file.ts';
import { writeFileDurably } from '../../system/durable.ts';
import { errnoOf, HoldfastError, messageOf } from '../../system/errors.ts';

const DEFAULT_VARIABLES = '/etc/cos/config';

/** Replaces the names that have a value; others stay, since `@` has other uses. */
export function renderTemplate(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/@([A-Za-z_][A-Za-z0-9_]*)@/g, (found, name: string) => variables.get(name) ?? found);
}

/** @throws HoldfastError when a file can't be read, or the template's name doesn't end in `.tmpl`. */
export function renderFile(template: string, variablesFile = DEFAULT_VARIABLES): string {
  if (!template.endsWith('.tmpl')) {
    throw new HoldfastError('HF-USAGE', `${template} is no template: its name does not end in .tmpl`);
  }
  const target = template.slice(0, -'.tmpl'.length);
  const text = read(template);
  const rendered = renderTemplate(text, parseEnvironmentFile(read(variablesFile)));
  writeFileDurably(target, rendered, { mode: statSync(template).mode & 0o7777 });
  rmSync(template);
  return target;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const why = errnoOf(cause) === 'ENOENT' ? 'it is not there' : messageOf(cause);
    throw new HoldfastError('HF-USAGE', `${file} can't be read: ${why}`, { cause });
  }
}

/** The entry of `holdfast compat cos-tmpl-render`. */
export async function runTemplateRender(argv: readonly string[]): Promise<number> {
  const [template, variables, ...more] = argv;
  if (template === undefined || template.startsWith('-') || more.length > 0) {
    process.stdout.write(`Usage: cos-tmpl-render FILE.tmpl [VARIABLES]\n\nVARIABLES is ${DEFAULT_VARIABLES}\n`);
    return 1;
  }
  try {
    renderFile(template, variables);
    return 0;
  } catch (error) {
    process.stderr.write(`cos-tmpl-render: ${messageOf(error)}\n`);
    return 1;
  }
}
