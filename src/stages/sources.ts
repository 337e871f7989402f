// Where stage files come from: directories and files inside a root, in the order that people number their files for.
// One file that can't be read or used is a problem of its own and never hides the others.

import { readdirSync, readFileSync } from 'node:fs';
import type { Examiner } from '../cloudconfig/decoding.ts';
import { type CloudConfig, type ParseResult, parseCloudConfig } from '../cloudconfig/document.ts';
import type { Problem } from '../cloudconfig/problem.ts';
import { LIMITS } from '../cloudconfig/yamltext.ts';
import { messageOf } from '../system/errors.ts';
import type { Root } from '../system/root.ts';

/** Read in this order: the image's own files, the owner's on the OEM partition, those on the persistent partition. */
export const defaultSources: readonly string[] = ['/system/oem', '/oem', '/usr/local/cloud-config'];

export interface SourceContent {
  documents: readonly CloudConfig[];
  problems: readonly Problem[];
}

/** Reads sources again and again (a step may have written a file), but parses a text only when it has changed. */
export class SourceReader {
  readonly #root: Root;
  readonly #parsed = new Map<string, { text: string; result: ParseResult }>();
  readonly #examiner: Examiner | undefined;

  /** @param options.examiner looks at texts closer than running needs to. */
  constructor(root: Root, options: { examiner?: Examiner } = {}) {
    this.#root = root;
    this.#examiner = options.examiner;
  }

  /** All documents of one source: a directory with everything below it, or one file of any name. */
  read(source: string): SourceContent {
    if (/^https?:\/\//.test(source)) {
      return { documents: [], problems: [fileProblem(source, 'reading stage files from a URL is not supported yet')] };
    }
    const stats = this.#root.stat(source);
    if (stats === undefined) return { documents: [], problems: [] };
    const problems: Problem[] = [];
    const path = source.length > 1 ? source.replace(/\/+$/, '') : source;
    const files = stats.isDirectory() ? this.#walk(path, problems) : [path];
    const documents = files.map((file) => this.#readFile(file, problems)).filter((document) => document !== undefined);
    return { documents, problems };
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
      if (stats === undefined) throw new Error('it is a link to nothing');
      if (stats.isDirectory()) throw new Error('it is a link to a directory');
      // Reading a pipe or a device might never end.
      if (!stats.isFile()) throw new Error('it is no regular file');
      if (stats.size > LIMITS.textBytes) throw new Error(`it is larger than ${LIMITS.textBytes >> 20} MiB`);
      text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(this.#root.resolve(file)));
    } catch (error) {
      const what = error instanceof TypeError ? 'it is no UTF-8 text' : messageOf(error);
      problems.push(fileProblem(file, `the file can't be read: ${what}`));
      return undefined;
    }
    const { document, problems: found } = this.#parse(file, text);
    problems.push(...found);
    return document;
  }

  #parse(file: string, text: string): ParseResult {
    const known = this.#parsed.get(file);
    if (known?.text === text) return known.result;
    const result = parseCloudConfig(text, file, this.#examiner);
    this.#parsed.set(file, { text, result });
    return result;
  }
}

function fileProblem(file: string, message: string): Problem {
  return { severity: 'error', message, location: { file, line: 1, column: 1 } };
}
