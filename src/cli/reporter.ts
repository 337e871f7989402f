// How a running command looks: a line per action with its progress on a terminal, a line per finished action in a
// log, one JSON object per line for programs. It listens to the events; it knows no command.

import { HoldfastError, renderLocation } from '../system/errors.ts';
import type { Event, EventSink } from '../system/events.ts';
import { type Paint, PLAIN, painter } from '../system/paint.ts';
import { TrustError } from '../trust/trust-error.ts';

export interface OutputOptions {
  json?: boolean;
  quiet?: boolean;
  /** Also show what external programs and hooks print. */
  debug?: boolean;
  /** Only errors and the result. */
  hideWarnings?: boolean;
}

export interface Reporter {
  events: EventSink;
  /** The summary at the end: sentences for people, the value for programs. */
  result: (value: Record<string, unknown>, lines: readonly string[]) => void;
  error: (error: unknown) => number;
  /** For the lines of the result. */
  paint: Paint;
}

interface Terminal {
  write: (text: string) => void;
  isTerminal: boolean;
  columns: number;
  colour: boolean;
}

/** yip's LOGLEVEL as options; flags on the command line win. Any other word is passed over, as there. */
export function withLogLevel(options: OutputOptions, level: string | undefined): OutputOptions {
  if (options.quiet || options.debug) return options;
  switch (level?.toLowerCase()) {
    case 'debug':
    case 'trace':
      return { ...options, debug: true };
    case 'warn':
    case 'warning':
      return { ...options, quiet: true };
    case 'error':
    case 'fatal':
    case 'panic':
      return { ...options, quiet: true, hideWarnings: true };
    default:
      return options;
  }
}

/** Reporter for the process's own standard output and error. */
export function createReporter(flags: OutputOptions): Reporter {
  const options = withLogLevel(flags, process.env.LOGLEVEL);
  if (options.json) return jsonReporter((line) => process.stdout.write(`${line}\n`));
  const isTerminal = process.stdout.isTTY === true;
  const terminal: Terminal = {
    write: (text) => process.stdout.write(text),
    isTerminal,
    columns: process.stdout.columns || 80,
    colour: isTerminal && process.env.NO_COLOR === undefined && process.env.TERM !== 'dumb',
  };
  return textReporter(terminal, (text) => process.stderr.write(text), options);
}

function jsonReporter(print: (line: string) => void): Reporter {
  return {
    paint: PLAIN,
    events: (event) => print(JSON.stringify(event)),
    result: (value) => print(JSON.stringify({ type: 'result', ...value })),
    error: (error) => {
      print(JSON.stringify({ type: 'error', ...describeError(error) }));
      return exitStatusOf(error);
    },
  };
}

const REDRAW_MS = 100;
/** In a log, an action that takes longer than this is announced before it ends, and its progress repeated. */
const LOG_EVERY_MS = 5000;

