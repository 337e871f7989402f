// `holdfast report`: one archive with what a maintainer needs, for a bug report. Nothing is sent anywhere.

import { closeSync, openSync, writeFileSync } from 'node:fs';
import { makeReport, stampOf } from '../doctor/report.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { labelsHere } from './labels-here.ts';
import { printBytes } from './print.ts';
import type { CommandContext } from './program.ts';
import { VERSION } from './version.ts';

export async function reportCommand(
  { reporter, signal, commandLine }: CommandContext,
  _positional: string[],
  { output, dryRun = false }: { output?: string; dryRun?: boolean },
): Promise<number> {
  const nowMs = Date.now();
  const file = output ?? `holdfast-report-${stampOf(nowMs)}.tar.gz`;
  const toStandardOutput = file === '-';
  // Before the work, so that nobody waits for a refusal.
  const fd = dryRun || toStandardOutput ? undefined : create(file);
  const { archive, problems, ...contents } = await makeReport({
    labels: await labelsHere(),
    events: reporter.events,
    signal,
    command: commandLine,
    version: VERSION,
    nowMs,
  });
  for (const text of problems) reporter.events({ type: 'notice', level: 'warning', text: `cleaning up: ${text}` });
  if (fd !== undefined) {
    writeFileSync(fd, archive);
    closeSync(fd);
  }
  if (toStandardOutput && !dryRun) {
    await printBytes(archive);
    return 0;
  }
  const { members, missing, redacted } = contents;
  reporter.result({ ...(dryRun ? {} : { file }), bytes: archive.length, ...contents }, [
    ...(dryRun ? members.map(({ name, bytes }) => `  ${name} (${formatBytes(bytes)})`) : []),
    dryRun
      ? `A report would have ${members.length} texts in ${formatBytes(archive.length)}.`
      : `${file} has ${members.length} texts in ${formatBytes(archive.length)}; ${missing.length} could not be had, see its README.txt.`,
    `Secrets were taken out of ${redacted} of them. Look through it before you give it to somebody.`,
  ]);
  return 0;
}

/** Only root reads it, and no file that is there is overwritten. */
function create(file: string): number {
  try {
    return openSync(file, 'wx', 0o600);
  } catch (error) {
    const why = {
      EEXIST: 'it is there already',
      EROFS: 'its file system is read-only',
      ENOENT: 'its directory is not there',
    }[errnoOf(error) ?? ''];
    if (why === undefined) throw error;
    throw new HoldfastError('HF-USAGE', `${file} can't be written: ${why}`, {
      hint: 'name another file: --output /tmp/report.tar.gz, or "-" for standard output',
      cause: error,
    });
  }
}
