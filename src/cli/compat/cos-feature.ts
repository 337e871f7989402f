// `cos-feature` of cOS-toolkit: its words and exit statuses, on what `holdfast feature` does. Unlike the original, the
// list shows a feature as enabled only when it is, and one that is enabled and left the image.

import {
  type Feature,
  type FeatureChange,
  type FeatureVerb,
  featurePerformers,
  featurePlaces,
  listFeatures,
  planFeatures,
} from '../../lifecycle/features.ts';
import { HoldfastError, messageOf } from '../../system/errors.ts';
import { silent } from '../../system/events.ts';
import { apply } from '../../system/plan.ts';
import { Root } from '../../system/root.ts';

const HOW_TO = [
  'To enable, run: cos-feature enable <feature>',
  'To disable, run: cos-feature disable <feature>',
] as const;

const USAGE = [
  'Usage: cos-feature list',
  '       cos-feature enable|disable FEATURE…',
  '',
  'Features are optional stage files of the image; one that is enabled runs from the next boot on.',
];

const RULE = '='.repeat(20);

/**
 * Runs one command line of cos-feature.
 * @param print takes lines of standard output.
 * @returns the exit status: 1 for usage, also where it was asked for, and for a feature that is not there.
 */
export async function cosFeature(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  print: (line: string) => void,
  root = new Root('/'),
): Promise<number> {
  const [verb, ...names] = argv;
  if (verb === undefined) return 0;
  const usage = () => {
    for (const line of USAGE) print(line);
    return 1;
  };
  const places = featurePlaces(root, environment);
  switch (verb) {
    case 'list':
      for (const line of ['', RULE, 'cOS features list', '', ...HOW_TO, RULE, '']) print(line);
      for (const feature of listFeatures(root, places)) print(`- ${feature.name} ${markOf(feature)}`);
      return 0;
    case 'enable':
    case 'disable':
      // One after the other: those before one that is not there stay enabled, as they did.
      for (const name of names) {
        const line = await change(verb, name, root, places);
        print(line ?? 'Feature not present');
        if (line === undefined) return 1;
      }
      return 0;
    default:
      return usage();
  }
}

function markOf({ enabled, inImage, link }: Feature): string {
  if (!enabled) return '';
  return inImage || link === 'file' ? '(enabled)' : '(enabled) (not in this image)';
}

/** @returns what is said of it; undefined for a feature that is not there. */
async function change(
  verb: FeatureVerb,
  name: string,
  root: Root,
  places: ReturnType<typeof featurePlaces>,
): Promise<string | undefined> {
  const found = listFeatures(root, places);
  const known = found.find((each) => each.name === name);
  if (verb === 'enable' && !known?.inImage) return undefined;
  // To cos-feature only a link is a feature that is enabled.
  if (verb === 'disable' && known?.link !== 'link') return `Feature ${name} not enabled`;
  const plan = planFeatures(verb, [name], found, places);
  await apply(plan, featurePerformers, { state: { root }, events: silent });
  return plan.changes.map(wordsOf)[0];
}

function wordsOf({ name, change }: FeatureChange): string {
  switch (change) {
    case 'enabled':
      return `${name} enabled`;
    case 'enabled-already':
      return `Feature ${name} enabled already`;
    case 'disabled':
      return `Feature ${name} disabled`;
    case 'not-enabled':
      return `Feature ${name} not enabled`;
  }
}

/** The entry of `holdfast compat cos-feature`. */
export async function runCosFeature(argv: readonly string[]): Promise<number> {
  try {
    return await cosFeature(argv, process.env, (line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    const hint = error instanceof HoldfastError && error.hint !== undefined ? ` (${error.hint})` : '';
    process.stderr.write(`cos-feature: ${messageOf(error)}${hint}\n`);
    return 1;
  }
}
