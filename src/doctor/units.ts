// The services of this system: those that holdfast init has put into the image are as it left them and wanted by the boot,
// and none of the machine's has failed.

import { digestOf } from '../boot/init-inspect.ts';
import { readRecord } from '../boot/init-record.ts';
import { filesFor, findManagers } from '../boot/init-selection.ts';
import { OS_FILES } from '../boot/os-files.generated.ts';
import { run } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import { findProgram } from '../system/tools.ts';
import { type Finding, inArea } from './finding.ts';
import type { Patient } from './patient.ts';

export interface UnitFacts {
  /** Made by `holdfast init`; other images have their own files. */
  made: boolean;
  /** Files and links of ours that are gone or changed. */
  changed: readonly { path: string; how: 'missing' | 'changed' | 'masked' }[];
  /** Of systemd; undefined where it doesn't run. */
  failedUnits: readonly string[] | undefined;
}

const { ok, skipped, warning, failed } = inArea('units');
const OURS = /^(?:cos-setup-|holdfast-|elemental-setup-|cos-immutable)/;

/** Pure. */
export function judgeUnits({ made, changed, failedUnits }: UnitFacts): Finding[] {
  const findings = changed.map(({ path, how }) =>
    (how === 'changed' ? warning : failed)(
      `${path} is ${how}`,
      how === 'changed' ? 'it may not do what this version expects' : 'what it runs does not run at boot',
      how === 'masked'
        ? `systemctl unmask ${path.split('/').at(-1)}`
        : 'build the image with holdfast init as its last step',
    ),
  );
  for (const unit of failedUnits ?? []) {
    const say = OURS.test(unit) ? failed : warning;
    findings.push(say(`${unit} has failed`, 'what it does is missing', `journalctl -b -u ${unit}`));
  }
  if (findings.length > 0) return findings;
  if (failedUnits === undefined && !made)
    return [skipped('no systemd runs here, and the image was not made by holdfast init')];
  return [ok(made ? 'the units of holdfast are in place, and none has failed' : 'no unit has failed')];
}

export async function checkUnits({ root }: Patient): Promise<Finding[]> {
  return judgeUnits({ ...lookAtFiles(root), failedUnits: await listFailed(root) });
}

/** Holds the files of a root against those that `holdfast init` notes it has written. */
export function lookAtFiles(root: Root): Pick<UnitFacts, 'made' | 'changed'> {
  const { files: recorded } = readRecord(root);
  const wanted = filesFor(OS_FILES, findManagers(root));
  const changed: UnitFacts['changed'][number][] = [];
  for (const [path, digest] of Object.entries(recorded)) {
    // An owner may change configuration.
    if (!path.startsWith('/usr/')) continue;
    const stat = root.stat(path);
    if (stat?.isFile() !== true) changed.push({ path, how: 'missing' });
    else if (digestOf(root.readText(path)) !== digest) changed.push({ path, how: 'changed' });
  }
  const made = Object.keys(recorded).length > 0;
  for (const [path, file] of made ? Object.entries(wanted) : []) {
    // Links of another version of holdfast than the image's: its own files say what belongs to it.
    if (!('link' in file) || !(file.link in recorded)) continue;
    if (root.lstat(path) === undefined) changed.push({ path, how: 'missing' });
  }
  for (const path of Object.keys(recorded)) {
    const unit = /^\/usr\/lib\/systemd\/system\/([^/]+)$/.exec(path)?.[1];
    if (unit === undefined) continue;
    const mask = `/etc/systemd/system/${unit}`;
    const target = root.lstat(mask)?.isSymbolicLink() ? root.resolve(mask) : undefined;
    if (target !== undefined && root.inside(target) === '/dev/null') changed.push({ path: mask, how: 'masked' });
  }
  return { made, changed };
}

async function listFailed(root: Root): Promise<string[] | undefined> {
  if (!root.exists('/run/systemd/system') || findProgram('systemctl') === undefined) return undefined;
  const { status, stdout } = await run([
    'systemctl',
    'list-units',
    '--state=failed',
    '--plain',
    '--no-legend',
    '--no-pager',
  ]);
  return status === 0 ? parseFailedUnits(stdout) : undefined;
}

/** Names of units in a list of systemctl's. */
export function parseFailedUnits(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/^\W+/, '').split(/\s+/)[0] ?? '')
    .filter((unit) => unit.includes('.'));
}
