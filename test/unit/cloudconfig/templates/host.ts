// A machine for template functions that is the same everywhere: zones from the fixtures, a fixed clock, a small environment.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TemplateHost } from '../../../../src/cloudconfig/templates/host.ts';
import { type Rendering, renderTemplate } from '../../../../src/cloudconfig/templates/render.ts';

export const FIXTURES = join(import.meta.dirname, '../../../fixtures/templates');

export const testHost: TemplateHost = {
  environment: (name) => ({ HOME: '/root', EMPTY: '', NAME: 'grün' })[name] ?? '',
  // 2024-02-29 12:30:45.5 UTC
  now: () => 1_709_209_845_500_000_000n,
  randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  zone: (name) => {
    const file = join(FIXTURES, 'zones', name);
    return existsSync(file) && /[a-z]$/.test(name) && name.includes('/') ? readFileSync(file) : undefined;
  },
  localZone: () => undefined,
  lookup: async (name) => (name.startsWith('known') ? ['192.0.2.1'] : []),
};

export function render(text: string, data: object = {}, host: Partial<TemplateHost> = {}): Promise<Rendering> {
  return renderTemplate(text, data, { ...testHost, ...host });
}

/** What a text becomes, or what is wrong with it. */
export async function outcome(text: string, data: object = {}, host: Partial<TemplateHost> = {}): Promise<string> {
  const { text: rendered, error } = await render(text, data, host);
  return error ?? rendered;
}
