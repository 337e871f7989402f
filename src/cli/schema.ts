// `holdfast schema`: the JSON Schemas of what people write and of what programs read, for editors and for checks elsewhere.

import { HoldfastError } from '../system/errors.ts';
import { printText } from './print.ts';
import type { CommandContext } from './program.ts';

/** By name; the first one is what is printed without a name. */
const SCHEMAS: Readonly<Record<string, () => Promise<object>>> = {
  'cloud-config': async () => (await import('../cloudconfig/schema.ts')).stageFileSchema(),
  policy: async () => (await import('../trust/policy-schema.ts')).policyJsonSchema(),
  plan: async () => (await import('../preview/document.ts')).planJsonSchema(),
  status: async () => (await import('../lifecycle/status-schema.ts')).statusJsonSchema(),
};

export const SCHEMA_NAMES: readonly string[] = Object.keys(SCHEMAS);

export async function schemaCommand(
  _context: CommandContext,
  [name = 'cloud-config']: string[],
  { compact = false }: { compact?: boolean },
): Promise<number> {
  await printText(await schemaText(name, { compact }));
  return 0;
}

/**
 * A schema as a file.
 * @throws HoldfastError HF-USAGE when there is none of this name.
 */
export async function schemaText(name: string, { compact = false }: { compact?: boolean } = {}): Promise<string> {
  const load = Object.hasOwn(SCHEMAS, name) ? SCHEMAS[name] : undefined;
  if (load === undefined) {
    throw new HoldfastError('HF-USAGE', `there is no schema of ${JSON.stringify(name)}`, {
      hint: `one of ${SCHEMA_NAMES.join(', ')}`,
    });
  }
  return `${JSON.stringify(await load(), null, compact ? undefined : 2)}\n`;
}
