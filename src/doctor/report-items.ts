// What is in a report: what programs of the system say, files of the machine, and what holdfast knows itself. Each has a
// place in the archive and a bound; what isn't there or can't be read is listed with its reason.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readLedger } from '../ledger/ledger-file.ts';
import { readPlanned } from '../lifecycle/planned-record.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { inspectStatus } from '../lifecycle/status.ts';
import type { RecordedStep } from '../record/entry.ts';
import { readRecord } from '../record/record.ts';
import { slotId } from '../slots/identify.ts';
import { readTextWithin } from '../system/boundedtext.ts';
import { errnoOf, messageOf } from '../system/errors.ts';
import { run } from '../system/process.ts';
import { findProgram } from '../system/tools.ts';
import type { Finding } from './finding.ts';
import { openPartition, type Patient, slotPath } from './patient.ts';
import { filesBelow, mayBeReported, stageFilesOf } from './report-files.ts';

/** One member of the archive before anything is taken out of it. */
export interface ReportItem {
  /** Inside the archive. */
  name: string;
  format: 'text' | 'yaml';
  /** Which part is kept of what is too long: of logs the end. */
  keep: 'start' | 'end';
  /** @returns undefined where there is none. @throws what can't be read. */
  read: () => Promise<string | undefined> | string | undefined;
}

const TIMEOUT_MS = 20_000;
const MAX_FILE_BYTES = 4 << 20;

/** Programs by the name of their output. None of them prints keys: dmsetup hides them unless asked. */
const PROGRAMS: readonly (readonly [name: string, argv: readonly [string, ...string[]]])[] = [
  ['uname', ['uname', '-a']],
  ['uptime', ['uptime']],
  ['lsblk', ['lsblk', '--output', 'NAME,SIZE,TYPE,RO,FSTYPE,LABEL,UUID,PARTLABEL,MOUNTPOINT']],
  ['blkid', ['blkid', '--cache-file', '/dev/null']],
  ['df', ['df', '--human-readable', '--print-type']],
  ['df-inodes', ['df', '--inodes']],
  ['losetup', ['losetup', '--list', '--noheadings', '--output', 'NAME,SIZELIMIT,OFFSET,RO,BACK-FILE']],
  ['dmsetup-status', ['dmsetup', 'status']],
  ['dmsetup-table', ['dmsetup', 'table']],
  ['efibootmgr', ['efibootmgr']],
  ['timedatectl', ['timedatectl']],
  ['failed-units', ['systemctl', 'list-units', '--state=failed', '--no-pager', '--plain']],
  ['units', ['systemctl', 'list-units', '--all', '--no-pager', '--plain', 'cos-*', 'holdfast-*', 'elemental-*']],
];
const LOGS: typeof PROGRAMS = [
  [
    'stages',
    ['journalctl', '--boot', '--no-pager', '--lines=3000', '--unit=cos-*', '--unit=holdfast-*', '--unit=elemental-*'],
  ],
  ['kernel', ['journalctl', '--boot', '--no-pager', '--dmesg', '--lines=1500']],
  ['warnings', ['journalctl', '--boot', '--no-pager', '--priority=warning', '--lines=1000']],
  ['last-boot', ['journalctl', '--boot=-1', '--no-pager', '--lines=500', '--unit=cos-*', '--unit=holdfast-*']],
];

/** Files of the running system, YAML by their names. */
const FILES = [
  '/proc/cmdline',
  '/proc/mounts',
  '/proc/meminfo',
  '/etc/os-release',
  '/etc/fstab',
  '/etc/cos/config',
  '/etc/cos/bootargs.cfg',
  '/etc/elemental/config.yaml',
  '/etc/holdfast/policy.yaml',
  '/run/cos/cos-layout.env',
  '/run/cos/rootoverlay',
  '/run/holdfast/layout.json',
  '/run/holdfast/boot_failure',
  '/oem/holdfast/packages.lock',
  '/oem/grubenv',
  '/usr/lib/holdfast/init.json',
];
const DIRECTORIES = ['/etc/elemental/config.d', '/run/holdfast/stages', '/run/holdfast/log'];

/** Everything, in the order of the archive. */
export function reportItems(patient: Patient, findings: readonly Finding[]): ReportItem[] {
  const { root } = patient;
  const files = [...FILES, ...DIRECTORIES.flatMap((directory) => filesBelow(root, directory))];
  return [
    json('doctor.json', () => findings),
    json('status.json', () => inspectStatus()),
    { name: 'history.ndjson', format: 'text', keep: 'end', read: () => historyOf(patient) },
    { name: 'ledger.txt', format: 'text', keep: 'start', read: () => ledgerOf(patient) },
    { name: 'state-partition.txt', format: 'text', keep: 'start', read: () => listState(patient) },
    { name: 'oem.txt', format: 'text', keep: 'start', read: () => listOem(patient) },
    { name: 'state/planned.json', format: 'text', keep: 'start', read: () => plannedOf(patient) },
    ...['state.yaml', 'grub_oem_env', 'boot_assessment', 'grubcustom', 'last-action.json'].map((name) =>
      fileItem(`state/${name}`, async () => {
        const directory = await openPartition(patient, 'state');
        return directory === undefined ? undefined : join(directory, name);
      }),
    ),
    ...PROGRAMS.map(([name, argv]) => programItem(`system/${name}.txt`, argv, 'start', patient)),
    ...files.filter(mayBeReported).map((path) => fileItem(`files${path}`, () => root.resolve(path))),
    ...stageFilesOf(root)
      .filter(mayBeReported)
      .map((path) => fileItem(`stage-files${path}`, () => root.resolve(path))),
    ...LOGS.map(([name, argv]) => programItem(`logs/${name}.txt`, argv, 'end', patient)),
  ];
}

