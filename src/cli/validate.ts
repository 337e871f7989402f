// `holdfast validate`: every problem of cloud-config files, with its line and a caret. Nothing is run or changed.

import { resolve } from 'node:path';
import { examiner } from '../cloudconfig/examiner.ts';
import { type Problem, ProblemList } from '../cloudconfig/problem.ts';
import { LIMITS } from '../cloudconfig/yamltext.ts';
import { lintDocuments } from '../stages/lint.ts';
import { renderProblems } from '../stages/report.ts';
import { isUrl, type SourceContent, SourceReader } from '../stages/sources.ts';
import { decodeText, readPipeWithin, readStreamWithin } from '../system/boundedtext.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { httpGet, withoutSecrets } from '../system/http.ts';
import { Root } from '../system/root.ts';
import type { CommandContext } from './program.ts';

const STDIN = '<stdin>';

/** @returns 0, or 1 when there is an error (with `strict`, a warning). */
export async function validateCommand(
  { reporter, signal }: CommandContext,
  named: string[],
  { strict = false }: { strict?: boolean },
): Promise<number> {
  const reader = new SourceReader(new Root('/'), { examiner });
  const files = new Map<string, ProblemList>();
  const problemsOf = (file: string): ProblemList => {
    const known = files.get(file) ?? new ProblemList();
    files.set(file, known);
    return known;
  };
  for (const source of named) {
    const { documents, problems } = await readSource(source, reader, signal);
    const asGiven = nameAsGiven(source);
    for (const { file } of documents) problemsOf(asGiven(file));
    const found = [...problems, ...lintDocuments(documents).map((problem) => withLine(problem, reader))];
    for (const problem of found.sort(byPlace)) {
      const file = asGiven(problem.location.file);
      problemsOf(file).add({ ...problem, location: { ...problem.location, file } });
    }
  }
  const report = [...files].sort(byName).map(([file, { all, errorCount }]) => ({
    file,
    outcome: errorCount > 0 ? 'failed' : 'ok',
    problems: all,
  }));
  const all = report.flatMap(({ problems }) => problems);
  const errors = all.filter(({ severity }) => severity === 'error').length;
  const warnings = all.length - errors;
  const failed = errors > 0 || (strict && warnings > 0);
  reporter.result({ outcome: failed ? 'failed' : 'ok', errors, warnings, files: report }, [
    ...renderProblems(all, reporter.paint),
    summarize(report.length, errors, warnings),
  ]);
  return failed ? 1 : 0;
}

/** A file, a directory with everything below it, `-` or a URL. */
async function readSource(source: string, reader: SourceReader, signal: AbortSignal): Promise<SourceContent> {
  if (source === '-') {
    try {
      return reader.parse(STDIN, await readStreamWithin(process.stdin, LIMITS.textBytes));
    } catch (error) {
      return unreadable(STDIN, `standard input can't be used: ${messageOf(error)}`);
    }
  }
  if (isUrl(source)) {
    try {
      const { body } = await httpGet(source, { signal });
      return reader.parse(withoutSecrets(source), decodeText(body));
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'HF-INTERRUPTED') throw error;
      return unreadable(withoutSecrets(source), messageOf(error));
    }
  }
  try {
    const text = await readPipeWithin(source, LIMITS.textBytes);
    if (text !== undefined) return reader.parse(source, text);
  } catch (error) {
    return unreadable(source, `it can't be used: ${messageOf(error)}`);
  }
  const path = resolve(source);
  const stats = new Root('/').stat(path);
  if (stats === undefined) return unreadable(path, 'there is no such file or directory');
  const content = reader.read(path);
  if (stats.isDirectory() && content.documents.length === 0 && content.problems.length === 0) {
    return unreadable(path, 'the directory holds no file whose name ends in .yaml or .yml', 'warning');
  }
  return content;
}

function unreadable(file: string, message: string, severity: Problem['severity'] = 'error'): SourceContent {
  return { documents: [], problems: [{ severity, message, location: { file, line: 1, column: 1 } }] };
}

/** Files are read by their whole path and shown as they were named. */
function nameAsGiven(source: string): (file: string) => string {
  if (source === '-' || isUrl(source)) return (file) => file;
  const path = resolve(source);
  const given = source.replace(/(?<=.)\/+$/, '');
  return (file) => {
    if (file === path) return given;
    const below = path === '/' ? path : `${path}/`;
    if (!file.startsWith(below)) return file;
    return `${given === '/' ? '' : given}/${file.slice(below.length)}`;
  };
}

/** Adds the text of the line, for the excerpt. */
function withLine(problem: Problem, reader: SourceReader): Problem {
  const { location } = problem;
  const lineText = reader
    .textOf(location.file)
    ?.replace(/^\uFEFF/, '')
    .split(/\r?\n/)[location.line - 1];
  return lineText === undefined ? problem : { ...problem, location: { ...location, lineText } };
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function byPlace(a: Problem, b: Problem): number {
  if (a.location.file !== b.location.file) return 0;
  return a.location.line - b.location.line || a.location.column - b.location.column;
}

function summarize(files: number, errors: number, warnings: number): string {
  const count = (number: number, word: string) => `${number === 0 ? 'no' : number} ${word}${number === 1 ? '' : 's'}`;
  return `${count(files, 'file')} checked: ${count(errors, 'error')}, ${count(warnings, 'warning')}`;
}
