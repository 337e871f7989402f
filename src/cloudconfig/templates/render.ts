// Renders a template of a stage file: Go's text/template with sprig's functions, as the originals have it. Reads and
// changes nothing; what functions ask of the machine comes from the caller.

import { Budget } from './budget.ts';
import { explainError, parseText } from './check.ts';
import { execute, type Output } from './execution.ts';
import { loadFunctions } from './functions/catalogue.ts';
import type { GoFunction } from './functions/function.ts';
import { AddressWanted } from './functions/machine.ts';
import type { TemplateHost } from './host.ts';
import type { Template } from './language/nodes.ts';
import { isUtf8, textOf } from './values/bytes.ts';
import { dictOf } from './values/facts.ts';

export interface Rendering {
  /** The rendered text; empty after an error. */
  text: string;
  /** What is wrong, behind the line and column inside of the text: `2:5: function "x" not defined`. */
  error?: string;
  /** The actions that printed `<no value>`, as they stand in the text. */
  withoutValue: readonly string[];
  /** The result was no UTF-8 (`trunc` cuts bytes); what wasn't is replaced. */
  damaged: boolean;
}

/** Host names that one template may have looked up. */
const MAX_LOOKUPS = 20;

/**
 * Renders a text with its data: plain objects, lists, texts, numbers, booleans; a getter runs when its key is read.
 * Never throws for anything that stands in the text.
 */
export async function renderTemplate(text: string, data: object, host: TemplateHost): Promise<Rendering> {
  try {
    const template = parseText(text);
    const functions = await loadFunctions(template.functions);
    const output = await executeWithLookups(template, text, data, functions, host);
    return { text: textOf(output.text), withoutValue: output.withoutValue, damaged: !isUtf8(output.text) };
  } catch (error) {
    return { text: '', error: explain(error, text), withoutValue: [], damaged: false };
  }
}

/** Functions don't wait. Where one needs an address it is looked up, and everything is executed again. */
async function executeWithLookups(
  template: Template,
  text: string,
  data: object,
  functions: ReadonlyMap<string, GoFunction>,
  host: TemplateHost,
): Promise<Output> {
  const addresses = new Map<string, readonly string[]>();
  for (;;) {
    try {
      return execute(template, text, dictOf(data), functions, { budget: new Budget(), host, addresses });
    } catch (error) {
      if (!(error instanceof AddressWanted) || addresses.size >= MAX_LOOKUPS) throw error;
      addresses.set(error.host, await host.lookup(error.host));
    }
  }
}

function explain(error: unknown, text: string): string {
  if (error instanceof AddressWanted) return `1:1: more than ${MAX_LOOKUPS} host names are looked up`;
  return explainError(error, text);
}
