// `holdfast render`: a stage file written in TypeScript, JavaScript or JSON, as YAML. The file may be anywhere:
// `import … from "holdfast"` in it means this program, whether a package of that name is installed or not.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { defineCloudConfig, defineConfig } from '../authoring/holdfast.ts';
import { parseCloudConfig } from '../cloudconfig/document.ts';
import { examiner } from '../cloudconfig/examiner.ts';
import { writeStageFile } from '../cloudconfig/yamlwriter.ts';
import { renderProblems } from '../stages/report.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import { painter } from '../system/paint.ts';
import { printText } from './print.ts';
import type { CommandContext } from './program.ts';

/** What the program is to a file that imports it. */
const AUTHORING = { defineConfig, defineCloudConfig };
const TYPESCRIPT = new Set(['.ts', '.mts', '.cts', '.tsx']);

/** @returns 0, or 1 when the YAML has errors: it is printed nevertheless, for looking at. */
export async function renderCommand(
  _context: CommandContext,
  [file = '']: string[],
  { output }: { output?: string },
): Promise<number> {
  const path = resolve(file);
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    throw new HoldfastError('HF-USAGE', `${file} does not exist`);
  }
  const config = extname(path) === '.json' ? readJson(path) : await importConfig(path);
  const text = writeStageFile(config, `Made by "holdfast render ${basename(path)}"; change that file, not this one.`);
  if (output === undefined) await printText(text);
  else writeFileSync(output, text);
  const name = output ?? `the YAML of ${file}`;
  const { problems } = parseCloudConfig(text, name, examiner);
  const paint = painter(process.stderr.isTTY === true && process.env.NO_COLOR === undefined);
  for (const line of renderProblems(problems, paint)) process.stderr.write(`${line}\n`);
  return problems.some(({ severity }) => severity === 'error') ? 1 : 0;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new HoldfastError('HF-CONFIG', `${path} can't be read as JSON: ${messageOf(cause)}`, { cause });
  }
}

/** The file's default export; a function is called, a promise waited for. */
async function importConfig(path: string): Promise<unknown> {
  await provideAuthoring();
  const loaded = await load(path);
  if (typeof loaded !== 'object' || loaded === null || !('default' in loaded)) {
    throw new HoldfastError('HF-CONFIG', `${path} has no default export`, {
      hint: 'write: export default defineConfig({ … })',
    });
  }
  const { default: config } = loaded;
  return typeof config === 'function' ? await config() : await config;
}

async function load(path: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(path).href);
  } catch (cause) {
    if (TYPESCRIPT.has(extname(path)) && isUnreadTypeScript(cause)) {
      throw new HoldfastError('HF-UNSUPPORTED', `Node ${process.versions.node} does not read TypeScript`, {
        cause,
        hint: 'use the executable of holdfast, Node 22.18 or later, or write the file as .mjs',
      });
    }
    if (cause instanceof HoldfastError) throw cause;
    const where = cause instanceof Error ? cause.stack?.split('\n').find((line) => line.includes(path)) : undefined;
    throw new HoldfastError('HF-CONFIG', `${path} can't be run: ${messageOf(cause)}`, {
      cause,
      ...(where === undefined ? {} : { hint: where.trim() }),
    });
  }
}

function isUnreadTypeScript(error: unknown): boolean {
  return errnoOf(error) === 'ERR_UNKNOWN_FILE_EXTENSION';
}

/** Makes `holdfast` a module that every file can import. */
async function provideAuthoring(): Promise<void> {
  const bun: unknown = Reflect.get(globalThis, 'Bun');
  if (hasPlugins(bun)) {
    bun.plugin({
      name: 'holdfast',
      setup: (build) => build.module('holdfast', () => ({ loader: 'object', exports: AUTHORING })),
    });
    return;
  }
  const { register } = await import('node:module');
  if (register === undefined) return;
  // Both functions return what they are given, so that they can be written anew where the file is loaded.
  const names = Object.keys(AUTHORING).map((name) => `export const ${name} = (config) => config;`);
  const module = `data:text/javascript,${encodeURIComponent(names.join('\n'))}`;
  const hook = `export const resolve = (name, context, next) =>
    name === 'holdfast' ? { url: ${JSON.stringify(module)}, shortCircuit: true } : next(name, context);`;
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
}

interface BunPlugins {
  plugin: (plugin: { name: string; setup: (build: ModuleBuilder) => void }) => void;
}

interface ModuleBuilder {
  module: (name: string, load: () => { loader: 'object'; exports: object }) => void;
}

function hasPlugins(bun: unknown): bun is BunPlugins {
  return typeof bun === 'object' && bun !== null && 'plugin' in bun && typeof bun.plugin === 'function';
}
