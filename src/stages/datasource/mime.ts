// MIME messages of several parts (RFC 2045, 2046) with any boundary, as tools make them that pack several pieces of user
// data into one. Bytes stay bytes: only heads are read as text.

const MAX_DEPTH = 5;
const MAX_PARTS = 200;

export interface MimePart {
  /** In lower case, without parameters. */
  type: string;
  /** As its sender calls it. */
  name?: string;
  content: Buffer;
}

/**
 * The parts of a message, those of nested messages in their place; undefined when it isn't a message of several parts.
 * What is no valid part any more is left out.
 */
export function parseMultipart(bytes: Buffer): MimePart[] | undefined {
  const message = splitHead(bytes);
  if (message === undefined || boundaryOf(message) === undefined) return undefined;
  const parts: MimePart[] = [];
  collect(message, 0, parts);
  return parts;
}

interface Message {
  headers: ReadonlyMap<string, string>;
  body: Buffer;
}

/** The head of a message and what comes after it; undefined when it doesn't begin with headers. */
function splitHead(bytes: Buffer): Message | undefined {
  const text = bytes.toString('latin1');
  // Mail programs put a line of their own before the first header.
  let at = text.match(/^From [^\n]*\n/)?.[0].length ?? 0;
  const headers = new Map<string, string>();
  let last: string | undefined;
  while (at < text.length) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end < 0 ? undefined : end).replace(/\r$/, '');
    const [, name, value = ''] = line.match(/^([!-9;-~]+):\s*(.*)$/) ?? [];
    if (line === '') return { headers, body: bytes.subarray(end < 0 ? bytes.length : end + 1) };
    if (name !== undefined) {
      last = name.toLowerCase();
      headers.set(last, value);
    } else if (last !== undefined && /^[ \t]/.test(line)) {
      headers.set(last, `${headers.get(last) ?? ''} ${line.trim()}`);
    } else return undefined;
    at = end < 0 ? text.length : end + 1;
  }
  return { headers, body: Buffer.alloc(0) };
}

function collect(message: Message, depth: number, parts: MimePart[]): void {
  const boundary = boundaryOf(message);
  if (boundary === undefined || depth >= MAX_DEPTH) {
    parts.push(leafOf(message));
    return;
  }
  for (const piece of splitBody(message.body, boundary)) {
    if (parts.length >= MAX_PARTS) return;
    // A part may do without any header, but not without the empty line after them.
    collect(splitHead(piece) ?? { headers: new Map(), body: piece }, depth + 1, parts);
  }
}

function leafOf({ headers, body }: Message): MimePart {
  const type = headers.get('content-type') ?? 'text/plain';
  const name = parameterOf(headers.get('content-disposition') ?? '', 'filename') ?? parameterOf(type, 'name');
  return {
    type: (type.split(';')[0] ?? '').trim().toLowerCase(),
    ...(name && { name }),
    content: decode(body, headers.get('content-transfer-encoding') ?? ''),
  };
}

function boundaryOf({ headers }: Message): string | undefined {
  const type = headers.get('content-type') ?? '';
  return /^\s*multipart\//i.test(type) ? parameterOf(type, 'boundary') || undefined : undefined;
}

function parameterOf(header: string, name: string): string | undefined {
  for (const [, key = '', quoted, plain] of header.matchAll(/;\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/g)) {
    if (key.toLowerCase() === name) return quoted?.replace(/\\(.)/g, '$1') ?? plain;
  }
  return undefined;
}

/** What stands between the boundary's lines; the line end before each belongs to it. */
function splitBody(body: Buffer, boundary: string): Buffer[] {
  const text = body.toString('latin1');
  const pieces: Buffer[] = [];
  let start: number | undefined;
  for (let at = 0; at <= text.length; ) {
    const found = text.indexOf('\n', at);
    const end = found < 0 ? text.length : found + 1;
    const line = text.slice(at, end).trimEnd();
    if (line === `--${boundary}` || line === `--${boundary}--`) {
      if (start !== undefined) pieces.push(body.subarray(start, Math.max(start, lineEndBefore(text, at))));
      start = line.endsWith('--') && line !== `--${boundary}` ? undefined : end;
      if (start === undefined) return pieces;
    }
    if (found < 0) break;
    at = end;
  }
  // Cut off before its last boundary: what is there counts.
  if (start !== undefined) pieces.push(body.subarray(start));
  return pieces;
}

function lineEndBefore(text: string, at: number): number {
  if (text[at - 1] !== '\n') return at;
  return text[at - 2] === '\r' ? at - 2 : at - 1;
}

function decode(body: Buffer, encoding: string): Buffer {
  switch (encoding.trim().toLowerCase()) {
    case 'base64':
      return Buffer.from(body.toString('latin1').replace(/[^A-Za-z0-9+/]/g, ''), 'base64');
    case 'quoted-printable':
      return Buffer.from(
        body
          .toString('latin1')
          .replace(/[ \t]+(?=\r?\n|$)/g, '')
          .replace(/=\r?\n/g, '')
          .replace(/=([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
        'latin1',
      );
    default:
      return body;
  }
}
