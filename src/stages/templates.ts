// Go templates in the texts of a step, with the facts of the system. The interpreter is loaded when a text holds `{{`,
// which most don't.

import { randomBytes, randomUUID } from 'node:crypto';
import { HoldfastError } from '../system/errors.ts';
import type { Facts } from './facts.ts';

export type Expansion =
  | { kind: 'expanded'; text: string; warnings: readonly string[] }
  /** The text is as it was; `reason` says what is wrong, with line and column inside of the text. */
  | { kind: 'broken'; text: string; reason: string };

/** Expands a text. A text without `{{` is returned as it is. */
export async function expandTemplate(text: string, facts: Facts): Promise<Expansion> {
  if (!text.includes('{{')) return { kind: 'expanded', text, warnings: [] };
  const { renderTemplate } = await import('../cloudconfig/templates/render.ts');
  const rendering = renderTemplate(text, templateData(facts));
  if (rendering.error !== undefined) return { kind: 'broken', text, reason: rendering.error };
  const warnings = rendering.withoutValue.map(
    (expression) => `the template ${expression} has no value; "<no value>" is put in its place`,
  );
  return { kind: 'expanded', text: rendering.text, warnings };
}

/**
 * A text of a step with its templates expanded. One that is broken stays as it is, with a warning, as in yip.
 * @param what which text it is, for the warning: `commands`, `/etc/issue`.
 */
export async function expandText(
  text: string,
  what: string,
  { facts, warn }: { facts: Facts; warn: (message: string) => void },
): Promise<string> {
  const expansion = await expandTemplate(text, facts);
  if (expansion.kind === 'broken') warn(`${what}: its template is left as it is: ${expansion.reason}`);
  else for (const warning of expansion.warnings) warn(`${what}: ${warning}`);
  return expansion.text;
}

/**
 * As {@link expandText}, for a text that must not be used unexpanded.
 * @throws HoldfastError HF-CONFIG when the template is broken.
 */
export async function expandOrThrow(
  text: string,
  what: string,
  { facts, warn }: { facts: Facts; warn: (message: string) => void },
): Promise<string> {
  const expansion = await expandTemplate(text, facts);
  if (expansion.kind === 'broken') throw new HoldfastError('HF-CONFIG', `its template is broken: ${expansion.reason}`);
  for (const warning of expansion.warnings) warn(`${what}: ${warning}`);
  return expansion.text;
}

/** What templates may refer to: yip's general context and that of its host names, both everywhere. */
function templateData(facts: Facts): Record<string, unknown> {
  const Random = randomText();
  const { kernel } = facts;
  return {
    Values: withoutEmpty({
      node: withoutEmpty({ hostname: facts.hostname, machineid: facts.machineId }),
      os: withoutEmpty({
        name: facts.osRelease('PRETTY_NAME'),
        vendor: facts.osRelease('ID'),
        version: facts.osRelease('VERSION_ID'),
      }),
      kernel: withoutEmpty(kernel),
      Random,
    }),
    MachineID: facts.machineId,
    UUID: randomUUID(),
    Random,
  };
}

/** The originals leave empty facts out, so that an empty one is a missing key. */
function withoutEmpty(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
}

function randomText(): string {
  const letters = '0123456789abcdefghijklmnopqrstuvwxyz';
  // 252 is a multiple of 36: no letter is more likely than another.
  let text = '';
  while (text.length < 32) {
    for (const byte of randomBytes(48)) if (byte < 252 && text.length < 32) text += letters.charAt(byte % 36);
  }
  return text;
}
