// `holdfast install`: flags in, plan out, result printed.

import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parseCloudConfig } from '../cloudconfig/document.ts';
import { install } from '../lifecycle/apply-install.ts';
import { displayName } from '../lifecycle/image-name.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { type ImageFlags, openNamedImage } from './image-option.ts';
import { type LifecycleFlags, runOptions, strictnessOf } from './lifecycle-options.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';

interface InstallFlags extends ImageFlags, LifecycleFlags {
  cloudInit?: string[];
  /** false by --no-boot-entry. */
  bootEntry: boolean;
  /** elemental's name for that. */
  disableBootEntry?: boolean;
}

export async function installCommand(context: CommandContext, [disk]: string[], flags: InstallFlags): Promise<number> {
  const { reporter } = context;
  if (disk === undefined) throw new HoldfastError('HF-USAGE', 'at least a target device must be supplied');
  const cloudInit = (flags.cloudInit ?? []).map((file) => readStageFile(file, reporter.events));
  const image = await openNamedImage(undefined, flags, context);
  const result = await install(
    {
      image,
      target: resolve(disk),
      strictness: strictnessOf(flags.strict),
      force: flags.force ?? false,
      cloudInit,
      bootEntry: flags.bootEntry && !flags.disableBootEntry,
    },
    runOptions(context, flags),
  );
  const { outcome, plan, warnings, durationMs, prettyName, facts } = result;
  if (outcome === 'planned') {
    reporter.result({ outcome, plan }, planLines(plan));
    return 0;
  }
  const seconds = (durationMs / 1000).toFixed(1);
  reporter.result({ outcome, warnings, durationMs, system: prettyName, image: facts.image }, [
    `Installed ${prettyName} on ${disk} in ${seconds} s${warnings.length > 0 ? ` with ${warnings.length} warning(s)` : ''}.`,
    `  image      ${displayName(facts.image.source)}${facts.image.digest === undefined ? '' : ` (${facts.image.digest.slice(0, 19)}…)`}`,
    `  content    ${formatBytes(facts.measured.contentBytes)} in ${facts.measured.entries} files`,
    `  next       boot the machine from this disk (UEFI${facts.boots.secureBoot ? ' with or without Secure Boot' : ''}${facts.boots.bios ? ', or BIOS' : ''})`,
  ]);
  return 0;
}

/** Reads a stage file and refuses one that can't be read as such: on the machine it would fail at every boot. */
function readStageFile(file: string, events: CommandContext['reporter']['events']): { name: string; text: string } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new HoldfastError('HF-USAGE', `the stage file ${file} does not exist`);
  }
  const { problems } = parseCloudConfig(text, file);
  for (const { severity, message, hint, location } of problems) {
    if (severity === 'error') throw new HoldfastError('HF-STAGE', message, { location, ...(hint && { hint }) });
    events({ type: 'notice', level: 'warning', text: `${file}:${location.line}: ${message}` });
  }
  return { name: basename(file), text };
}