function json(name: string, read: () => unknown): ReportItem {
  return { name, format: 'text', keep: 'start', read: async () => `${JSON.stringify(await read(), null, 2)}\n` };
}

function fileItem(name: string, locate: () => Promise<string | undefined> | string | undefined): ReportItem {
  return {
    name,
    format: /\.ya?ml$/.test(name) ? 'yaml' : 'text',
    keep: /\.log$/.test(name) ? 'end' : 'start',
    read: async () => {
      const path = await locate();
      try {
        return path === undefined ? undefined : readTextWithin(path, MAX_FILE_BYTES);
      } catch (error) {
        if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
        throw error;
      }
    },
  };
}

function programItem(
  name: string,
  argv: readonly [string, ...string[]],
  keep: ReportItem['keep'],
  { signal }: Patient,
): ReportItem {
  return {
    name,
    format: 'text',
    keep,
    read: async () => {
      if (findProgram(argv[0]) === undefined) return undefined;
      const { status, stdout, stderr } = await run(argv, {
        signal,
        timeoutMs: TIMEOUT_MS,
        env: { ...process.env, LC_ALL: 'C' },
      });
      const ended = status === 0 ? '' : `[${argv.join(' ')} ended with status ${status}]\n`;
      return `${stdout}${stderr === '' ? '' : `[stderr]\n${stderr}`}${ended}`;
    },
  };
}

async function historyOf(patient: Patient): Promise<string | undefined> {
  const { entries, problems } = readRecord({ stateDirectory: await openPartition(patient, 'state') });
  const bare = entries
    .slice(-500)
    .map(({ steps, ...entry }) => ({ ...entry, ...(steps && { steps: steps.map(undigested) }) }));
  const lines = [...problems.map((problem) => ({ problem })), ...bare].map((entry) => JSON.stringify(entry));
  return lines.length === 0 ? undefined : `${lines.join('\n')}\n`;
}

/** A short secret in a step can be guessed from the step's digest. */
function undigested({ definition: _, ...step }: RecordedStep): Omit<RecordedStep, 'definition'> {
  return step;
}

/** The plan that is kept, without the digests of what it was made from: there are files of the owner among them. */
async function plannedOf(patient: Patient): Promise<string | undefined> {
  const directory = await openPartition(patient, 'state');
  const found = directory === undefined ? undefined : await readPlanned(directory);
  if (found === undefined || found.state === 'none') return undefined;
  if (found.state !== 'kept') return `${JSON.stringify(found, null, 2)}\n`;
  const { id, created, inputs } = found.record;
  const from = { running: inputs.running, active: inputs.active, passive: inputs.passive };
  return `${JSON.stringify({ id, created, from, files: Object.keys(inputs.files) }, null, 2)}\n`;
}

/** Paths and who changed them; nothing of what is in the files. */
async function ledgerOf(patient: Patient): Promise<string | undefined> {
  if (patient.busy !== undefined) throw new Error(patient.busy);
  const directory = await openPartition(patient, 'state');
  const file = await slotPath(patient, 'active');
  if (directory === undefined || file === undefined || !existsSync(file)) return undefined;
  const uuid = await slotId(file);
  const ledger = uuid === undefined ? undefined : readLedger(directory, uuid);
  if (ledger === undefined) return undefined;
  const { origin, entries, basis, omitted } = ledger;
  const lines = entries.slice(0, 5000).map(({ path, kind, cause, package: owner }) => {
    const by = cause.by === 'step' ? `${cause.step.file}:${cause.step.line}` : cause.by;
    return `${kind} /${Buffer.from(path, 'latin1').toString('utf8')} (${by}${owner === undefined ? '' : `, ${owner.name} ${owner.version}`})`;
  });
  const head = `${origin.action} of ${origin.at}, compared with ${basis}: ${entries.length} paths, ${omitted} left out`;
  return `${[head, ...lines].join('\n')}\n`;
}

async function listState(patient: Patient): Promise<string | undefined> {
  const directory = await openPartition(patient, 'state');
  if (directory === undefined) return undefined;
  return ['', 'cOS', 'holdfast'].flatMap((name) => listing(join(directory, name), name)).join('\n');
}

/** Names only: what is in these files may be anybody's. */
async function listOem(patient: Patient): Promise<string | undefined> {
  const directory = await openPartition(patient, 'oem');
  if (directory === undefined) return undefined;
  return ['', 'holdfast', 'features'].flatMap((name) => listing(join(directory, name), name)).join('\n');
}

function listing(directory: string, title: string): string[] {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  const rows = readdirSync(directory)
    .sort()
    .map((name) => {
      const stat = statSync(join(directory, name), { throwIfNoEntry: false });
      if (stat === undefined) return `  ${name} (a link to nothing)`;
      const size = stat.isDirectory()
        ? 'directory'
        : `${formatBytes(stat.size)}, ${formatBytes(stat.blocks * 512)} on the disk`;
      return `  ${name} (${size}, ${stat.mtime.toISOString()}, ${(stat.mode & 0o7777).toString(8)})`;
    });
  return [`/${title}`, ...rows];
}

/** Reads one item: its text, or why there is none. */
export async function readItem(item: ReportItem, signal: AbortSignal): Promise<{ text: string } | { missing: string }> {
  try {
    const text = await item.read();
    return text === undefined ? { missing: 'there is none' } : { text };
  } catch (error) {
    if (signal.aborted) throw error;
    return { missing: messageOf(error) };
  }
}
