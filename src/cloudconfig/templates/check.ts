// Whether a template can be parsed, for tools that look at a file without a machine to expand it for.

import { topicsByName } from './functions/catalogue.ts';
import type { Template } from './language/nodes.ts';
import { parseTemplate } from './language/parser.ts';
import { placeOf, TemplateError } from './templateerror.ts';

/**
 * What is wrong with a text as a template, behind the line and column inside of it: `2:5: function "x" not defined`.
 * Undefined when it can be parsed; whether it can be executed depends on the facts.
 */
export function checkTemplate(text: string): string | undefined {
  try {
    parseText(text);
    return undefined;
  } catch (error) {
    return explainError(error, text);
  }
}

/** Parses a text that may call any function that there is. Throws TemplateError. */
export function parseText(text: string): Template {
  return parseTemplate(text, topicsByName());
}

/** Rethrows what is no fault of the template. */
export function explainError(error: unknown, text: string): string {
  if (error instanceof TemplateError) return `${placeOf(text, error.offset)}: ${error.message}`;
  // The stack or a text's greatest length, before one of the limits.
  if (error instanceof RangeError) return `1:1: the template is nested too deeply or makes too long a text`;
  throw error;
}
