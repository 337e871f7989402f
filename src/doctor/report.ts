// `holdfast report`: what a maintainer needs to understand a machine, in one small archive, without secrets. Everything
// passes the redactor, and is bounded after that; what was left out is said in the archive itself.

import { join } from 'node:path';
import { RUN_DIRECTORY } from '../lifecycle/leftovers.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { UndoStack } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import { type ExamineOptions, examinePatient } from './examine.ts';
import { knownNames, knownSecrets } from './known-secrets.ts';
import { meetPatient } from './patient.ts';
import { Redactor } from './redact.ts';
import { type ReportItem, readItem, reportItems } from './report-items.ts';
import { type TarMember, tarGz } from './tar-file.ts';

export interface ReportOptions extends Omit<ExamineOptions, 'areas'> {
  /** Of the program. */
  version: string;
  nowMs: number;
}

/** What the archive has, for the summary and for its README. */
export interface ReportContents {
  members: readonly { name: string; bytes: number; cut: boolean }[];
  missing: readonly { name: string; why: string }[];
  /** How many texts have lost something that is or looks like a secret. */
  redacted: number;
}

export interface Report extends ReportContents {
  archive: Buffer;
  problems: readonly string[];
}

const LIMITS = { itemBytes: 512 << 10, totalBytes: 12 << 20 };

/**
 * Collects a report.
 * @throws HoldfastError HF-TOOL-MISSING without the programs to look with, HF-INTERRUPTED.
 */
export async function makeReport(options: ReportOptions): Promise<Report> {
  requireTools(['blkid', 'flock', 'mount', 'umount']);
  const undo = new UndoStack();
  let packed: Omit<Report, 'problems'>;
  let problems: string[] = [];
  try {
    const workDirectory = join(RUN_DIRECTORY, `doctor-${process.pid}`);
    const patient = await meetPatient({ ...options, undo, workDirectory });
    const findings = await examinePatient(patient);
    const redactor = new Redactor(knownSecrets(patient.root), knownNames(patient.root));
    packed = await pack(reportItems(patient, findings), redactor, options);
  } finally {
    problems = await undo.unwind(true);
  }
  return { ...packed, problems };
}

/** Reads, redacts, bounds and packs. */
export async function pack(
  items: readonly ReportItem[],
  redactor: Redactor,
  { events, signal, version, nowMs }: Pick<ReportOptions, 'events' | 'signal' | 'version' | 'nowMs'>,
): Promise<Omit<Report, 'problems'>> {
  const directory = `holdfast-report-${stampOf(nowMs)}`;
  const texts: { name: string; content: Buffer; cut: boolean }[] = [];
  const missing: { name: string; why: string }[] = [];
  let total = 0;
  for (const item of items) {
    events({ type: 'output', text: `packing ${item.name}` });
    const found = await readItem(item, signal);
    if ('missing' in found) {
      missing.push({ name: item.name, why: redactor.text(found.missing) });
      continue;
    }
    const bounded = boundText(redactor[item.format](found.text), item.keep);
    const name = shortName(item.name);
    if (total + bounded.content.length > LIMITS.totalBytes) {
      missing.push({ name: item.name, why: `the report has ${formatBytes(LIMITS.totalBytes)} already` });
      continue;
    }
    total += bounded.content.length;
    texts.push({ name, ...bounded });
  }
  const contents: ReportContents = {
    members: texts.map(({ name, content, cut }) => ({ name, bytes: content.length, cut })),
    missing,
    redacted: redactor.count,
  };
  const modifiedAt = Math.floor(nowMs / 1000);
  const readme = Buffer.from(readmeOf(contents, version, nowMs));
  const members: TarMember[] = [{ name: 'README.txt', content: readme }, ...texts].map(({ name, content }) => ({
    name: `${directory}/${name}`,
    content,
    modifiedAt,
  }));
  return { ...contents, archive: tarGz(members) };
}

/** `20260304-050607`, as file names have it. */
export function stampOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}

function boundText(text: string, keep: ReportItem['keep']): { content: Buffer; cut: boolean } {
  const bytes = Buffer.from(text);
  if (bytes.length <= LIMITS.itemBytes) return { content: bytes, cut: false };
  const note = Buffer.from(`[${formatBytes(bytes.length - LIMITS.itemBytes)} are left out here]\n`);
  const parts =
    keep === 'start'
      ? [bytes.subarray(0, LIMITS.itemBytes), Buffer.from('\n'), note]
      : [note, bytes.subarray(-LIMITS.itemBytes)];
  return { content: Buffer.concat(parts), cut: true };
}

/** A name that an archive has room for, below the report's own directory. */
function shortName(name: string): string {
  const safe = name.replaceAll(/[^\w./@+-]/g, '_');
  return safe.length <= 70 ? safe : `${safe.slice(0, 30)}__${safe.slice(-38)}`;
}

function readmeOf({ members, missing, redacted }: ReportContents, version: string, nowMs: number): string {
  return [
    `A report of holdfast ${version}, made ${new Date(nowMs).toISOString()}.`,
    '',
    'Passwords, their hashes, keys, tokens, logins, contents that stage files write and user data of clouds are left out',
    `(${redacted} texts lost something by that). Host names, addresses, names of users, packages and files are in it. Look`,
    'through it before you give it to somebody.',
    '',
    'What is in it:',
    ...members.map(({ name, bytes, cut }) => `  ${name} (${formatBytes(bytes)}${cut ? ', cut' : ''})`),
    '',
    'What is not:',
    ...missing.map(({ name, why }) => `  ${name}: ${why}`),
    '',
  ].join('\n');
}
