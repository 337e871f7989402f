// The JSON Schema (draft 2020-12) of stage files, made from the table of keys, for editors. It takes what `validate` takes
// without a warning, and the misspellings that keep working marked as deprecated. Only keywords that older drafts have
// as well: editors differ in the draft that they follow.

import { CLOUD_INIT_FIELDS } from './cloudinitkeys.ts';
import type { Form, Shape } from './decoding.ts';
import { CLOUD_INIT_TEXTS, DOCUMENT_TEXTS, STEP_TEXTS } from './descriptions.ts';
import {
  ARCHITECTURES,
  ENCODINGS,
  FILESYSTEMS,
  FOREIGN_KEYS,
  PROVIDERS,
  SERVICE_MANAGERS,
  STAGES,
} from './knownwords.ts';
import type { TextRole } from './leaf.ts';
import { STEP_ALIASES, STEP_FIELDS } from './stepkeys.ts';

export type JsonSchema = { readonly [keyword: string]: unknown };

const WITHOUT_EFFECT = { description: 'Has no effect here.', deprecated: true, doNotSuggest: true };
const NOTHING = { type: 'null' };
/** Numbers that YAML 1.2 takes for text: binary ones and those with underscores. */
const ODD_NUMBER = '^[-+]?(?:0[bB][01_]+|[0-9][0-9_]*_[0-9_]*)$';

/** Words that a text chooses from. */
const WORDS: Partial<Record<TextRole, readonly string[]>> = {
  encoding: ENCODINGS,
  provider: PROVIDERS,
  filesystem: FILESYSTEMS,
  'service-manager': SERVICE_MANAGERS,
};

const EXAMPLES: Partial<Record<TextRole, readonly string[]>> = {
  architecture: ARCHITECTURES.slice(0, 2),
  pattern: ['^node-[0-9]+$'],
  entity: ['kind: user\nusername: bob\n'],
};

/** What certain values of a `#cloud-config` file may be besides. */
const ALTERNATIVES: Readonly<Record<string, JsonSchema>> = {
  'users[]': { type: 'string' },
  'users[].groups': { type: 'string' },
  'runcmd[]': { type: 'array', items: { type: ['string', 'number', 'boolean'] } },
};

/** The schema of a whole file, as plain data. */
export function stageFileSchema(): JsonSchema {
  const stages = Object.fromEntries(
    Object.entries(STAGES).map(([name, description]) => [name, { $ref: '#/$defs/stage', description }]),
  );
  const top = {
    name: { ...text(), description: DOCUMENT_TEXTS.name },
    stages: {
      description: DOCUMENT_TEXTS.stages,
      type: ['object', 'null'],
      properties: stages,
      additionalProperties: { $ref: '#/$defs/stage' },
    },
    stage: { ...deprecated('stages'), type: ['object', 'null'] },
  };
  const cloudInit = properties(CLOUD_INIT_FIELDS, CLOUD_INIT_TEXTS, '');
  const foreign = Object.fromEntries(Object.entries(FOREIGN_KEYS).map(([key, description]) => [key, { description }]));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Holdfast stage file',
    description: 'A cloud-config file of Holdfast, cOS-toolkit, Elemental and Kairos.',
    type: ['object', 'null'],
    properties: { ...top, ...cloudInit, ...foreign },
    $defs: {
      stage: {
        description: DOCUMENT_TEXTS.stage,
        type: ['array', 'null'],
        items: { $ref: '#/$defs/step' },
      },
      step: {
        description: DOCUMENT_TEXTS.step,
        type: ['object', 'null'],
        properties: { ...properties(STEP_FIELDS, STEP_TEXTS, ''), ...aliasesOf(STEP_ALIASES) },
        additionalProperties: false,
      },
    },
  };
}

type Texts = Readonly<Record<string, string>>;

function properties(fields: Readonly<Record<string, Shape<unknown>>>, texts: Texts, path: string): JsonSchema {
  return Object.fromEntries(
    Object.entries(fields).map(([key, shape]) => {
      const place = path === '' ? key : `${path}.${key}`;
      // cloud-init's own keys without a text are those that have no effect here.
      if (texts === CLOUD_INIT_TEXTS && texts[place] === undefined) return [key, WITHOUT_EFFECT];
      return [key, described(shape.form, texts, place)];
    }),
  );
}

function described(form: Form, texts: Texts, place: string): JsonSchema {
  const description = texts[place];
  const own = schemaOf(form, texts, place);
  const alternative = texts === CLOUD_INIT_TEXTS ? ALTERNATIVES[place] : undefined;
  const schema = alternative === undefined ? own : { anyOf: [own, alternative] };
  return { ...(description === undefined ? {} : { description }), ...schema };
}

function schemaOf(form: Form, texts: Texts, place: string): JsonSchema {
  switch (form.kind) {
    case 'text':
      return text(form.role);
    case 'content':
      return text();
    case 'number':
      return {
        anyOf: [
          { type: 'number', minimum: form.min, maximum: form.max },
          { type: 'string', pattern: ODD_NUMBER },
          NOTHING,
        ],
      };
    case 'mode':
      return {
        anyOf: [
          { type: 'number', minimum: 0, maximum: 0xffffffff },
          { type: 'string', pattern: '^(?:0[oO])?[0-7_]{1,8}$' },
          NOTHING,
        ],
        examples: [0o644, 0o755, 0o600].map((mode) => `0${mode.toString(8)}`),
      };
    case 'boolean':
      return {
        anyOf: [
          { type: 'boolean' },
          // YAML 1.1 has these words for it, and YAML 1.2, which editors read, takes them for text.
          { type: 'string', pattern: '^(?:[yY]|[nN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$' },
          NOTHING,
        ],
        default: false,
      };
    case 'id':
      return { anyOf: [{ type: 'integer', minimum: -1 }, { type: 'string', pattern: ODD_NUMBER }, NOTHING] };
    case 'step-name':
      return {
        anyOf: [
          {
            type: 'object',
            properties: { name: { ...text(), description: 'DOCUMENT.STEP, or the step’s own name.' } },
            additionalProperties: false,
          },
          { type: 'string' },
          NOTHING,
        ],
      };
    case 'list':
      return { type: ['array', 'null'], items: described(form.of.form, texts, `${place}[]`) };
    case 'map':
      return { type: ['object', 'null'], additionalProperties: described(form.of.form, texts, `${place}{}`) };
    case 'struct':
      return {
        type: ['object', 'null'],
        properties: { ...properties(form.fields, texts, place), ...aliasesOf(form.aliases) },
        additionalProperties: false,
      };
  }
}

/** Any single value counts as its text. */
function text(role?: TextRole): JsonSchema {
  const words = role === undefined ? undefined : WORDS[role];
  if (words !== undefined) return { anyOf: [{ type: 'string', enum: [...words] }, NOTHING] };
  const examples = role === undefined ? undefined : EXAMPLES[role];
  return { type: ['string', 'number', 'boolean', 'null'], ...(examples && { examples }) };
}

function aliasesOf(aliases: Readonly<Record<string, string>>): JsonSchema {
  return Object.fromEntries(Object.entries(aliases).map(([alias, field]) => [alias, deprecated(field)]));
}

function deprecated(instead: string): JsonSchema {
  const message = `A misspelling of "${instead}" that keeps working: write "${instead}".`;
  // The last two are what editors that are built on VS Code's JSON support read.
  return { description: message, deprecated: true, deprecationMessage: message, doNotSuggest: true };
}
