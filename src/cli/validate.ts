// `holdfast validate`: every problem of cloud-config files, with its line and a caret.

import { readFileSync } from 'node:fs';
import { parseCloudConfig } from '../cloudconfig/document.ts';
import { messageOf, renderLocation } from '../system/errors.ts';
import type { CommandContext } from './program.ts';

export async function validateCommand({ reporter }: CommandContext, files: string[]): Promise<number> {
  const lines: string[] = [];
  const report = files.map((file) => {
    try {
      const { problems } = parseCloudConfig(readFileSync(file, 'utf8'), file);
      for (const { severity, message, hint, location } of problems) {
        lines.push(`${severity}: ${message}`, `  ${renderLocation(location).replaceAll('\n', '\n  ')}`);
        if (hint !== undefined) lines.push(`  hint: ${hint}`);
      }
      const failed = problems.some(({ severity }) => severity === 'error');
      if (problems.length === 0) lines.push(`${file}: ok`);
      return { file, outcome: failed ? 'failed' : 'ok', problems };
    } catch (error) {
      lines.push(`error: ${file} can't be read: ${messageOf(error)}`);
      return { file, outcome: 'failed', problems: [] };
    }
  });
  const failed = report.filter(({ outcome }) => outcome === 'failed').length;
  lines.push(`${files.length} file(s) checked, ${failed} with errors`);
  reporter.result({ outcome: failed === 0 ? 'ok' : 'failed', files: report }, lines);
  return failed === 0 ? 0 : 65;
}
