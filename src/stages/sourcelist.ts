// All that a stage is read from, in order: its sources and texts from elsewhere, then those that the kernel command line
// adds, and last the steps on the command line itself. A directory is read anew for each of the three sub-stages, a web
// address once.

import { readFileSync } from 'node:fs';
import { COMMAND_LINE_NAME, parseDotNotation } from '../cloudconfig/dotnotation.ts';
import { messageOf } from '../system/errors.ts';
import { silent } from '../system/events.ts';
import { setupSources } from './commandline.ts';
import type { NamedText, StageRequest } from './result.ts';
import { fileProblem, isUrl, type SourceContent, SourceReader } from './sources.ts';

/** The part of a request that says what is read, and how. */
export type SourceRequest = Pick<
  StageRequest,
  | 'stage'
  | 'alone'
  | 'root'
  | 'sources'
  | 'documents'
  | 'sourceRoot'
  | 'commandLine'
  | 'dotNotation'
  | 'http'
  | 'signal'
> &
  Partial<Pick<StageRequest, 'events'>> & {
    /** false: copies of what was fetched are not kept. */
    keepCopies?: boolean;
  };

/** Reads one source, as it is now. */
export type ReadSource = () => SourceContent | Promise<SourceContent>;

/**
 * The sources of a request in rounds: all three sub-stages of one round run before the next round begins, so that the
 * command line has the last word (elemental-cli v0.0.15). A sub-stage goes over the sources of a round in order.
 */
export function listSources(request: SourceRequest): ReadSource[][] {
  const { root, sources, documents = [], sourceRoot = root, dotNotation = false } = request;
  const reader = new SourceReader(sourceRoot, { dotNotation });
  const line = readCommandLine(request.commandLine);
  const fetched = new Map<string, Promise<SourceContent>>();
  const missing = new Set<string>();
  const read = (source: string | NamedText): SourceContent | Promise<SourceContent> => {
    if (typeof source !== 'string') return reader.parse(source.name, source.text);
    if (isUrl(source)) {
      const known = fetched.get(source) ?? readRemote(source, request, reader);
      fetched.set(source, known);
      return known;
    }
    if (reader.has(source)) return reader.read(source);
    if (!/^[./]/.test(source)) {
      const message = `there is no file or directory ${source}, and it is no web address`;
      return { documents: [], problems: [fileProblem(source, message)] };
    }
    if (!missing.has(source)) {
      request.events?.({ type: 'notice', level: 'debug', text: `${source} is not there, it is passed over` });
    }
    missing.add(source);
    return { documents: [], problems: [] };
  };
  const round = (of: readonly (string | NamedText)[]) => of.map((source) => () => read(source));
  return [round([...sources, ...documents]), round(line.sources), [() => line.content]];
}

function readCommandLine(file: string | undefined): { sources: readonly string[]; content: SourceContent } {
  const nothing = { documents: [], problems: [] };
  if (file === undefined) return { sources: [], content: nothing };
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const problem = fileProblem(COMMAND_LINE_NAME, `the kernel command line can't be read: ${messageOf(error)}`);
    return { sources: [], content: { documents: [], problems: [problem] } };
  }
  const sources = setupSources(text);
  if (!text.includes('stages')) return { sources, content: nothing };
  const { document, problems } = parseDotNotation(text);
  return { sources, content: { documents: document === undefined ? [] : [document], problems } };
}

async function readRemote(url: string, request: SourceRequest, reader: SourceReader): Promise<SourceContent> {
  // Loaded when needed: most machines have no such source.
  const [{ fetchSource, keepCopy }, { httpRequest }] = await Promise.all([
    import('./remotesource.ts'),
    import('../system/http.ts'),
  ]);
  const { stage, root, http = httpRequest, events = silent, signal, keepCopies = true } = request;
  const settings = { stage, root, http, events, signal, keepCopies };
  const { name, text, isFresh, problems } = await fetchSource(url, settings);
  if (text === undefined) return { documents: [], problems };
  const content = reader.parse(name, text);
  if (isFresh && content.documents.length > 0) keepCopy(url, text, settings);
  return { documents: content.documents, problems: [...problems, ...content.problems] };
}
