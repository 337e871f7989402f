// Go templates in the texts of a step, with the facts of the system. The interpreter is loaded when a text holds `{{`,
// which most don't.

import { HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import type { Facts } from './facts.ts';

/** What a template sees of its step, and where its warnings go. */
export interface TemplateContext {
  facts: Facts;
  warn: (message: string) => void;
  /** Whose time zones and environment functions see; default: the running system. */
  root?: Root;
  /** Added to the environment. */
  env?: Readonly<Record<string, string>> | undefined;
}

export type Expansion =
  | { kind: 'expanded'; text: string; warnings: readonly string[] }
  /** The text is as it was; `reason` says what is wrong, with line and column inside of the text. */
  | { kind: 'broken'; text: string; reason: string };

/** Expands a text. A text without `{{` is returned as it is. */
export async function expandTemplate(text: string, context: Omit<TemplateContext, 'warn'>): Promise<Expansion> {
  if (!text.includes('{{')) return { kind: 'expanded', text, warnings: [] };
  const { renderTemplate } = await import('../cloudconfig/templates/render.ts');
  const { templateHost } = await import('./templatehost.ts');
  const rendering = await renderTemplate(text, context.facts.templateData(), templateHost(context));
  if (rendering.error !== undefined) return { kind: 'broken', text, reason: rendering.error };
  const warnings = rendering.withoutValue.map(
    (expression) => `the template ${expression} has no value; "<no value>" is put in its place`,
  );
  if (rendering.damaged)
    warnings.push('its template cuts a character in two; what is left of it is replaced by U+FFFD');
  return { kind: 'expanded', text: rendering.text, warnings };
}

/**
 * A text of a step with its templates expanded. One that is broken stays as it is, with a warning, as in yip.
 * @param what which text it is, for the warning: `commands`, `/etc/issue`.
 */
export async function expandText(text: string, what: string, context: TemplateContext): Promise<string> {
  const expansion = await expandTemplate(text, context);
  if (expansion.kind === 'broken') context.warn(`${what}: its template is left as it is: ${expansion.reason}`);
  else for (const warning of expansion.warnings) context.warn(`${what}: ${warning}`);
  return expansion.text;
}

/**
 * As {@link expandText}, for a text that must not be used unexpanded.
 * @throws HoldfastError HF-CONFIG when the template is broken.
 */
export async function expandOrThrow(text: string, what: string, context: TemplateContext): Promise<string> {
  const expansion = await expandTemplate(text, context);
  if (expansion.kind === 'broken') throw new HoldfastError('HF-CONFIG', `its template is broken: ${expansion.reason}`);
  for (const warning of expansion.warnings) context.warn(`${what}: ${warning}`);
  return expansion.text;
}
