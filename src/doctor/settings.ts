// The files of settings and the policy: an action refuses when it can't read them, so that is known before.

import { loadSettings } from '../lifecycle/settings.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import { readPolicy } from '../trust/policy.ts';
import { hasPolicy } from '../trust/trust-rule.ts';
import { type Finding, inArea } from './finding.ts';
import type { Patient } from './patient.ts';

const { ok, warning, failed } = inArea('settings');
const POLICY = '/etc/holdfast/policy.yaml';

export function checkSettings({ root }: Patient): Promise<Finding[]> {
  return lookAtSettings(root, { policy: POLICY });
}

/** @param options.policy its file on this machine. */
export async function lookAtSettings(root: Root, options: { policy: string }): Promise<Finding[]> {
  const findings: Finding[] = [];
  try {
    const { problems } = await loadSettings({ root, environment: process.env });
    findings.push(
      ...problems.map(({ message, location: { file, line } }) =>
        warning(`${file}:${line}: ${message}`, 'it has no effect, or not the one that is meant', `edit ${file}`),
      ),
    );
  } catch (error) {
    findings.push(unreadable(error, 'no action runs until it can be read'));
  }
  try {
    if (hasPolicy(options.policy)) readPolicy(options.policy);
  } catch (error) {
    findings.push(unreadable(error, 'no image is installed until it can be read'));
  }
  return findings.length > 0 ? findings : [ok('settings and policy can be read')];
}

function unreadable(error: unknown, why: string): Finding {
  if (!(error instanceof HoldfastError)) throw error;
  const { message, location, hint } = error;
  const place = location === undefined ? '' : `${location.file}:${location.line}: `;
  return failed(
    `${place}${message}`,
    why,
    hint ?? (location === undefined ? 'correct the file' : `edit ${location.file}`),
  );
}
