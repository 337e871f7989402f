// Broken YAML in words for people who write stage files by hand: what it means and what usually mends it.

import type { YAMLParseError } from 'yaml';

type Code = YAMLParseError['code'];

const EXPLANATIONS: Partial<Record<Code, { message?: string; hint: string }>> = {
  TAB_AS_INDENT: { message: 'a tab is used for indentation', hint: 'indent with spaces only' },
  BAD_INDENT: { hint: 'keys of one mapping and items of one list must start in the same column' },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a second ": " in one line',
    hint: 'put the value in quotes, or begin the inner mapping on a line of its own',
  },
  MULTILINE_IMPLICIT_KEY: {
    message: 'a key goes over more than one line',
    hint: 'is a ":" missing in the line before?',
  },
  MISSING_CHAR: { hint: 'look for a quote, bracket or ":" that is missing here or in the line before' },
  BAD_SCALAR_START: { hint: 'put the value in quotes' },
  BAD_DQ_ESCAPE: { hint: 'in double quotes a backslash starts an escape: write \\\\ or use single quotes' },
  UNEXPECTED_TOKEN: { hint: 'look at the quotes and brackets of this line and of the one before' },
  BAD_ALIAS: { hint: 'text that starts with * or & must be in quotes' },
};

/** The parser's complaint as one sentence with a hint. */
export function explainSyntaxError(error: YAMLParseError): { message: string; hint: string } {
  const unclosed = error.message.match(/^Flow .* end with a (\S)$/)?.[1];
  if (unclosed !== undefined) {
    return {
      message: `the YAML is broken: a bracket is not closed, "${unclosed}" is missing`,
      hint: 'what follows the opening bracket must be indented deeper than the line that it is in',
    };
  }
  if (error.message.startsWith('Sequence item without')) {
    return {
      message: 'the YAML is broken: a list item does not begin with "- "',
      hint: 'the line is indented as if it belonged to the list above it',
    };
  }
  const known = EXPLANATIONS[error.code];
  const said = error.message.charAt(0).toLowerCase() + error.message.slice(1);
  return {
    message: `the YAML is broken: ${known?.message ?? said}`,
    hint: known?.hint ?? 'look at the indentation and the quotes of this line and of the one before',
  };
}
