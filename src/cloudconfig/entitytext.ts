// The text of an entity, that is the YAML of one line of passwd, shadow, group or gshadow, looked at without applying it.

import { Decoding, type Remark, type Shape } from './decoding.ts';
import { freeEntries } from './fields.ts';
import { ENTITY_FIELDS } from './knownwords.ts';
import { isMap } from './nodes.ts';
import { ProblemList } from './problem.ts';
import { integer, string, struct } from './shapes.ts';
import { nearestWord } from './suggestion.ts';
import { YamlError, YamlText } from './yamltext.ts';

const NUMBERS = new Set(['uid', 'gid']);
/** The field that says which line is meant. */
const KEY_FIELD: Readonly<Record<string, string>> = {
  user: 'username',
  shadow: 'username',
  group: 'group_name',
  gshadow: 'name',
};
const KINDS = Object.keys(ENTITY_FIELDS);

/** What is wrong with an entity's text; its places are inside of the text. */
export function examineEntity(text: string): Remark[] {
  const problems = new ProblemList();
  try {
    const yaml = new YamlText(text, '');
    const at = Decoding.start(yaml, problems);
    const top = at.isGiven(yaml.contents) ? at.follow(yaml.contents) : undefined;
    if (top === undefined || !isMap(top)) {
      return [{ severity: 'error', message: 'this must be the YAML of one entity', hint: 'for example "kind: user"' }];
    }
    const entries = freeEntries(top, at);
    const kindEntry = entries.find(({ key }) => key === 'kind');
    const kind = kindEntry === undefined ? '' : (at.value(string, kindEntry.value) ?? '');
    const fields = ENTITY_FIELDS[kind];
    if (fields === undefined) {
      const near = nearestWord(kind, KINDS);
      at.reject(
        kindEntry?.keyNode ?? top,
        kindEntry === undefined ? 'the entity has no kind' : `there is no kind of entity "${kind}"`,
        near === undefined ? `kinds are ${KINDS.join(', ')}` : `did you mean "${near}"?`,
      );
    } else {
      const shapes: Record<string, Shape<unknown>> = { kind: string };
      for (const field of fields) shapes[field] = NUMBERS.has(field) ? integer : string;
      at.value(struct(shapes), top);
      const needed = KEY_FIELD[kind] ?? '';
      const name = entries.find(({ key }) => key === needed);
      if (name === undefined || !at.isGiven(name.value)) at.reject(top, `the entity has no ${needed}`);
    }
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    const { message, hint, location } = error;
    return [{ severity: 'error', message, line: location.line, column: location.column, ...(hint && { hint }) }];
  }
  return problems.all.map(({ severity, message, hint, location: { line, column } }) => ({
    severity,
    message,
    line,
    column,
    ...(hint && { hint }),
  }));
}
