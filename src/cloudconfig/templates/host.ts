// What template functions may ask of the machine. The caller gives it, so that the interpreter itself reads nothing.

export interface TemplateHost {
  /** A variable of the environment, empty when it isn't set. */
  environment: (name: string) => string;
  /** Nanoseconds since 1970. */
  now: () => bigint;
  randomBytes: (count: number) => Uint8Array;
  /** A time zone by its name, as in /usr/share/zoneinfo; undefined when there is none. */
  zone: (name: string) => Uint8Array | undefined;
  /** The machine's own time zone (/etc/localtime); undefined for UTC. */
  localZone: () => Uint8Array | undefined;
  /** Addresses of a host name; none when it isn't known. */
  lookup: (name: string) => Promise<readonly string[]>;
}
