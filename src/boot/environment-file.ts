// Reads files of NAME=value lines as systemd reads an EnvironmentFile: quotes and backslashes as in a shell, nothing is
// expanded.

/** Variables of the text; of a name that occurs twice the last value. Lines that are no assignment are left out. */
export function parseEnvironmentFile(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  // A backslash at the end of a line continues it.
  for (const line of text.replace(/\\\r?\n/g, '').split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line);
    if (match?.[1] === undefined) continue;
    variables.set(match[1], unquote(match[2] ?? ''));
  }
  return variables;
}

function unquote(text: string): string {
  const value = text.trim();
  let result = '';
  let quote: string | undefined;
  for (let at = 0; at < value.length; at++) {
    const char = value[at] ?? '';
    if (quote === undefined && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = undefined;
    else if (char === '\\' && quote !== "'") {
      at += 1;
      const next = value[at] ?? '\\';
      // Inside double quotes a backslash means itself, except before what it can protect there.
      result += quote === '"' && !'"\\$`'.includes(next) ? `\\${next}` : next;
    } else result += char;
  }
  return result;
}
