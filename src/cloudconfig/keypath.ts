// The path in a word of dot notation, `stages.boot.before[0].environment.FOO`, as its segments. More is understood than
// the originals' jq does: `-` and `/` in names, names in brackets and quotes.

/** A name, or the position in a list. */
export type Segment = string | number;

/** Why a path can't be read, as the second half of a sentence. */
export class PathError extends Error {}

/** @throws PathError when the path is broken. */
export function parseKeyPath(path: string): Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  while (at < path.length) {
    if (path[at] === '[') {
      const end = closingBracket(path, at);
      segments.push(bracketed(path.slice(at + 1, end)));
      at = end + 1;
      if (at < path.length && path[at] !== '.' && path[at] !== '[') throw new PathError('after "]" a "." is missing');
      continue;
    }
    if (path[at] === '.') at += 1;
    const quote = path[at];
    const end = quote === '"' || quote === "'" ? path.indexOf(quote, at + 1) : -1;
    if (end > at) {
      segments.push(path.slice(at + 1, end));
      at = end + 1;
      continue;
    }
    const name = path.slice(at).match(/^[^.[\]]+/)?.[0];
    if (name === undefined) throw new PathError(path[at] === ']' ? 'its "]" has no "["' : 'a name is missing in it');
    segments.push(name);
    at += name.length;
  }
  return segments;
}

function closingBracket(path: string, open: number): number {
  const quote = path[open + 1];
  const from = quote === '"' || quote === "'" ? path.indexOf(quote, open + 2) : open;
  const end = from < 0 ? -1 : path.indexOf(']', from);
  if (end < 0) throw new PathError('its "[" has no "]"');
  return end;
}

function bracketed(text: string): Segment {
  const quoted = text.match(/^(["'])(.*)\1$/s)?.[2];
  if (quoted !== undefined) return quoted;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  if (text === '' || /^[-+]?\d+$/.test(text)) throw new PathError(`[${text}] is no position in a list`);
  // The quotes of ["x.before"] are gone when a shell or the kernel has split the line.
  return text;
}
