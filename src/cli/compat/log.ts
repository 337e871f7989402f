// Lines as logrus prints them with its colours forced, which is how elemental logs to standard output and to a file:
// scripts cut them at the closing bracket, and test suites look for parts of the messages.

import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { HoldfastError, messageOf } from '../../system/errors.ts';
import { harmless } from '../reporter.ts';
import type { LogOptions } from './translation.ts';

export type Level = 'debug' | 'info' | 'warning' | 'error';

const LEVELS: Readonly<Record<Level, string>> = {
  debug: '\x1b[37mDEBU\x1b[0m',
  info: '\x1b[36mINFO\x1b[0m',
  warning: '\x1b[33mWARN\x1b[0m',
  error: '\x1b[31mERRO\x1b[0m',
};

/** One line of the log. Times are in UTC and whole seconds. */
export function logLine(level: Level, text: string, time: Date): string {
  return `${LEVELS[level]}[${time.toISOString().replace(/\.\d+Z$/, 'Z')}] ${harmless(text)}\n`;
}

export interface Log {
  /** Every line of the text becomes a line of the log. */
  write: (level: Level, text: string) => void;
  close: () => void;
}

/**
 * @param streams.out takes lines, unless the log is quiet.
 * @param streams.error takes errors of a quiet log, and what is wrong with the file.
 */
export function openLog(
  options: LogOptions,
  streams: { out: (text: string) => void; error: (text: string) => void },
  now: () => Date = () => new Date(),
): Log {
  const file = openFile(options.logfile, streams.error);
  return {
    write: (level, text) => {
      if (level === 'debug' && !options.debug) return;
      for (const line of text.split('\n')) {
        const formatted = logLine(level, line, now());
        if (file !== undefined) writeSync(file, formatted);
        if (!options.quiet) streams.out(formatted);
        else if (level === 'error') streams.error(`${harmless(line)}\n`);
      }
    },
    close: () => {
      if (file !== undefined) closeSync(file);
    },
  };
}

/**
 * The file is often in /tmp, where anybody may have put a link or a file of theirs under its name: neither is written to.
 * A log that can't be written is told, and stops nothing.
 */
function openFile(path: string | undefined, complain: (text: string) => void): number | undefined {
  if (path === undefined || path === '') return undefined;
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;
  let fd: number | undefined;
  try {
    fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new HoldfastError('HF-IO', 'it is no file');
    if (stats.uid !== process.getuid?.()) throw new HoldfastError('HF-IO', 'it belongs to somebody else');
    return fd;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    complain(`the log ${path} can't be written: ${messageOf(error)}\n`);
    return undefined;
  }
}