export function textReporter(terminal: Terminal, printError: (text: string) => void, options: OutputOptions): Reporter {
  const paint = painter(terminal.colour);
  let total = 0;
  let current = '';
  let drawnAt = terminal.isTerminal ? 0 : performance.now();
  let isDrawn = false;

  const clear = () => {
    if (isDrawn) terminal.write('\r\x1b[K');
    isDrawn = false;
  };
  const line = (text: string) => {
    clear();
    terminal.write(`${harmless(text)}\n`);
  };
  const complain = (text: string) => {
    clear();
    printError(`${harmless(text)}\n`);
  };
  const draw = (text: string) => {
    if (options.quiet) return;
    if (!terminal.isTerminal) {
      if (performance.now() - drawnAt < LOG_EVERY_MS) return;
      drawnAt = performance.now();
      terminal.write(`${harmless(text)}\n`);
      return;
    }
    if (performance.now() - drawnAt < REDRAW_MS) return;
    drawnAt = performance.now();
    clear();
    terminal.write(harmless(text).slice(0, terminal.columns - 1));
    isDrawn = true;
  };

  const events = (event: Event) => {
    switch (event.type) {
      case 'plan-start':
        total = event.actions.length;
        if (!options.quiet) line(paint.bold(event.title));
        break;
      case 'action-start':
        current = `  [${String(event.index + 1).padStart(String(total).length)}/${total}] ${event.summary}`;
        drawnAt = terminal.isTerminal ? 0 : performance.now();
        draw(`${current} …`);
        break;
      case 'action-progress':
        draw(`${event.index < 0 ? '  Reading and checking the image' : current} … ${formatProgress(event)}`);
        break;
      case 'action-end':
        if (options.quiet && event.outcome === 'ok') break;
        line(
          event.outcome === 'ok'
            ? `${paint.green(current)}${formatDuration(event.durationMs)}`
            : `${paint.red(current)}: failed`,
        );
        break;
      case 'plan-end':
        clear();
        break;
      case 'notice':
        if (event.level === 'warning') {
          if (options.hideWarnings) break;
          complain(`${paint.yellow('warning:')} ${indent(event.text)}`);
        } else if (event.level === 'debug') {
          if (options.debug) line(paint.dim(`  ${event.text}`));
        } else if (!options.quiet) line(`  ${event.text}`);
        break;
      case 'output':
        if (options.debug) line(paint.dim(`    ${event.text}`));
        else if (terminal.isTerminal) draw(`${current} … ${printable(event.text)}`);
        break;
    }
  };
  return {
    paint,
    events,
    result: (_, lines) => {
      clear();
      for (const text of lines) terminal.write(`${harmless(text)}\n`);
    },
    error: (error) => {
      complain(renderError(error, paint));
      return exitStatusOf(error);
    },
  };
}

/**
 * A text for a terminal or a log. Names, files and what programs print may hold control characters, which could move the
 * cursor, clear the screen or answer for the user: they are shown, not sent. Colours may pass.
 */
export function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
  return text.replace(/(\x1b\[[0-9;]{0,20}m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (found, colour) =>
    colour === undefined ? `\\x${found.charCodeAt(0).toString(16).padStart(2, '0')}` : found,
  );
}

/** What programs print may hold control sequences; none of them reaches the terminal through a progress line. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the purpose
  return text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '').replace(/[\x00-\x1f\x7f]/g, ' ');
}

function formatProgress({ done, total: whole, unit }: { done: number; total?: number; unit: string }): string {
  if (whole !== undefined && whole > 0) return `${Math.min(100, Math.floor((done / whole) * 100))} %`;
  return unit === 'bytes' ? `${Math.round(done / (1 << 20))} MiB` : `${done} files`;
}

function formatDuration(ms: number): string {
  return ms < 1000 ? '' : ` (${(ms / 1000).toFixed(1)} s)`;
}

function indent(text: string): string {
  return text.replaceAll('\n', '\n  ');
}

function exitStatusOf(error: unknown): number {
  return error instanceof HoldfastError ? error.exitStatus : 255;
}

/** An error as data, for `--json`. */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof HoldfastError)) {
    return {
      code: 'HF-BUG',
      message: String(error),
      exitStatus: 255,
      stack: error instanceof Error ? error.stack : null,
    };
  }
  const { code, message, hint, location, outputTail, exitStatus } = error;
  // Programs tell refusals apart by their name.
  const refusal = error instanceof TrustError ? { reason: error.reason, role: error.role } : {};
  return { code, ...refusal, message, hint, location, outputTail, exitStatus };
}

/** Known errors print short, unknown ones loud. */
export function renderError(error: unknown, paint: Paint = PLAIN): string {
  if (!(error instanceof HoldfastError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `${paint.red('internal error:')} ${stack}\nThis is a bug. Please report it with the lines above.`;
  }
  const parts = [`${paint.red('error:')} ${indent(error.message)} ${paint.dim(`[${error.code}]`)}`];
  if (error.location !== undefined) parts.push(`  ${indent(renderLocation(error.location))}`);
  if (error.outputTail !== undefined && error.outputTail !== '') {
    parts.push(...error.outputTail.split('\n').map((text) => paint.dim(`  | ${text}`)));
  }
  if (error.hint !== undefined) parts.push(`${paint.yellow('hint:')} ${indent(error.hint)}`);
  return parts.join('\n');
}
