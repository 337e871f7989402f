// Text of a cloud-config file → checked document. Pure: no file is read here. What is wrong in one value is reported
// with its place and the rest is kept; only broken YAML gives no document.

import { decodeCloudInit, isCloudInit, MAPPED_KEYS, reportUnmapped, reportWithoutHeader } from './cloudinit.ts';
import { Decoding, type Examiner } from './decoding.ts';
import { freeEntries, namedEntries } from './fields.ts';
import { DEDENT_HINT } from './firstdocument.ts';
import { STAGES } from './knownwords.ts';
import { isMap, isScalar, isSeq, makeMap, type Node, type YamlMap } from './nodes.ts';
import { type Problem, ProblemList } from './problem.ts';
import { string, wrongType } from './shapes.ts';
import { decodeStep, type Step } from './step.ts';
import { editDistance } from './suggestion.ts';
import { type Entry, joinMaps, YamlError, YamlText } from './yamltext.ts';

export interface CloudConfig {
  file: string;
  name?: string;
  /** Whether it has the header `#cloud-config`. */
  cloudInit: boolean;
  /** Steps by stage, in the order of the file. */
  stages: ReadonlyMap<string, readonly Step[]>;
}

export interface ParseResult {
  /** undefined only when the text as a whole can't be used. */
  document: CloudConfig | undefined;
  problems: readonly Problem[];
}

/**
 * Parses and checks a cloud-config text. Never throws on any text.
 * @param file the name that problems carry.
 * @param examiner looks at texts closer than running needs to, for people who write the file.
 */
export function parseCloudConfig(text: string, file: string, examiner?: Examiner): ParseResult {
  const problems = new ProblemList();
  try {
    const document = decodeDocument(new YamlText(text, file), isCloudInit(text), problems, examiner);
    return { document, problems: problems.all };
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    const { message, location, hint } = error;
    problems.add({ severity: 'error', message, location, ...(hint === undefined ? {} : { hint }) });
    return { document: undefined, problems: problems.all };
  }
}

function decodeDocument(
  yaml: YamlText,
  cloudInit: boolean,
  problems: ProblemList,
  examiner?: Examiner,
): CloudConfig | undefined {
  const at = Decoding.start(yaml, problems, examiner);
  const { file } = yaml;
  if (yaml.furtherDocument !== undefined) {
    problems.add({
      severity: 'warning',
      message: 'a second YAML document begins here and is not used',
      hint: 'put it into a file of its own',
      location: yaml.furtherDocument,
    });
  }
  if (yaml.cutOff !== undefined) {
    problems.add({
      severity: 'error',
      message: 'this line is indented less than the first one: YAML ends here, and what follows is not used',
      hint: DEDENT_HINT,
      location: yaml.cutOff,
    });
  }
  const empty: CloudConfig = { file, cloudInit, stages: new Map() };
  if (!at.isGiven(yaml.contents)) return empty;
  const top = at.follow(yaml.contents);
  if (top === undefined) return undefined;
  if (!isMap(top)) return wrongType(top, at, 'a mapping with the key "stages"');

  let lacksHeader = false;
  const named = namedEntries(
    top,
    {
      known: ['name', 'stages', ...(cloudInit ? MAPPED_KEYS : [])],
      aliases: { stage: 'stages' },
      unknown: (entry) => {
        if (cloudInit || !MAPPED_KEYS.includes(entry.key)) reportOtherKey(entry, cloudInit, at);
        // One warning says it for all of them.
        else if (!lacksHeader) reportWithoutHeader(entry, at);
        lacksHeader ||= MAPPED_KEYS.includes(entry.key);
      },
    },
    at,
  );
  const name = scalarAt(named.get('name'), at);
  const written = decodeStages(named.get('stages')?.value ?? null, at);
  const stages = cloudInit ? joinStages(decodeCloudInit(named, at), written.stages) : written.stages;
  const known = name ?? written.name;
  return { file, cloudInit, ...(known && { name: known }), stages };
}

