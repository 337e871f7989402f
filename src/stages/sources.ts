// Where stage files come from: directories and files inside a root, in the order that people number their files for.
// One file that can't be read or used is a problem of its own and never hides the others.

import { readdirSync } from 'node:fs';
import type { Examiner } from '../cloudconfig/decoding.ts';
import { type CloudConfig, type ParseResult, parseCloudConfig } from '../cloudconfig/document.ts';
import { parseDotNotation } from '../cloudconfig/dotnotation.ts';
import type { Problem } from '../cloudconfig/problem.ts';
import { LIMITS } from '../cloudconfig/yamltext.ts';
import { readTextWithin } from '../system/boundedtext.ts';
import { messageOf } from '../system/errors.ts';
import type { Root } from '../system/root.ts';

/** Read in this order: the image's own files, the owner's on the OEM partition, those on the persistent partition. */
export const defaultSources: readonly string[] = ['/system/oem', '/oem', '/usr/local/cloud-config'];

/** Only web servers are read from: to Go, and so to yip, `stages: …` is an address too. */
export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** Further sources that the environment names, separated by spaces, as cOS has it. */
export function environmentSources(environment: NodeJS.ProcessEnv = process.env): string[] {
  return (environment.CLOUD_INIT_PATHS ?? '').split(/\s+/).filter((source) => source !== '');
}

export interface SourceContent {
  documents: readonly CloudConfig[];
  problems: readonly Problem[];
}

/** Reads sources again and again (a step may have written a file), but parses a text only when it has changed. */
export class SourceReader {
  readonly #root: Root;
  readonly #parsed = new Map<string, { text: string; result: ParseResult }>();
  readonly #parser: (text: string, file: string) => ParseResult;

  /**
   * @param options.examiner looks at texts closer than running needs to.
   * @param options.dotNotation texts are words like `stages.boot[0].name=x`, not YAML.
   */
  constructor(root: Root, options: { examiner?: Examiner; dotNotation?: boolean } = {}) {
    this.#root = root;
    const { examiner, dotNotation } = options;
    this.#parser = dotNotation ? parseDotNotation : (text, file) => parseCloudConfig(text, file, examiner);
  }

  /** Whether a file or directory is there, or something that can't be looked at. */
  has(source: string): boolean {
    try {
      return this.#root.exists(source);
    } catch {
      return true;
    }
  }

  /** All documents of one source: a directory with everything below it, or one file of any name. */
  read(source: string): SourceContent {
    const problems: Problem[] = [];
    const path = source.length > 1 ? source.replace(/\/+$/, '') : source;
    try {
      const stats = this.#root.stat(source);
      if (stats === undefined) return { documents: [], problems };
      const files = stats.isDirectory() ? this.#walk(path, problems) : [path];
      const read = files.map((file) => this.#readFile(file, problems));
      return { documents: read.filter((document) => document !== undefined), problems };
    } catch (error) {
      return { documents: [], problems: [fileProblem(path, `it can't be read: ${messageOf(error)}`)] };
    }
  }

  /** The text that was read last under this name. */
  textOf(file: string): string | undefined {
    return this.#parsed.get(file)?.text;
  }

  /** Parses a text that is no file. */
  parse(name: string, text: string): SourceContent {
    const { document, problems } = this.#parse(name, text);
    return { documents: document === undefined ? [] : [document], problems };
  }

  /** yip: depth first, names by byte value, files and directories mixed, links to directories not entered. */
  #walk(directory: string, problems: Problem[]): string[] {
    let entries: { name: string; isDirectory: boolean }[];
    try {
      entries = readdirSync(this.#root.resolve(directory), { withFileTypes: true })
        .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
        .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
    } catch (error) {
      problems.push(fileProblem(directory, `the directory can't be read: ${messageOf(error)}`));
      return [];
    }
    return entries.flatMap(({ name, isDirectory }) => {
      const path = directory === '/' ? `/${name}` : `${directory}/${name}`;
      if (isDirectory) return this.#walk(path, problems);
      return /\.ya?ml$/.test(name) ? [path] : [];
    });
  }

  #readFile(file: string, problems: Problem[]): CloudConfig | undefined {
    let text: string;
    try {
      const stats = this.#root.stat(file);
      if (stats === undefined && isFeature(file)) {
        problems.push(featureProblem(file));
        return undefined;
      }
      if (stats === undefined) throw new Error('it is a link to nothing');
      if (stats.isDirectory()) throw new Error('it is a link to a directory');
      text = readTextWithin(this.#root.resolve(file), LIMITS.textBytes);
    } catch (error) {
      problems.push(fileProblem(file, `the file can't be read: ${messageOf(error)}`));
      return undefined;
    }
    const { document, problems: found } = this.#parse(file, text);
    problems.push(...found);
    return document;
  }

  #parse(file: string, text: string): ParseResult {
    const known = this.#parsed.get(file);
    if (known?.text === text) return known.result;
    const result = this.#parser(text, file);
    this.#parsed.set(file, { text, result });
    return result;
  }
}

/** A link that cos-feature makes: it leads into the image's catalogue. */
function isFeature(file: string): boolean {
  return /\/features\/[^/]+$/.test(file);
}

/** Images come and go; a feature that was enabled and left the image must refuse no upgrade. */
function featureProblem(file: string): Problem {
  const name = file.replace(/^.*\/|\.ya?ml$/g, '');
  return {
    ...fileProblem(file, `the feature ${name} is enabled, but the image has it no more (a link to nothing)`, 'warning'),
    hint: `holdfast feature disable ${name}`,
  };
}

/** What is wrong with a source as a whole. */
export function fileProblem(file: string, message: string, severity: Problem['severity'] = 'error'): Problem {
  return { severity, message, location: { file, line: 1, column: 1 } };
}
