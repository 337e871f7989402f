// The words above the login prompt and after a login, as long as something is wrong with this boot. /etc may be
// read-only, so they are in /run; agetty looks there only where there is no /etc/issue (util-linux before 2.41), so the
// image has a link in /etc/issue.d that leads to them.

import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeFileDurably } from '../system/durable.ts';
import { errnoOf } from '../system/errors.ts';
import { oneLine } from '../system/oneline.ts';
import { type BootReport, troublesOf } from './boot-report.ts';

const MAX_TROUBLES = 5;
const MAX_COLUMNS = 160;

/** The lines of the banner; none when all is well. */
export function bannerLines(report: BootReport): string[] {
  const troubles = troublesOf(report);
  if (troubles.length === 0) return [];
  const further = troubles.length - MAX_TROUBLES;
  return [
    ...troubles.slice(0, MAX_TROUBLES).map((text) => oneLine(`holdfast: ${text}`, MAX_COLUMNS)),
    ...(further > 0 ? [`holdfast: and ${further} more.`] : []),
    'holdfast: "holdfast status" shows more.',
  ];
}

export interface BannerPlaces {
  /** Instead of /run and /etc, for tests. */
  run?: string;
  etc?: string;
}

/** Writes the banner, or removes it when nothing is wrong. What is right already is left alone. */
export function refreshBanner(report: BootReport, { run = '/run', etc = '/etc' }: BannerPlaces = {}): void {
  const lines = bannerLines(report);
  const motd = lines.map((line) => `${line}\n`).join('');
  // In an issue file a backslash begins a code; \\ is one.
  const issue = lines.length === 0 ? '' : `${motd.replaceAll('\\', '\\\\')}\n`;
  const issues = [
    join(run, 'holdfast/login.issue'),
    // In its first place agetty would show it a second time.
    ...(existsSync(join(etc, 'issue')) ? [] : [join(run, 'issue.d/50-holdfast.issue')]),
  ];
  const changed = issues.map((path) => place(path, issue)).includes(true);
  place(join(run, 'motd.d/50-holdfast'), motd);
  if (changed) askForRedraw(join(run, 'agetty.reload'));
}

/** @returns whether anything was to do. */
function place(path: string, text: string): boolean {
  if (text === (textOf(path) ?? '')) return false;
  if (text === '') rmSync(path, { force: true });
  else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileDurably(path, text, { mode: 0o644, name: 'later' });
  }
  return true;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** As `agetty --reload`: prompts at which nobody has begun to type are drawn again. */
function askForRedraw(file: string): void {
  const now = new Date();
  if (existsSync(file)) utimesSync(file, now, now);
}
