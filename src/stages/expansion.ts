// The templates of a whole step, expanded at once: for a plan, which shows what a step would do with the facts of now. A
// step that runs expands each text when its turn comes, since earlier keys may have changed what it refers to.

import type { StepValues } from '../cloudconfig/stepkeys.ts';
import type { Facts } from './facts.ts';
import { expandText } from './templates.ts';

/** A text that its templates have changed. */
export interface ExpandedText {
  key: keyof StepValues;
  /** Which one: `/etc/motd`, `PATH`; absent where the key has only one. */
  what?: string;
  text: string;
}

export interface ExpandedStep {
  values: StepValues;
  texts: readonly ExpandedText[];
}

/** @param warn called for templates that are broken or have no value. */
export async function expandStep(
  values: StepValues,
  context: { facts: Facts; warn: (message: string) => void },
): Promise<ExpandedStep> {
  const texts: ExpandedText[] = [];
  const expand = async (text: string, key: keyof StepValues, what?: string): Promise<string> => {
    if (!text.includes('{{')) return text;
    const expanded = await expandText(text, what === undefined ? key : `${key}: ${what}`, context);
    if (expanded !== text) texts.push({ key, ...(what === undefined ? {} : { what }), text: expanded });
    return expanded;
  };
  const each = async <T>(items: readonly T[], change: (item: T) => Promise<T>): Promise<readonly T[]> => {
    const changed: T[] = [];
    for (const item of items) changed.push(await change(item));
    return changed;
  };
  const entities = (key: 'ensure_entities' | 'delete_entities') =>
    each(values[key] ?? [], async (item) =>
      item.entity === undefined ? item : { ...item, entity: await expand(item.entity, key, item.path) },
    );

  const { commands, files, hostname, environment, packages } = values;
  const condition = values.if;
  const expanded: StepValues = {
    ...values,
    ...(condition !== undefined && { if: await expand(condition, 'if') }),
    ...(values.ensure_entities && { ensure_entities: await entities('ensure_entities') }),
    ...(values.delete_entities && { delete_entities: await entities('delete_entities') }),
    ...(files && {
      files: await each(files, async (file) =>
        typeof file.content === 'string' && !isEncoded(file.encoding)
          ? { ...file, content: await expand(file.content, 'files', file.path) }
          : file,
      ),
    }),
    ...(commands && { commands: await each(commands, (command) => expand(command, 'commands')) }),
    ...(hostname !== undefined && { hostname: await expand(hostname, 'hostname') }),
    ...(environment && {
      environment: new Map(
        await each([...environment], async ([name, value]) => [name, await expand(value, 'environment', name)]),
      ),
    }),
    ...(packages && {
      packages: {
        ...packages,
        ...(packages.install && { install: await each(packages.install, (name) => expand(name, 'packages')) }),
        ...(packages.remove && { remove: await each(packages.remove, (name) => expand(name, 'packages')) }),
      },
    }),
  };
  return { values: expanded, texts };
}

function isEncoded(encoding = ''): boolean {
  return /b64|base64|gz/.test(encoding);
}
