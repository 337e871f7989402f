// A CustomResourceDefinition as a validator: what the API server would refuse, and what it would drop.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';

const FIXTURES = join(import.meta.dirname, '../../fixtures/kubernetes');

/** @returns what is wrong with an object, empty when nothing is. */
export type Validate = (object: unknown) => string[];

/** @param version of the definition that is kept as a fixture: 0.13 or 0.20. */
export function definitionOf(version: '0.13' | '0.20'): Validate {
  // Compiling it takes longer than any check.
  const validate = compiled.get(version) ?? compileDefinition(version);
  compiled.set(version, validate);
  return validate;
}

const compiled = new Map<string, Validate>();

function compileDefinition(version: string): Validate {
  const text = readFileSync(join(FIXTURES, `plan-crd-${version}.json`), 'utf8');
  const definition: { spec: { versions: { schema: { openAPIV3Schema: object } }[] } } = JSON.parse(text);
  const [served] = definition.spec.versions;
  if (served === undefined) throw new Error('the definition serves no version');
  return validatorOf(asJsonSchema(served.schema.openAPIV3Schema, true));
}

export function gitRepoSchema(): Validate {
  return validatorOf(JSON.parse(readFileSync(join(FIXTURES, 'gitrepo-schema.json'), 'utf8')));
}

function validatorOf(schema: object): Validate {
  const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
  return (object) =>
    validate(object)
      ? []
      : (validate.errors ?? []).map(
          ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
        );
}

/**
 * Kubernetes' dialect as JSON Schema: `nullable`, int-or-string; and what the API server prunes, fields that a schema doesn't name,
 * is refused here.
 */
function asJsonSchema(value: unknown, top = false): object {
  if (typeof value !== 'object' || value === null) throw new Error('a schema is an object');
  const { nullable, properties, items, additionalProperties, type, ...rest } = Object.assign(
    { nullable: false, properties: undefined, items: undefined, additionalProperties: undefined, type: undefined },
    value,
  );
  const intOrString = Reflect.get(value, 'x-kubernetes-int-or-string') === true;
  const types = intOrString ? ['integer', 'string'] : type === undefined ? [] : [type];
  const known = properties === undefined ? [] : Object.entries(properties);
  // Of these the definition says nothing, and the API server knows them itself.
  const own = top ? { apiVersion: {}, kind: {}, metadata: {} } : {};
  return {
    ...rest,
    ...(types.length > 0 && { type: nullable === true ? [...types, 'null'] : types }),
    ...(known.length > 0 && {
      properties: { ...Object.fromEntries(known.map(([key, below]) => [key, asJsonSchema(below)])), ...own },
      additionalProperties: false,
    }),
    ...(typeof additionalProperties === 'object' && additionalProperties !== null
      ? { additionalProperties: asJsonSchema(additionalProperties) }
      : {}),
    ...(items !== undefined && { items: asJsonSchema(items) }),
  };
}
