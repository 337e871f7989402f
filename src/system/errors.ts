// The one error class of the project: a stable code, the exit status that goes with it, one sentence for the
// person, a hint with the next thing to do, and, for a problem in a user's file, where in it.

/**
 * Exit statuses by error code. Where elemental-toolkit knows the same failure its number is kept
 * (spec: lifecycle, exit codes of Elemental); `1` is what its command parser uses for wrong arguments.
 */
export const EXIT_STATUS = {
  'HF-USAGE': 1,
  'HF-CONFIG': 11,
  'HF-COMMAND': 11,
  'HF-IMAGE': 20,
  'HF-IO': 24,
  'HF-TARGET': 47,
  'HF-DEPLOY': 48,
  'HF-GRUB': 49,
  'HF-ALREADY-INSTALLED': 57,
  'HF-NOT-ROOT': 58,
  'HF-STAGE': 65,
  'HF-NO-SOURCE': 68,
  'HF-DIGEST': 70,
  'HF-HOOK': 38,
  'HF-STATE': 89,
  'HF-TOOL-MISSING': 90,
  'HF-NO-SPACE': 91,
  'HF-LOCKED': 92,
  'HF-NOT-BOOTABLE': 93,
  'HF-MOUNT': 94,
  'HF-UNSUPPORTED': 95,
  'HF-NETWORK': 96,
  'HF-FAILED-IMAGE': 97,
  'HF-TRUST': 98,
  'HF-PLAN': 99,
  'HF-INTERRUPTED': 130,
} as const;

export type ErrorCode = keyof typeof EXIT_STATUS;

/** A place in a text file. Lines and columns count from 1. */
export interface SourceLocation {
  file: string;
  line: number;
  column: number;
  /** The text of that line, to be printed with a caret below it. */
  lineText?: string;
}

export interface HoldfastErrorOptions {
  hint?: string;
  cause?: unknown;
  location?: SourceLocation;
  /** Overrides the status that belongs to the code (hooks have one number each). */
  exitStatus?: number;
  /** The end of what a failed command printed. */
  outputTail?: string;
}

export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly exitStatus: number;
  readonly hint: string | undefined;
  readonly location: SourceLocation | undefined;
  readonly outputTail: string | undefined;

  constructor(code: ErrorCode, message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exitStatus = options.exitStatus ?? EXIT_STATUS[code];
    this.hint = options.hint;
    this.location = options.location;
    this.outputTail = options.outputTail;
  }
}

/** The `code` of a Node system error (`ENOENT`, `ENOSPC`, …), or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** The message of whatever was thrown, for use inside another sentence. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `file:line:column`, the line and a caret: how every problem in a user's file is shown. */
export function renderLocation(location: SourceLocation): string {
  const head = `${location.file}:${location.line}:${location.column}`;
  if (location.lineText === undefined) return head;
  const { text, column } = excerpt(withoutControls(location.lineText), location.column);
  // Tabs are kept in the caret line so that the caret stands below its character in any terminal.
  const pad = text.slice(0, column - 1).replace(/[^\t]/g, ' ');
  return `${head}\n  ${text}\n  ${pad}^`;
}

/** A file may come from anybody, and a terminal obeys what is between its characters. One for one, so columns stay. */
function withoutControls(line: string): string {
  return line.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => (character === '\t' ? character : '\u{FFFD}'));
}

/** What fits beside an indentation into 80 columns: a line that is broken would tear the caret away. */
const EXCERPT_WIDTH = 74;

function excerpt(line: string, column: number): { text: string; column: number } {
  if (line.length <= EXCERPT_WIDTH) return { text: line, column };
  const start = Math.max(0, Math.min(column - 1 - EXCERPT_WIDTH / 2, line.length - EXCERPT_WIDTH));
  const end = start + EXCERPT_WIDTH;
  const left = start > 0 ? '…' : '';
  const right = end < line.length ? '…' : '';
  const text = left + line.slice(start + left.length, end - right.length) + right;
  return { text, column: column - start };
}
