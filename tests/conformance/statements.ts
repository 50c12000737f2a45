// The normative statements of the standards that are served, by id, for table.ts. What a statement says, the standard
// tells; here is which ones there are, and why some of them can have no test.

/** A version of MQTT. */
export interface Standard {
  /** For people. */
  readonly name: string;
  /** The ids of its statements, as the brackets at the end of a test's name hold them. */
  readonly ids: readonly string[];
  /** Why no test of a server applies to a statement, by id. */
  readonly exempt: Readonly<Record<string, string>>;
}

/** In test names `[MQTT-3.1.0-1]` means a statement of 3.1.1; another version has a prefix of its own, such as `MQTT5`. */
function standard(name: string, prefix: string, ids: string, exempt: Readonly<Record<string, string>>): Standard {
  const full = (id: string) => `${prefix}-${id}`;
  return {
    name,
    ids: ids.trim().split(/\s+/).map(full),
    exempt: Object.fromEntries(Object.entries(exempt).map(([id, reason]) => [full(id), reason])),
  };
}

const clientOnly = "binds only the client", webSocket = "no WebSocket listener yet";

const mqtt311 = standard(
  "MQTT 3.1.1",
  "MQTT",
  `
  1.5.3-1 1.5.3-2 1.5.3-3
  2.2.2-1 2.2.2-2
  2.3.1-1 2.3.1-2 2.3.1-3 2.3.1-4 2.3.1-5 2.3.1-6 2.3.1-7
  3.1.0-1 3.1.0-2
  3.1.2-1 3.1.2-2 3.1.2-3 3.1.2-4 3.1.2-5 3.1.2-6 3.1.2-7 3.1.2-8 3.1.2-9 3.1.2-10 3.1.2-11 3.1.2-12
  3.1.2-13 3.1.2-14 3.1.2-15 3.1.2-16 3.1.2-17 3.1.2-18 3.1.2-19 3.1.2-20 3.1.2-21 3.1.2-22 3.1.2-23 3.1.2-24
  3.1.3-1 3.1.3-2 3.1.3-3 3.1.3-4 3.1.3-5 3.1.3-6 3.1.3-7 3.1.3-8 3.1.3-9 3.1.3-10 3.1.3-11
  3.1.4-1 3.1.4-2 3.1.4-3 3.1.4-4 3.1.4-5
  3.2.0-1
  3.2.2-1 3.2.2-2 3.2.2-3 3.2.2-4 3.2.2-5 3.2.2-6
  3.3.1-1 3.3.1-2 3.3.1-3 3.3.1-4 3.3.1-5 3.3.1-6 3.3.1-7 3.3.1-8 3.3.1-9 3.3.1-10 3.3.1-11 3.3.1-12
  3.3.2-1 3.3.2-2 3.3.2-3
  3.3.4-1
  3.3.5-1 3.3.5-2
  3.6.1-1
  3.8.1-1
  3.8.3-1 3.8.3-2 3.8.3-3 3.8.3-4
  3.8.4-1 3.8.4-2 3.8.4-3 3.8.4-4 3.8.4-5 3.8.4-6
  3.9.3-1 3.9.3-2
  3.10.1-1
  3.10.3-1 3.10.3-2
  3.10.4-1 3.10.4-2 3.10.4-3 3.10.4-4 3.10.4-5 3.10.4-6
  3.12.4-1
  3.14.1-1
  3.14.4-1 3.14.4-2 3.14.4-3
  4.1.0-1 4.1.0-2
  4.3.1-1
  4.3.2-1 4.3.2-2
  4.3.3-1 4.3.3-2
  4.4.0-1
  4.5.0-1 4.5.0-2
  4.6.0-1 4.6.0-2 4.6.0-3 4.6.0-4 4.6.0-5 4.6.0-6
  4.7.1-1 4.7.1-2 4.7.1-3
  4.7.2-1
  4.7.3-1 4.7.3-2 4.7.3-3
  4.8.0-1 4.8.0-2
  6.0.0-1 6.0.0-2 6.0.0-3 6.0.0-4
  `,
  {
    "2.3.1-2": clientOnly,
    "3.1.2-23": clientOnly,
    "3.14.4-1": clientOnly,
    "3.14.4-2": clientOnly,
    "4.5.0-2": clientOnly,
    "6.0.0-1": webSocket,
    "6.0.0-2": webSocket,
    "6.0.0-3": webSocket,
    "6.0.0-4": webSocket,
  },
);

/** Every standard that the tests refer to. */
export const standards: readonly Standard[] = [mqtt311];
