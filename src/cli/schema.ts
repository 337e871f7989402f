// `holdfast schema`: the JSON Schema of stage files, for editors and for checks elsewhere.

import { stageFileSchema } from '../cloudconfig/schema.ts';
import { printText } from './print.ts';
import type { CommandContext } from './program.ts';

export async function schemaCommand(
  _context: CommandContext,
  _positional: string[],
  { compact = false }: { compact?: boolean },
): Promise<number> {
  await printText(schemaText({ compact }));
  return 0;
}

/** The schema as a file. */
export function schemaText({ compact = false }: { compact?: boolean } = {}): string {
  return `${JSON.stringify(stageFileSchema(), null, compact ? undefined : 2)}\n`;
}
