// Reads files of NAME=value lines as systemd reads an EnvironmentFile: quotes and backslashes as in a shell, a quoted
// value may go on over line ends, and nothing is expanded.

/** Variables of the text; of a name that occurs twice the last value. Lines that are no assignment are left out. */
export function parseEnvironmentFile(text: string): Map<string, string> {
  return new Map(parseAssignments(text).map(({ name, value }) => [name, value]));
}

/** One variable and the line, counted from 1, where its assignment begins. */
export interface Assignment {
  name: string;
  value: string;
  line: number;
}

/** The assignments of the text in order. Lines that are no assignment are left out. */
export function parseAssignments(text: string): Assignment[] {
  const assignments: Assignment[] = [];
  let at = 0;
  let line = 1;
  let counted = 0;
  while (at < text.length) {
    const start = /^[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][A-Za-z0-9_]*)=/.exec(text.slice(at, lineEnd(text, at)));
    if (start?.[1] === undefined) {
      at = lineEnd(text, at) + 1;
      continue;
    }
    for (; counted < at; counted++) if (text.charAt(counted) === '\n') line += 1;
    const { value, end } = readValue(text, at + start[0].length);
    assignments.push({ name: start[1], value, line });
    at = end + 1;
  }
  return assignments;
}

function lineEnd(text: string, from: number): number {
  const at = text.indexOf('\n', from);
  return at < 0 ? text.length : at;
}

/** The value that starts at `from` and the place of the line end that ends it. */
function readValue(text: string, from: number): { value: string; end: number } {
  const parts: string[] = [];
  let quote = '';
  /** Blanks outside of quotes count only when something follows. */
  let blanks = '';
  let at = from;
  const add = (part: string) => {
    parts.push(blanks, part);
    blanks = '';
  };
  for (; at < text.length; at++) {
    const char = text.charAt(at);
    if (quote === '' && char === '\n') break;
    if (char === '\\' && quote !== "'") {
      at += text.startsWith('\r\n', at + 1) ? 2 : 1;
      const next = text.charAt(at);
      // At the end of a line it continues the line; inside double quotes it means itself but before what it can protect.
      if (next === '\n') continue;
      add(next === '' || (quote === '"' && !'"\\$`'.includes(next)) ? `\\${next}` : next);
    } else if (quote === '' && (char === '"' || char === "'")) {
      quote = char;
      add('');
    } else if (char === quote) quote = '';
    else if (quote === '' && /\s/.test(char)) blanks += parts.length === 0 ? '' : char;
    else add(char);
  }
  return { value: parts.join(''), end: at };
}
