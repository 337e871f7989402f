// The first document of a YAML text as the parser's events: nothing after it can break it, as with go-yaml, which never
// looks there.

import { type Event, parseEvents, YAMLException } from 'js-yaml';

/** Nested lists and mappings. */
export const MAX_DEPTH = 100;

/** The events of a text whose first document is whole; offsets of what follows it. */
export interface FirstDocument {
  events: Event[];
  further?: number;
  cutOff?: number;
}

export const DEDENT_HINT = 'indent this line as the first one is';

/**
 * The events of a text; when only what follows the first document is broken, of that document.
 * @throws YAMLException
 */
export function parseFirst(text: string): FirstDocument {
  try {
    return { events: parseEvents(text, { maxDepth: MAX_DEPTH }) };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const position = error.mark?.position ?? 0;
    // The originals never look at what comes after the first document.
    const further = endOfFirstDocument(text, position);
    if (further !== undefined) return { ...parseFirst(text.slice(0, further)), further };
    if (!error.reason.startsWith('end of the stream or a document separator')) throw error;
    const column = position - text.lastIndexOf('\n', position - 1) - 1;
    if (column >= firstIndent(text)) throw error;
    return { events: parseEvents(text.slice(0, position), { maxDepth: MAX_DEPTH }), cutOff: position };
  }
}

/** The indentation of the first line that is neither empty nor a comment, marker or directive. */
function firstIndent(text: string): number {
  return text.match(/^( *)(?!---|%|#)\S/m)?.[1]?.length ?? 0;
}

/** Where a second document begins, when the first one is whole and ends before the offset. */
function endOfFirstDocument(text: string, before: number): number | undefined {
  const first = findSecondMarker(text, before);
  if (first === undefined) return undefined;
  try {
    parseEvents(text.slice(0, first), { maxDepth: MAX_DEPTH });
    return first;
  } catch {
    // The first document itself is broken: that is what has to be reported.
    return undefined;
  }
}

/** The first `---` that has content before it, comments and directives aside. */
function findSecondMarker(text: string, before: number): number | undefined {
  let hasContent = false;
  for (let at = 0, next = 0; at < before; at = next) {
    const end = text.indexOf('\n', at);
    next = end < 0 ? text.length : end + 1;
    const line = text.slice(at, next);
    const isMarker = /^---\s/.test(line);
    if (isMarker && hasContent) return at;
    hasContent ||= /^\s*[^\s#%]/.test(isMarker ? line.slice(3) : line);
  }
  return undefined;
}
