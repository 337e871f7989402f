// What a simulated metadata service is: a function from a request to an answer, with the shapes that the real one
// documents. It is all that the tests of `datasource` don't have for real.

export interface Request {
  method: string;
  /** With the query. */
  path: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | undefined>>;
  remotePort: number;
  body: string;
}

export interface Answer {
  status: number;
  body: string | Buffer;
  headers?: Readonly<Record<string, string>>;
}

/** What the owner of the simulated machine has set. */
export interface Settings {
  hostname?: string;
  keys?: readonly string[];
  /** In base64, since it travels as JSON. */
  userData?: string;
  /** Paths that take a while. */
  late?: readonly string[];
  /** Paths that take longer than anyone waits. */
  slow?: readonly string[];
  /** Paths that fail the first time. */
  failOnce?: readonly string[];
}

/** undefined: the service knows no such path. */
export type Service = (request: Request, settings: Settings) => Answer | undefined;

export const NOT_FOUND: Answer = { status: 404, body: '<html><body>404 - Not Found</body></html>' };

export const ok = (body: string | Buffer, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status: 200,
  body,
  headers,
});

/** A value, or 404 when nobody has set it. */
export const value = (text: string | Buffer | undefined): Answer => (text === undefined ? NOT_FOUND : ok(text));

export const userDataOf = ({ userData }: Settings): Buffer | undefined =>
  userData === undefined ? undefined : Buffer.from(userData, 'base64');

/** A service that is a table of paths. */
export function table(path: string, values: Readonly<Record<string, string | Buffer | undefined>>): Answer | undefined {
  return Object.hasOwn(values, path) ? value(values[path]) : undefined;
}