interface Stages {
  stages: ReadonlyMap<string, readonly Step[]>;
  /** A name that stood inside of `stages` by mistake. */
  name?: string;
}

function decodeStages(node: Node | null, at: Decoding): Stages {
  const none: Stages = { stages: new Map() };
  if (!at.isGiven(node)) return none;
  const target = at.follow(node);
  if (target === undefined) return none;
  if (!isMap(target)) {
    wrongType(target, at.key('stages'), 'a mapping of stage names to lists of steps', 'for example "boot:" below it');
    return none;
  }
  const lifted = liftNested(target, at);
  const stages = new Map<string, readonly Step[]>();
  for (const entry of freeEntries(lifted.stages, at)) {
    at.examine('stage', entry.keyNode, entry.key);
    stages.set(entry.key, decodeStage(entry, at.inStage(entry.key)));
  }
  return { stages, ...(lifted.name && { name: lifted.name }) };
}

/** Generated steps come before the file's own, which keep their numbers. */
function joinStages(generated: Stages['stages'], written: Stages['stages']): Stages['stages'] {
  const joined = new Map(written);
  for (const [stage, steps] of generated) {
    const own = written.get(stage) ?? [];
    joined.set(stage, [...steps.map((step, index) => ({ ...step, index: own.length + index })), ...own]);
  }
  return joined;
}

function decodeStage({ key, value }: Entry, at: Decoding): Step[] {
  if (!at.isGiven(value)) return [];
  const target = at.follow(value);
  if (target === undefined) return [];
  if (!isSeq(target)) {
    const hint = isMap(target) ? 'put "- " before its first key and indent the others' : undefined;
    wrongType(target, at.key(`the stage "${key}"`), 'a list of steps', hint);
    return [];
  }
  const given = target.items.filter((item) => at.isGiven(item));
  return given
    .map((item, index) => decodeStep(item, key, index, at))
    .filter((step): step is Step => step !== undefined);
}

/** `name` and `stages` that were indented below `stages` by mistake are taken to where they belong. */
function liftNested(stages: YamlMap, at: Decoding): { stages: YamlMap; name?: string } {
  let name: string | undefined;
  let nested: YamlMap | undefined;
  const rest = stages.items.filter(({ key, value }) => {
    if (!isScalar(key)) return true;
    const target = at.yaml.follow(value);
    if (key.value === 'name' && target !== undefined && isScalar(target) && at.isGiven(target)) {
      at.warn(key, '"name" stands inside of "stages" and is read as the name of the document', 'move it to the margin');
      name = at.value(string, target);
      return false;
    }
    if (key.value === 'stages' && target !== undefined && isMap(target) && target !== stages) {
      at.warn(key, '"stages" stands inside of "stages" and is read as if it did not', 'move it to the margin');
      nested = target;
      return false;
    }
    return true;
  });
  if (name === undefined && nested === undefined) return { stages };
  const outer = makeMap(rest, stages.range);
  const joined = nested === undefined ? outer : joinMaps(outer, nested);
  return { stages: joined, ...(name && { name }) };
}

/** Kairos and others keep keys of their own at the top of the same file: those are none of our business. */
function reportOtherKey(entry: Entry, cloudInit: boolean, at: Decoding): void {
  const { key, keyNode, value } = entry;
  if (key.length > 3 && editDistance(key.toLowerCase(), 'stages') <= 2) {
    at.warn(keyNode, `the key "${key}" is not known and has no effect`, 'did you mean "stages"?');
  } else if (isStageName(key) && value !== null && at.yaml.follow(value)?.kind === 'seq') {
    at.warn(keyNode, `the stage "${key}" stands at the margin and is not run`, 'put it below "stages:", indented');
  } else if (cloudInit) reportUnmapped(entry, at);
}

function isStageName(key: string): boolean {
  return Object.hasOwn(STAGES, key.replace(/\.(?:before|after)$/, ''));
}

function scalarAt(entry: Entry | undefined, at: Decoding): string | undefined {
  if (entry === undefined || !at.isGiven(entry.value)) return undefined;
  return at.key('name').value(string, entry.value);
}
