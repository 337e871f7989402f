// How a boot is assessed: bounds, and what is no reason to fall back. The image says it in /etc/holdfast/assessment.yaml,
// the owner in /oem/holdfast/assessment.yaml, key by key, and the kernel's command line last. Nothing in them can keep a
// new system from being assessed: what makes no sense is a warning and the default counts.

import { load } from 'js-yaml';
import { z } from 'zod';
import type { KernelArgument } from '../boot/command-line.ts';
import { messageOf } from '../system/errors.ts';
import type { Root } from '../system/root.ts';

/** The last one counts more. The script that watches the bound (assess-deadline) reads the same. */
export const ASSESSMENT_SETTINGS = ['/etc/holdfast/assessment.yaml', '/oem/holdfast/assessment.yaml'];
/** `holdfast.assesstimeout=SECONDS` */
export const TIMEOUT_ARGUMENT = 'holdfast.assesstimeout';

export interface AssessmentSettings {
  /** Within which a system must prove itself, from the start of its services; 60 to 86400 seconds. */
  timeoutSeconds: number;
  /** Of one run of one check. */
  checkTimeoutSeconds: number;
  /** How often a check that fails is run in all. */
  tries: number;
  /** Between two tries. */
  intervalSeconds: number;
  /** Units that may fail; `*` and `?` as in a shell. */
  ignoreUnits: readonly string[];
}

export const DEFAULT_SETTINGS: AssessmentSettings = {
  timeoutSeconds: 600,
  checkTimeoutSeconds: 60,
  tries: 5,
  intervalSeconds: 30,
  ignoreUnits: [],
};

const seconds = (min: number, max: number) => z.number().int().min(min).max(max);
const KEYS = {
  timeout: { field: 'timeoutSeconds', schema: seconds(60, 86_400), expected: 'seconds, 60 to 86400' },
  'check-timeout': { field: 'checkTimeoutSeconds', schema: seconds(1, 3600), expected: 'seconds, 1 to 3600' },
  tries: { field: 'tries', schema: seconds(1, 100), expected: 'a number from 1 to 100' },
  interval: { field: 'intervalSeconds', schema: seconds(0, 3600), expected: 'seconds, 0 to 3600' },
  'ignore-units': { field: 'ignoreUnits', schema: z.array(z.string()), expected: 'a list of unit names' },
} as const;
const isKey = (key: string): key is keyof typeof KEYS => Object.hasOwn(KEYS, key);

/** Reads the files and the command line. @returns the settings, and what was wrong with them as sentences. */
export function readAssessmentSettings(
  root: Root,
  commandLine: readonly KernelArgument[],
): { settings: AssessmentSettings; warnings: string[] } {
  const warnings: string[] = [];
  let settings = DEFAULT_SETTINGS;
  for (const path of ASSESSMENT_SETTINGS) {
    const text = root.readTextIfThere(path);
    if (text === undefined) continue;
    const { values, problem } = parseMapping(text);
    if (problem !== undefined) warnings.push(`${path}: ${problem}`);
    for (const [key, value] of Object.entries(values)) {
      if (!isKey(key)) {
        warnings.push(
          `${path}: the key ${JSON.stringify(key)} is not known; known are ${Object.keys(KEYS).join(', ')}`,
        );
        continue;
      }
      const { field, schema, expected } = KEYS[key];
      const parsed = schema.safeParse(value);
      if (parsed.success) settings = { ...settings, [field]: parsed.data };
      else warnings.push(`${path}: ${key} is ${expected}, not ${JSON.stringify(value)}`);
    }
  }
  const argument = commandLine.findLast(({ key }) => key === TIMEOUT_ARGUMENT)?.value;
  if (argument !== undefined) {
    const parsed = KEYS.timeout.schema.safeParse(/^\d+$/.test(argument) ? Number(argument) : undefined);
    if (parsed.success) settings = { ...settings, timeoutSeconds: parsed.data };
    else warnings.push(`${TIMEOUT_ARGUMENT}= is ${KEYS.timeout.expected}, not ${JSON.stringify(argument)}`);
  }
  return { settings, warnings };
}

function parseMapping(text: string): { values: Record<string, unknown>; problem?: string } {
  try {
    const parsed = z
      .record(z.string(), z.unknown())
      .safeParse(text.trim() === '' ? {} : (load(text, { maxAliases: 0 }) ?? {}));
    return parsed.success ? { values: parsed.data } : { values: {}, problem: 'it is no mapping of names and values' };
  } catch (error) {
    return { values: {}, problem: messageOf(error) };
  }
}

/** Whether a unit's name fits one of the patterns. */
export function isIgnoredUnit(unit: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const expression = pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replace(/\*/g, '.*')
      .replace(/\?/g, '.');
    return new RegExp(`^${expression}$`).test(unit);
  });
}
