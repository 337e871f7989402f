// Whether the templates of a text can be read, without expanding them.

import type { Remark } from './decoding.ts';
import { checkTemplate } from './templates/check.ts';

/** At most one remark: what is behind a mistake can't be told from it. */
export function examineTemplate(text: string): Remark[] {
  if (!text.includes('{{')) return [];
  const error = checkTemplate(text);
  if (error === undefined) return [];
  const [, line, column, reason] = error.match(/^(\d+):(\d+): ([\s\S]*)$/) ?? [];
  return [
    {
      severity: 'warning',
      message: `the template is broken and stays as it is: ${reason ?? error}`,
      hint: 'text that is no template: write {{ "{{" }} for two braces',
      ...(line === undefined ? {} : { line: Number(line), column: Number(column) }),
    },
  ];
}
